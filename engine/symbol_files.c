// SPDX-License-Identifier: Apache-2.0
#include "symbol_files.h"

#include "binary.h"

#include <stdlib.h>
#include <string.h>

static void clear(struct symbol_file *file)
{
	symbol_table_clear(&file->table);
	free(file->segments);
	memset(file, 0, sizeof(*file));
}

void symbol_files_clear(struct symbol_files *files)
{
	for (int i = 0; i < SYMBOL_FILES; i++)
		clear(&files->list[i]);
}

static size_t bytes_but_of(const struct symbol_files *files, const struct symbol_file *but)
{
	size_t bytes = 0;

	for (int i = 0; i < SYMBOL_FILES; i++)
		if (files->list[i].number && &files->list[i] != but)
			bytes += symbol_table_bytes(&files->list[i].table);
	return bytes;
}

size_t symbol_files_bytes(const struct symbol_files *files)
{
	return bytes_but_of(files, NULL);
}

static struct symbol_file *oldest(struct symbol_files *files, const struct symbol_file *but)
{
	struct symbol_file *oldest = NULL;

	for (int i = 0; i < SYMBOL_FILES; i++) {
		struct symbol_file *file = &files->list[i];

		if (file != but && file->number && (!oldest || file->used < oldest->used))
			oldest = file;
	}
	return oldest;
}

/* A place for one more, with a number that says where it is. */
static struct symbol_file *place(struct symbol_files *files)
{
	struct symbol_file *file = NULL;

	for (int i = 0; i < SYMBOL_FILES && !file; i++)
		if (!files->list[i].number)
			file = &files->list[i];
	if (!file) {
		file = oldest(files, NULL);
		clear(file);
	}
	file->number = ++files->given * SYMBOL_FILES + (file - files->list);
	return file;
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static int take_symbol(void *data, const struct binary_symbol *symbol)
{
	struct symbol_file *file = data;

	/* What does not fit has no name, nor what comes after it. */
	return symbol_table_add(&file->table, symbol->address, symbol->bytes, symbol->sized,
				symbol->rank, symbol->name, symbol->plain, "");
}

static int fill(struct symbol_file *file, struct binary *binary)
{
	file->status = binary->status;
	binary_each_symbol(binary, take_symbol, file);
	file->segments = binary->segments;
	file->segment_count = binary->segment_count;
	binary->segments = NULL;
	return symbol_table_finish(&file->table);
}

struct symbol_file *symbol_files_known(struct symbol_files *files, uint64_t number)
{
	struct symbol_file *file = &files->list[number % SYMBOL_FILES];

	if (!number || file->number != number)
		return NULL;
	file->used = ++files->clock;
	return file;
}

struct symbol_file *symbol_files_of(struct symbol_files *files, struct binary *binary)
{
	struct symbol_file *file = NULL;

	for (int i = 0; i < SYMBOL_FILES; i++)
		if (files->list[i].number && is_same_file(&files->list[i].status, &binary->status))
			file = &files->list[i];
	if (!file) {
		file = place(files);
		if (fill(file, binary)) {
			clear(file);
			return NULL;
		}
	}
	file->used = ++files->clock;
	while (bytes_but_of(files, file) > SYMBOL_FILES_BYTES)
		clear(oldest(files, file));
	return file;
}

bool symbol_file_address(const struct symbol_file *file, uint64_t offset, uint64_t *address)
{
	struct binary fake = {.segments = file->segments, .segment_count = file->segment_count};

	return !binary_address_of(&fake, offset, address);
}

bool symbol_file_offset(const struct symbol_file *file, uint64_t address, uint64_t *offset)
{
	struct binary fake = {.segments = file->segments, .segment_count = file->segment_count};

	return !binary_offset_of(&fake, address, offset);
}
