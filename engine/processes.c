// SPDX-License-Identifier: Apache-2.0
#include "processes.h"

#include "binary.h"
#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROCESSES 1024
#define FOLDERS 64 /* of these processes have a descriptor open */
#define MAPS_MOST 65536
#define TEXT_MOST (1u << 20)
#define AGAIN_NS 50000000 /* unknown addresses do not have maps read more often */

struct process {
	pid_t pid;  /* 0: the place is free */
	int folder; /* /proc/PID: of this process, whoever has its number later; -1: we were told */
	uint64_t used, read_ns;
	struct process_map *maps; /* by their addresses */
	size_t count, room;
	char *text; /* their paths */
	size_t text_bytes, text_room;
};

struct processes {
	struct process list[PROCESSES];
	int last;	/* the one that was asked last */
	uint64_t clock; /* the order of use */
};

int processes_open(struct processes **processes)
{
	*processes = calloc(1, sizeof(**processes));
	return *processes ? 0 : -ENOMEM;
}

static void process_clear(struct process *process)
{
	if (process->pid && process->folder >= 0)
		close(process->folder);
	free(process->maps);
	free(process->text);
	memset(process, 0, sizeof(*process));
}

void processes_close(struct processes *processes)
{
	if (!processes)
		return;
	for (int i = 0; i < PROCESSES; i++)
		process_clear(&processes->list[i]);
	free(processes);
}

/* Adds a map, behind the others. */
static int map_add(struct process *process, const struct process_map *map, const char *path,
		   size_t bytes)
{
	if (process->count == process->room) {
		size_t larger = process->room ? 2 * process->room : 16;
		struct process_map *maps = realloc(process->maps, larger * sizeof(*maps));

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
	struct process_map map;
	int at = 0;

	if (sscanf(line, "%llx-%llx %7s %llx %*s %llu%n", &start, &end, permissions, &offset,
		   &inode, &at) != 5 ||
	    !at || permissions[2] != 'x')
		return 0;
	path = line + at + strspn(line + at, " ");
	map = (struct process_map){.start = start, .end = end, .offset = offset, .inode = inode};
	return map_add(process, &map, path, strcspn(path, "\n"));
}

int process_read(struct process *process)
{
	size_t line_room = 0;
	struct process fresh = {0};
	char *line = NULL;
	FILE *list = NULL;
	int fd, err = 0;

	process->read_ns = clock_now_ns();
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

static struct process *process_known(struct processes *processes, pid_t pid)
{
	if (processes->list[processes->last].pid == pid)
		return &processes->list[processes->last];
	for (int i = 0; i < PROCESSES; i++)
		if (processes->list[i].pid == pid) {
			processes->last = i;
			return &processes->list[i];
		}
	return NULL;
}

/* A place for one more: that of the one unused for longest. With a `folder`, of those that have one
 * when there are enough. */
static struct process *process_place(struct processes *processes, bool folder)
{
	struct process *place = NULL, *with_folder = NULL;
	int folders = 0;

	for (int i = 0; i < PROCESSES; i++) {
		struct process *process = &processes->list[i];

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
	place->used = ++processes->clock;
	return place;
}

struct process *processes_get(struct processes *processes, pid_t pid)
{
	struct process *process = process_known(processes, pid);
	char path[32];
	int folder, err;

	snprintf(path, sizeof(path), "/proc/%d", pid);
	if (process) {
		/* Still the one that has this number, or nobody has it now. */
		if (process->folder < 0 || !faccessat(process->folder, "maps", F_OK, 0) ||
		    access(path, F_OK)) {
			process->used = ++processes->clock;
			return process;
		}
		process_clear(process);
	}
	folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0) {
		errno = ESRCH;
		return NULL;
	}
	process = process_place(processes, true);
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

static struct process_map *find_map(struct process *process, uint64_t address)
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

struct process_map *process_map_at(struct process *process, uint64_t address)
{
	struct process_map *map = find_map(process, address);

	if (!map && clock_now_ns() - process->read_ns > AGAIN_NS && !process_read(process))
		map = find_map(process, address);
	return map;
}

struct process_map *process_map(struct process *process, size_t index)
{
	return index < process->count ? &process->maps[index] : NULL;
}

const char *process_path(const struct process *process, const struct process_map *map)
{
	return process->text + map->path;
}

struct binary *process_open_file(const struct process *process, const struct process_map *map)
{
	const char *path = process_path(process, map);
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

/* The process, made when it is not known: read if it lives, else with what it is told to have. */
static struct process *process_told(struct processes *processes, pid_t pid)
{
	struct process *process = process_known(processes, pid);

	if (!process)
		process = processes_get(processes, pid);
	if (!process) {
		process = process_place(processes, false);
		process->pid = pid;
	}
	return process;
}

static int by_start(const void *a, const void *b)
{
	const struct process_map *one = a, *other = b;

	return (one->start > other->start) - (one->start < other->start);
}

void processes_mapped(struct processes *processes, pid_t pid, const struct process_mapping *mapping)
{
	struct process *process = process_told(processes, pid);
	const struct process_map map = {.start = mapping->start,
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

void processes_executed(struct processes *processes, pid_t pid)
{
	struct process *process = process_told(processes, pid);

	process->count = process->text_bytes = 0;
}

void processes_forked(struct processes *processes, pid_t pid, pid_t parent)
{
	struct process *from, *process = process_known(processes, pid);

	if (process)
		process_clear(process);
	from = process_told(processes, parent);
	process = process_place(processes, false);
	if (process == from) /* there are 1024 */
		return;
	process->pid = pid;
	for (size_t i = 0; i < from->count; i++) {
		const char *path = process_path(from, &from->maps[i]);

		if (map_add(process, &from->maps[i], path, strlen(path)))
			return;
	}
}

void processes_forget(struct processes *processes, pid_t pid)
{
	for (int i = 0; i < PROCESSES; i++)
		if (processes->list[i].pid == pid)
			process_clear(&processes->list[i]);
}

size_t processes_bytes(const struct processes *processes)
{
	size_t bytes = sizeof(*processes);

	for (int i = 0; i < PROCESSES; i++)
		bytes += processes->list[i].count * sizeof(struct process_map);
	return bytes;
}
