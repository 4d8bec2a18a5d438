// SPDX-License-Identifier: Apache-2.0
#include "symbol_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RANK 0x7f
#define NOT_SIZED 0x80

static int grow(void **memory, size_t *room, size_t wanted, size_t each)
{
	size_t larger = *room ? *room : 256;
	void *moved;

	if (wanted <= *room)
		return 0;
	while (larger < wanted)
		larger += larger / 2;
	moved = realloc(*memory, larger * each);
	if (!moved)
		return -ENOMEM;
	*memory = moved;
	*room = larger;
	return 0;
}

int symbol_table_add(struct symbol_table *table, uint64_t address, uint64_t bytes, bool sized,
		     int rank, const char *name, size_t name_bytes, const char *module)
{
	size_t module_bytes = strlen(module) + 1, more = name_bytes + 1 + module_bytes;
	struct symbol_entry *entry;

	if (symbol_table_bytes(table) + sizeof(*entry) + more > SYMBOL_TABLE_MOST)
		return -ENOMEM;
	if (grow((void **)&table->list, &table->room, table->count + 1, sizeof(*table->list)) ||
	    grow((void **)&table->ranks, &table->ranks_room, table->count + 1, 1) ||
	    grow((void **)&table->text, &table->text_room, table->text_bytes + more, 1))
		return -ENOMEM;
	entry = &table->list[table->count];
	entry->address = address;
	entry->bytes = bytes > UINT32_MAX ? UINT32_MAX : bytes;
	entry->name = table->text_bytes;
	memcpy(table->text + table->text_bytes, name, name_bytes);
	table->text[table->text_bytes + name_bytes] = 0;
	memcpy(table->text + table->text_bytes + name_bytes + 1, module, module_bytes);
	table->text_bytes += more;
	table->ranks[table->count++] = (rank > RANK ? RANK : rank) | (sized ? 0 : NOT_SIZED);
	return 0;
}

struct ranked {
	struct symbol_entry entry;
	uint8_t rank;
};

static int by_address(const void *a, const void *b)
{
	const struct ranked *left = a, *right = b;

	if (left->entry.address != right->entry.address)
		return left->entry.address < right->entry.address ? -1 : 1;
	if ((left->rank & RANK) != (right->rank & RANK))
		return (left->rank & RANK) - (right->rank & RANK);
	/* The order in which they were added. */
	return left->entry.name < right->entry.name ? -1 : left->entry.name > right->entry.name;
}

static bool is_there_twice(const struct symbol_table *table, const struct symbol_entry *entry,
			   const struct symbol_entry *start)
{
	for (const struct symbol_entry *at = entry; at > start && entry - at < 8; at--)
		if (at[-1].address != entry->address)
			return false;
		else if (!strcmp(table->text + at[-1].name, table->text + entry->name))
			return true;
	return false;
}

static int sort(struct symbol_table *table)
{
	uint64_t next = UINT64_MAX; /* address after this one */
	struct ranked *ranked = calloc(table->count + 1, sizeof(*ranked));

	if (!ranked)
		return -ENOMEM;
	for (size_t i = 0; i < table->count; i++)
		ranked[i] = (struct ranked){table->list[i], table->ranks[i]};
	qsort(ranked, table->count, sizeof(*ranked), by_address);
	for (size_t i = table->count; i--;) {
		struct symbol_entry *entry = &table->list[i];

		*entry = ranked[i].entry;
		if (i + 1 < table->count && entry[1].address != entry->address)
			next = entry[1].address;
		if (ranked[i].rank & NOT_SIZED && entry->bytes > next - entry->address)
			entry->bytes = next - entry->address;
	}
	free(ranked);
	return 0;
}

int symbol_table_finish(struct symbol_table *table)
{
	size_t kept = 0;
	void *smaller;

	if (sort(table))
		return -ENOMEM;
	free(table->ranks);
	table->ranks = NULL;
	table->ranks_room = 0;
	for (size_t i = 0; i < table->count; i++) {
		table->list[kept] = table->list[i];
		kept += !is_there_twice(table, &table->list[kept], table->list);
	}
	table->count = kept;
	smaller = realloc(table->list, (table->count + 1) * sizeof(*table->list));
	if (smaller) {
		table->list = smaller;
		table->room = table->count + 1;
	}
	smaller = realloc(table->text, table->text_bytes + 1);
	if (smaller) {
		table->text = smaller;
		table->text_room = table->text_bytes + 1;
	}
	return 0;
}

/* The first of those at the same address, of which a file may have millions. */
static size_t first_of(const struct symbol_table *table, size_t at)
{
	size_t low = 0, high = at;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (table->list[middle].address < table->list[at].address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct symbol_entry *symbol_table_at(const struct symbol_table *table, uint64_t address)
{
	size_t low = 0, high = table->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (table->list[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	/* A function may lie inside another; more than a few are not nested. */
	for (int tries = 0; low && tries < 16; tries++) {
		low = first_of(table, low - 1);
		if (address - table->list[low].address < table->list[low].bytes)
			return &table->list[low];
	}
	return NULL;
}

const struct symbol_entry *symbol_table_find(const struct symbol_table *table,
					     const struct symbol_entry *previous, const char *name)
{
	size_t at = previous ? (size_t)(previous - table->list) + 1 : 0;

	for (; at < table->count; at++)
		if (!strcmp(table->text + table->list[at].name, name))
			return &table->list[at];
	return NULL;
}

const char *symbol_table_name(const struct symbol_table *table, const struct symbol_entry *entry,
			      const char **module)
{
	const char *name = table->text + entry->name;

	*module = name + strlen(name) + 1;
	return name;
}

size_t symbol_table_bytes(const struct symbol_table *table)
{
	return table->room * sizeof(*table->list) + table->text_room;
}

void symbol_table_clear(struct symbol_table *table)
{
	free(table->list);
	free(table->ranks);
	free(table->text);
	memset(table, 0, sizeof(*table));
}
