/* SPDX-License-Identifier: Apache-2.0 */
/* Binary functions: where in a binary is what a user names.
 *
 *   NAME   NAME+0x10   0x401136   --binary_offset()--> offset in the file
 *   lib_*_init                    --binary_match()---> functions
 */
#ifndef MOONPROBE_BINARY_FUNCTIONS_H
#define MOONPROBE_BINARY_FUNCTIONS_H

#include "error.h"

#include <stddef.h>
#include <stdint.h>

struct binary;

/* The file offset of "NAME", "NAME+0x10" or an address "0x401136". A name is meant without its
 * version, and with several versions the one that new programs get. -ENOENT, naming the nearest;
 * -ENOTUNIQ when several functions have the name; -EOPNOTSUPP for one chosen at load time;
 * -ERANGE when that much is not in the function or not in the code. It is not checked that an
 * instruction begins there. */
int binary_offset(const struct binary *binary, const char *place, uint64_t *offset,
		  struct error *error);

struct binary_function {
	const char *name; /* without version */
	uint64_t offset, address, bytes;
};

struct binary_functions {
	struct binary_function *list; /* by offset; each once, by its most public name */
	size_t count;
	char *text; /* holds the names */
};

/* All functions that match a wildcard as of file names; a plain name means all of that name.
 * Without those chosen at load time, and without NAME.cold and NAME.part.0 unless there is a
 * dot in the pattern. -ENOENT when there is none. */
int binary_match(const struct binary *binary, const char *pattern,
		 struct binary_functions *functions, struct error *error);
void binary_functions_free(struct binary_functions *functions);

#endif
