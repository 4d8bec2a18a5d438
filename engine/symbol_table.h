/* SPDX-License-Identifier: Apache-2.0 */
/* Symbol table: functions of the kernel or of a file, packed: 16 bytes each and the names. */
#ifndef MOONPROBE_SYMBOL_TABLE_H
#define MOONPROBE_SYMBOL_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SYMBOL_TABLE_MOST (128u << 20) /* bytes; what is more is left out */

struct symbol_entry {
	uint64_t address;
	uint32_t bytes;
	uint32_t name; /* where in `text`; another string, its module, comes after it */
};

struct symbol_table {
	struct symbol_entry *list;
	size_t count, room;
	char *text;
	size_t text_bytes, text_room;
	uint8_t *ranks; /* only while it is filled */
	size_t ranks_room;
};

/* Adds one; of several at an address the one with the least rank (0 to 127) is shown. One that is
 * not `sized` goes up to the next, or for `bytes`. 0 or -ENOMEM, also when the table is full. */
int symbol_table_add(struct symbol_table *table, uint64_t address, uint64_t bytes, bool sized,
		     int rank, const char *name, size_t name_bytes, const char *module);

/* Sorts, drops what is there twice, gives back memory. Then it can be asked. */
int symbol_table_finish(struct symbol_table *table);

/* The function at the address, or NULL. */
const struct symbol_entry *symbol_table_at(const struct symbol_table *table, uint64_t address);

/* The next of that name after `previous`, or NULL; NULL starts. */
const struct symbol_entry *symbol_table_find(const struct symbol_table *table,
					     const struct symbol_entry *previous, const char *name);

const char *symbol_table_name(const struct symbol_table *table, const struct symbol_entry *entry,
			      const char **module);
size_t symbol_table_bytes(const struct symbol_table *table);
void symbol_table_clear(struct symbol_table *table);

#endif
