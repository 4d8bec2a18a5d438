/* SPDX-License-Identifier: Apache-2.0 */
/* Asset: a file by the name it has in the tree, wherever it really is.
 *
 *   "stdlib/json.lua"  ->  DIR/stdlib/json.lua for DIR in the search path, else embedded
 *
 * The executable embeds the BPF objects (probes/NAME.bpf.o), the stdlib, the tools and
 * bpf/include/record.h, so it can be copied alone; a directory given with -I or in
 * MOONPROBE_PATH overrides single files, so they can be edited live. */
#ifndef MOONPROBE_ASSET_H
#define MOONPROBE_ASSET_H

#include "error.h"

#include <stdbool.h>
#include <stddef.h>

#define SEARCH_DIRS 16

/* Where overriding files are looked for, first match wins. */
struct search_path {
	char *dirs[SEARCH_DIRS];
	int count;
};

/* Adds `dirs`, separated by colons; NULL and empty parts add nothing. 0, -ENOMEM or -E2BIG. */
int search_path_add(struct search_path *path, const char *dirs);
void search_path_clear(struct search_path *path);

/* Opens DIR/NAME of the first directory that has it: a descriptor, or -ENOENT. The path that
 * was opened is written to `found`. Names that leave the directory are -EINVAL. */
int search_path_open(const struct search_path *path, const char *name, char *found, size_t size);

struct asset {
	const char *name;
	const unsigned char *bytes;
	size_t size;
};

extern const struct asset assets[]; /* the embedded ones; ends with a NULL name */

const struct asset *asset_embedded(const char *name); /* NULL: none */

/* The bytes of an asset, from the search path or embedded. */
struct asset_bytes {
	const unsigned char *bytes;
	size_t size;
	bool mapped; /* from a file: asset_unload() unmaps it */
};

/* 0 or -errno (-ENOENT: nowhere). */
int asset_load(const struct search_path *path, const char *name, struct asset_bytes *out);
void asset_unload(struct asset_bytes *asset);

/* Calls visit(name, context) once per distinct asset in `folder` (not below it) whose name ends
 * with `suffix`, embedded or on the search path, sorted; `name` without both. Stops at the
 * first non-zero answer and returns it. */
int asset_each(const struct search_path *path, const char *folder, const char *suffix,
	       int (*visit)(const char *name, void *context), void *context);

/* The name in `folder` that is nearest to a misspelt one: copied to `nearest`, or "". */
void asset_nearest(const struct search_path *path, const char *folder, const char *suffix,
		   const char *misspelt, char *nearest, size_t size);

#endif
