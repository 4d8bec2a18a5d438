// SPDX-License-Identifier: Apache-2.0
#include "symbols.h"

#include "binary.h"
#include "processes.h"
#include "symbol_files.h"
#include "symbol_table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FUNCTION_MOST (1u << 20) /* bytes of one in the kernel; farther is something else */

struct symbols {
	struct symbol_table kernel;
	bool kernel_read;
	struct processes *processes;
	struct symbol_files files;
};

int symbols_open(struct symbols **symbols, struct processes *processes)
{
	*symbols = calloc(1, sizeof(**symbols));
	if (!*symbols)
		return -ENOMEM;
	(*symbols)->processes = processes;
	return 0;
}

void symbols_close(struct symbols *symbols)
{
	if (!symbols)
		return;
	symbol_table_clear(&symbols->kernel);
	symbol_files_clear(&symbols->files);
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

/* The functions of the file that is mapped there, or NULL. */
static struct symbol_file *map_file(struct symbols *symbols, const struct process *process,
				    struct process_map *map)
{
	struct symbol_file *file = symbol_files_known(&symbols->files, map->file);
	struct binary *binary;

	if (file || map->unreadable)
		return file;
	binary = process_open_file(process, map);
	map->unreadable = !binary;
	if (!binary)
		return NULL;
	file = symbol_files_of(&symbols->files, binary);
	binary_close(binary);
	if (file)
		map->file = file->number;
	return file;
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
	struct symbol_file *file;
	struct process_map *map;
	uint64_t linked;
	const char *module;

	*symbol = (struct symbol){.name = "", .file = ""};
	if (pid == SYMBOLS_KERNEL)
		return resolve_kernel(symbols, address, symbol);
	process = processes_get(symbols->processes, pid);
	if (!process)
		return -errno;
	map = process_map_at(process, address);
	if (!map)
		return -ENOENT;
	symbol->file = process_path(process, map);
	symbol->offset = address - map->start + map->offset;
	if (!map->inode)
		return 0;
	file = map_file(symbols, process, map);
	if (!file || !symbol_file_address(file, symbol->offset, &linked))
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

static void find_in(struct symbols *symbols, const struct process *process, struct process_map *map,
		    const char *name, struct found *found)
{
	struct symbol_file *file = map_file(symbols, process, map);
	const struct symbol_entry *entry = NULL;

	while (file && (entry = symbol_table_find(&file->table, entry, name))) {
		uint64_t offset;

		if (symbol_file_offset(file, entry->address, &offset) && offset >= map->offset &&
		    offset - map->offset < map->end - map->start)
			found_add(found, map->start + (offset - map->offset));
	}
}

int symbols_find(struct symbols *symbols, pid_t pid, const char *name, uint64_t *addresses,
		 size_t room)
{
	struct found found = {addresses, room, 0, 0};
	const struct symbol_entry *entry = NULL;
	struct process_map *map;
	struct process *process;
	int err = 0;

	if (pid != SYMBOLS_KERNEL) {
		process = processes_get(symbols->processes, pid);
		if (!process)
			return -errno;
		process_read(process); /* it may have loaded a library; or it is gone */
		for (size_t i = 0; (map = process_map(process, i)); i++)
			find_in(symbols, process, map, name, &found);
	} else {
		err = symbols->kernel_read ? 0 : kernel_load(symbols);
		while (!err && (entry = symbol_table_find(&symbols->kernel, entry, name)))
			found_add(&found, entry->address);
	}
	if (err)
		return err;
	return found.count ? (int)found.count : -ENOENT;
}

void symbols_forget_kernel(struct symbols *symbols)
{
	symbol_table_clear(&symbols->kernel);
	symbols->kernel_read = false;
}

void symbols_bytes(const struct symbols *symbols, size_t *kernel, size_t *all)
{
	*kernel = symbol_table_bytes(&symbols->kernel);
	*all = *kernel + symbol_files_bytes(&symbols->files) + sizeof(*symbols) +
	       processes_bytes(symbols->processes);
}
