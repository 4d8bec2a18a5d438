// SPDX-License-Identifier: Apache-2.0
#include "symbols.h"

#include "binary.h"
#include "symbol_table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PROCESSES 1024
#define FOLDERS 64 /* of these processes have a descriptor open */
#define FILES 256
#define FUNCTION_MOST (1u << 20) /* bytes of one in the kernel; farther is something else */
#define MAPS_MOST 65536
#define TEXT_MOST (1u << 20)
#define AGAIN_NS 50000000 /* unknown addresses do not have maps read more often */

/* A file's functions, by the addresses its linker gave. */
struct file {
	uint64_t id; /* 0: the place is free */
	uint64_t used;
	struct stat status;
	struct symbol_table table;
	struct binary_segment *segments;
	size_t segment_count;
};

/* Code in a process's memory. */
struct map {
	uint64_t start, end, offset, inode;
	size_t path;	  /* where in the process's text */
	size_t file;	  /* which of the files, and was it that then */
	uint64_t file_id; /* 0: not looked for */
	bool unreadable;
};

struct process {
	pid_t pid;  /* 0: the place is free */
	int folder; /* /proc/PID: of this process, whoever has its number later; -1: we were told */
	uint64_t used, read_ns;
	struct map *maps; /* by their addresses */
	size_t count, room;
	char *text; /* their paths */
	size_t text_bytes, text_room;
};

struct symbols {
	struct symbol_table kernel;
	bool kernel_read;
	struct process processes[PROCESSES];
	struct file files[FILES];
	int last;	     /* the process that was asked last */
	uint64_t clock, ids; /* the order of use; numbers of files */
};

int symbols_open(struct symbols **symbols)
{
	*symbols = calloc(1, sizeof(**symbols));
	return *symbols ? 0 : -ENOMEM;
}

static void process_clear(struct process *process)
{
	if (process->pid && process->folder >= 0)
		close(process->folder);
	free(process->maps);
	free(process->text);
	memset(process, 0, sizeof(*process));
}

static void file_clear(struct file *file)
{
	symbol_table_clear(&file->table);
	free(file->segments);
	memset(file, 0, sizeof(*file));
}

void symbols_close(struct symbols *symbols)
{
	if (!symbols)
		return;
	symbol_table_clear(&symbols->kernel);
	for (int i = 0; i < PROCESSES; i++)
		process_clear(&symbols->processes[i]);
	for (int i = 0; i < FILES; i++)
		file_clear(&symbols->files[i]);
	free(symbols);
}

/* "ADDRESS TYPE NAME\t[MODULE]": functions only. */
static int kernel_line(struct symbol_table *table, char *line, bool *any)
{
	char *name, *module, type;
	uint64_t address = strtoull(line, &name, 16);

	if (*name++ != ' ' || !(type = *name++) || *name++ != ' ' || !strchr("tTwW", type))
		return 0;
	*any = *any || address; /* all are 0 for those who may not know */
	module = name + strcspn(name, "\t\n");
	if (*module == '\t') {
		*module++ = 0;
		module += *module == '[';
		module[strcspn(module, "]\n")] = 0;
	} else {
		*module = 0;
	}
	return symbol_table_add(table, address, FUNCTION_MOST, false, 0, name, strlen(name),
				module);
}

static int kernel_load(struct symbols *symbols)
{
	bool any = false;
	FILE *list = fopen("/proc/kallsyms", "re");
	size_t room = 0;
	char *line = NULL;
	int err = 0;

	if (!list)
		return -errno;
	while (!err && getline(&line, &room, list) > 0) {
		err = kernel_line(&symbols->kernel, line, &any);
	}
	free(line);
	fclose(list);
	if (!err)
		err = !any ? -EPERM : symbol_table_finish(&symbols->kernel);
	if (err)
		symbol_table_clear(&symbols->kernel);
	symbols->kernel_read = !err;
	return err;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

/* Adds a map, behind the others. */
static int map_add(struct process *process, const struct map *map, const char *path, size_t bytes)
{
	if (process->count == process->room) {
		size_t larger = process->room ? 2 * process->room : 16;
		struct map *maps = realloc(process->maps, larger * sizeof(*maps));

		if (!maps)
			return -ENOMEM;
		process->maps = maps;
		process->room = larger;
	}
	if (process->text_room - process->text_bytes < bytes + 1) {
		size_t larger = 2 * process->text_room + bytes + 256;
		char *text = realloc(process->text, larger);

		if (!text)
			return -ENOMEM;
		process->text = text;
		process->text_room = larger;
	}
	memcpy(process->text + process->text_bytes, path, bytes);
	process->text[process->text_bytes + bytes] = 0;
	process->maps[process->count] = *map;
	process->maps[process->count++].path = process->text_bytes;
	process->text_bytes += bytes + 1;
	return 0;
}

/* One line of maps into the process; those that are no code are passed over. */
static int map_line(struct process *process, const char *line)
{
	unsigned long long start, end, offset, inode;
	const char *path;
	char permissions[8];
	struct map map;
	int at = 0;

	if (sscanf(line, "%llx-%llx %7s %llx %*s %llu%n", &start, &end, permissions, &offset,
		   &inode, &at) != 5 ||
	    !at || permissions[2] != 'x')
		return 0;
	path = line + at + strspn(line + at, " ");
	map = (struct map){.start = start, .end = end, .offset = offset, .inode = inode};
	return map_add(process, &map, path, strcspn(path, "\n"));
}

/* Reads the maps anew. When the process has ended, the old ones stay. */
static int process_read(struct process *process)
{
	size_t line_room = 0;
	struct process fresh = {0};
	char *line = NULL;
	FILE *list = NULL;
	int fd, err = 0;

	process->read_ns = now_ns();
	if (process->folder < 0)
		return -ESRCH;
	fd = openat(process->folder, "maps", O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && !(list = fdopen(fd, "r")))
		close(fd);
	if (!list)
		return -errno;
	while (!err && fresh.count < MAPS_MOST && getline(&line, &line_room, list) > 0)
		err = map_line(&fresh, line);
	free(line);
	fclose(list);
	if (err || !fresh.count) {
		free(fresh.maps);
		free(fresh.text);
		return err ? err : -ESRCH;
	}
	free(process->maps);
	free(process->text);
	process->maps = fresh.maps;
	process->count = fresh.count;
	process->room = fresh.room;
	process->text = fresh.text;
	process->text_bytes = fresh.text_bytes;
	process->text_room = fresh.text_room;
	return 0;
}

static struct process *process_known(struct symbols *symbols, pid_t pid)
{
	if (symbols->processes[symbols->last].pid == pid)
		return &symbols->processes[symbols->last];
	for (int i = 0; i < PROCESSES; i++)
		if (symbols->processes[i].pid == pid) {
			symbols->last = i;
			return &symbols->processes[i];
		}
	return NULL;
}

/* A place for one more: that of the one unused for longest. With a `folder`, of those that have one
 * when there are enough. */
static struct process *process_place(struct symbols *symbols, bool folder)
{
	struct process *place = NULL, *with_folder = NULL;
	int folders = 0;

	for (int i = 0; i < PROCESSES; i++) {
		struct process *process = &symbols->processes[i];

		if (!place || process->used < place->used)
			place = process;
		if (!process->pid || process->folder < 0)
			continue;
		folders++;
		if (!with_folder || process->used < with_folder->used)
			with_folder = process;
	}
	if (folder && folders >= FOLDERS)
		place = with_folder;
	process_clear(place);
	place->folder = -1;
	place->used = ++symbols->clock;
	return place;
}

/* The process, with its maps. NULL and errno. */
static struct process *process_get(struct symbols *symbols, pid_t pid)
{
	struct process *process = process_known(symbols, pid);
	char path[32];
	int folder, err;

	snprintf(path, sizeof(path), "/proc/%d", pid);
	if (process) {
		/* Still the one that has this number, or nobody has it now. */
		if (process->folder < 0 || !faccessat(process->folder, "maps", F_OK, 0) ||
		    access(path, F_OK)) {
			process->used = ++symbols->clock;
			return process;
		}
		process_clear(process);
	}
	folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0) {
		errno = ESRCH;
		return NULL;
	}
	process = process_place(symbols, true);
	process->pid = pid;
	process->folder = folder;
	err = process_read(process);
	if (err) {
		process_clear(process);
		errno = err == -ENOENT ? ESRCH : -err;
		return NULL;
	}
	return process;
}

static struct map *map_at(struct process *process, uint64_t address)
{
	size_t low = 0, high = process->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (process->maps[middle].end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == process->count || address < process->maps[low].start)
		return NULL;
	return &process->maps[low];
}

static size_t files_bytes(const struct symbols *symbols, const struct file *but)
{
	size_t bytes = 0;

	for (int i = 0; i < FILES; i++)
		if (symbols->files[i].id && &symbols->files[i] != but)
			bytes += symbol_table_bytes(&symbols->files[i].table);
	return bytes;
}

static struct file *oldest(struct symbols *symbols, const struct file *but)
{
	struct file *oldest = NULL;

	for (int i = 0; i < FILES; i++) {
		struct file *file = &symbols->files[i];

		if (file != but && file->id && (!oldest || file->used < oldest->used))
			oldest = file;
	}
	return oldest;
}

/* A place for one more, and memory. */
static struct file *file_place(struct symbols *symbols)
{
	struct file *file;

	for (int i = 0; i < FILES; i++)
		if (!symbols->files[i].id)
			return &symbols->files[i];
	file = oldest(symbols, NULL);
	file_clear(file);
	return file;
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static int take_symbol(void *data, const struct binary_symbol *symbol)
{
	struct file *file = data;

	/* What does not fit has no name. */
	symbol_table_add(&file->table, symbol->address, symbol->bytes, symbol->sized, symbol->rank,
			 symbol->name, symbol->plain, "");
	return 0;
}

static int file_fill(struct file *file, struct binary *binary)
{
	binary_each_symbol(binary, take_symbol, file);
	file->segments = binary->segments;
	file->segment_count = binary->segment_count;
	binary->segments = NULL;
	return symbol_table_finish(&file->table);
}

/* Opens what is mapped there: the very file, also one that was deleted or is in a container. */
static struct binary *map_open(const struct process *process, const struct map *map)
{
	const char *path = process->text + map->path;
	struct binary *binary = NULL;
	struct error error;
	char link[96];
	int fd;

	if (!map->inode || *path != '/')
		return NULL;
	snprintf(link, sizeof(link), "/proc/%d/map_files/%llx-%llx", process->pid,
		 (unsigned long long)map->start, (unsigned long long)map->end);
	fd = process->folder >= 0
		     ? openat(process->folder, strstr(link, "map_files"), O_PATH | O_CLOEXEC)
		     : open(link, O_PATH | O_CLOEXEC);
	if (fd >= 0) {
		if (binary_open_at(&binary, fd, path, &error))
			binary = NULL;
		close(fd);
		return binary;
	}
	if (binary_open(&binary, path, process->pid, &error) &&
	    binary_open(&binary, path, 0, &error)) /* it has ended, with its view of the files */
		return NULL;
	if (binary->status.st_ino != map->inode) { /* another that has its name now */
		binary_close(binary);
		return NULL;
	}
	return binary;
}

/* The functions of the file that is mapped there, or NULL. */
static struct file *map_file(struct symbols *symbols, struct process *process, struct map *map)
{
	struct binary *binary;
	struct file *file = NULL;
	int err = 0;

	if (map->file_id && symbols->files[map->file].id == map->file_id) {
		file = &symbols->files[map->file];
		file->used = ++symbols->clock;
		return file;
	}
	if (map->unreadable)
		return NULL;
	binary = map_open(process, map);
	map->unreadable = !binary;
	if (!binary)
		return NULL;
	for (int i = 0; i < FILES; i++)
		if (symbols->files[i].id &&
		    is_same_file(&symbols->files[i].status, &binary->status))
			file = &symbols->files[i];
	if (!file) {
		file = file_place(symbols);
		file->id = ++symbols->ids;
		file->status = binary->status;
		err = file_fill(file, binary);
	}
	binary_close(binary);
	if (err) {
		file_clear(file);
		return NULL;
	}
	file->used = ++symbols->clock;
	map->file = file - symbols->files;
	map->file_id = file->id;
	while (files_bytes(symbols, file) > SYMBOLS_BYTES)
		file_clear(oldest(symbols, file));
	return file;
}

/* The address the linker gave to that byte of the file: that of the executable segment, where
 * two share a page. */
static bool linked_at(const struct file *file, uint64_t offset, uint64_t *address)
{
	struct binary fake = {.segments = file->segments, .segment_count = file->segment_count};

	return !binary_address_of(&fake, offset, address);
}

static bool offset_at(const struct file *file, uint64_t address, uint64_t *offset)
{
	struct binary fake = {.segments = file->segments, .segment_count = file->segment_count};

	return !binary_offset_of(&fake, address, offset);
}

static int resolve_kernel(struct symbols *symbols, uint64_t address, struct symbol *symbol)
{
	int err = symbols->kernel_read ? 0 : kernel_load(symbols);
	const struct symbol_entry *entry;

	if (err)
		return err;
	entry = symbol_table_at(&symbols->kernel, address);
	if (!entry)
		return -ENOENT;
	symbol->name = symbol_table_name(&symbols->kernel, entry, &symbol->file);
	symbol->offset = address - entry->address;
	return 0;
}

int symbols_resolve(struct symbols *symbols, pid_t pid, uint64_t address, struct symbol *symbol)
{
	const struct symbol_entry *entry;
	struct process *process;
	struct file *file;
	struct map *map;
	uint64_t linked;
	const char *module;

	*symbol = (struct symbol){.name = "", .file = ""};
	if (pid == SYMBOLS_KERNEL)
		return resolve_kernel(symbols, address, symbol);
	process = process_get(symbols, pid);
	if (!process)
		return -errno;
	map = map_at(process, address);
	if (!map && now_ns() - process->read_ns > AGAIN_NS && !process_read(process))
		map = map_at(process, address);
	if (!map)
		return -ENOENT;
	symbol->file = process->text + map->path;
	symbol->offset = address - map->start + map->offset;
	if (!map->inode) /* [vdso], code made at run time */
		return 0;
	file = map_file(symbols, process, map);
	if (!file || !linked_at(file, symbol->offset, &linked))
		return 0;
	symbol->offset = linked;
	entry = symbol_table_at(&file->table, linked);
	if (entry) {
		symbol->name = symbol_table_name(&file->table, entry, &module);
		symbol->offset = linked - entry->address;
	}
	return 0;
}

/* What symbols_find() fills. */
struct found {
	uint64_t *addresses;
	size_t room, count;
	uint64_t last;
};

static void found_add(struct found *found, uint64_t address)
{
	if (found->count && found->last == address)
		return;
	found->last = address;
	if (found->count < found->room)
		found->addresses[found->count] = address;
	found->count++;
}

static void find_in(struct symbols *symbols, struct process *process, struct map *map,
		    const char *name, struct found *found)
{
	struct file *file = map_file(symbols, process, map);
	const struct symbol_entry *entry = NULL;

	while (file && (entry = symbol_table_find(&file->table, entry, name))) {
		uint64_t offset;

		if (offset_at(file, entry->address, &offset) && offset >= map->offset &&
		    offset - map->offset < map->end - map->start)
			found_add(found, map->start + (offset - map->offset));
	}
}

int symbols_find(struct symbols *symbols, pid_t pid, const char *name, uint64_t *addresses,
		 size_t room)
{
	struct found found = {addresses, room, 0, 0};
	const struct symbol_entry *entry = NULL;
	struct process *process;
	int err = 0;

	if (pid != SYMBOLS_KERNEL) {
		process = process_get(symbols, pid);
		if (!process)
			return -errno;
		process_read(process); /* it may have loaded a library; or it is gone */
		for (size_t i = 0; i < process->count; i++)
			find_in(symbols, process, &process->maps[i], name, &found);
	} else {
		err = symbols->kernel_read ? 0 : kernel_load(symbols);
		while (!err && (entry = symbol_table_find(&symbols->kernel, entry, name)))
			found_add(&found, entry->address);
	}
	if (err)
		return err;
	return found.count ? (int)found.count : -ENOENT;
}

/* The process, made when it is not known: read if it lives, else with what it is told to have. */
static struct process *process_told(struct symbols *symbols, pid_t pid)
{
	struct process *process = process_known(symbols, pid);

	if (!process)
		process = process_get(symbols, pid);
	if (!process) {
		process = process_place(symbols, false);
		process->pid = pid;
	}
	return process;
}

static int by_start(const void *a, const void *b)
{
	const struct map *one = a, *other = b;

	return (one->start > other->start) - (one->start < other->start);
}

void symbols_mapped(struct symbols *symbols, pid_t pid, const struct symbols_mapping *mapping)
{
	struct process *process = process_told(symbols, pid);
	const struct map map = {.start = mapping->start,
				.end = mapping->end,
				.offset = mapping->offset,
				.inode = mapping->inode};
	size_t kept = 0;

	/* It takes the place of what was there. */
	for (size_t i = 0; i < process->count; i++)
		if (process->maps[i].end <= map.start || process->maps[i].start >= map.end)
			process->maps[kept++] = process->maps[i];
	process->count = kept;
	if (kept >= MAPS_MOST || process->text_bytes >= TEXT_MOST)
		return;
	map_add(process, &map, mapping->path, strlen(mapping->path));
	qsort(process->maps, process->count, sizeof(*process->maps), by_start);
}

void symbols_executed(struct symbols *symbols, pid_t pid)
{
	struct process *process = process_told(symbols, pid);

	process->count = process->text_bytes = 0;
}

void symbols_forked(struct symbols *symbols, pid_t pid, pid_t parent)
{
	struct process *from, *process = process_known(symbols, pid);

	if (process)
		process_clear(process);
	from = process_told(symbols, parent);
	process = process_place(symbols, false);
	if (process == from) /* there are 1024 */
		return;
	process->pid = pid;
	for (size_t i = 0; i < from->count; i++) {
		const char *path = from->text + from->maps[i].path;

		if (map_add(process, &from->maps[i], path, strlen(path)))
			return;
	}
}

void symbols_forget(struct symbols *symbols, pid_t pid)
{
	if (pid == SYMBOLS_KERNEL) {
		symbol_table_clear(&symbols->kernel);
		symbols->kernel_read = false;
		return;
	}
	for (int i = 0; i < PROCESSES; i++)
		if (symbols->processes[i].pid == pid)
			process_clear(&symbols->processes[i]);
}

void symbols_bytes(const struct symbols *symbols, size_t *kernel, size_t *all)
{
	*kernel = symbol_table_bytes(&symbols->kernel);
	*all = *kernel + files_bytes(symbols, NULL) + sizeof(*symbols);
	for (int i = 0; i < PROCESSES; i++)
		*all += symbols->processes[i].count * sizeof(struct map);
}
