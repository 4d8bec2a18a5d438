/* SPDX-License-Identifier: Apache-2.0 */
/* Symbol files: the functions of programs and libraries, each file read once.
 *
 *   binary --symbol_files_of()--> symbol_table, segments: offset in the file <-> address
 *
 * Files are the same by inode, size and time. The tables take up to SYMBOL_FILES_BYTES: of more the
 * file unused for longest goes. C++ names are as the linker has them: nothing that we link with
 * demangles. No DWARF, no separate debug files. */
#ifndef MOONPROBE_SYMBOL_FILES_H
#define MOONPROBE_SYMBOL_FILES_H

#include "symbol_table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#define SYMBOL_FILES 256
#define SYMBOL_FILES_BYTES (64ul << 20) /* the one asked last not counted */

struct binary;
struct binary_segment;

struct symbol_file {
	uint64_t number; /* never given again; 0: the place is free */
	uint64_t used;
	struct stat status;
	struct symbol_table table; /* by the addresses its linker gave */
	struct binary_segment *segments;
	size_t segment_count;
};

/* All zeros: none is known. */
struct symbol_files {
	struct symbol_file list[SYMBOL_FILES];
	uint64_t clock, given; /* the order of use; numbers */
};

/* The file that had this number; NULL: it is not kept. */
struct symbol_file *symbol_files_known(struct symbol_files *files, uint64_t number);

/* The functions of this file, whose segments are taken when it is new. NULL: no memory. */
struct symbol_file *symbol_files_of(struct symbol_files *files, struct binary *binary);

/* The address the linker gave to that byte of the file, and back: that of the executable segment,
 * where two share a page. False: there is none. */
bool symbol_file_address(const struct symbol_file *file, uint64_t offset, uint64_t *address);
bool symbol_file_offset(const struct symbol_file *file, uint64_t address, uint64_t *offset);

size_t symbol_files_bytes(const struct symbol_files *files); /* of the tables */
void symbol_files_clear(struct symbol_files *files);

#endif
