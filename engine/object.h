/* SPDX-License-Identifier: Apache-2.0 */
/* Object: a BPF object of the user's own, as libbpf opens, loads and attaches it.
 *
 *   object_open() -> loaded, maps made and filled -> object_attach() <-> object_detach()
 *
 * Its programs are loaded as they are: nothing of ours is put in. Whoever may choose the file
 * may run any program in the kernel, so a script needs a grant for it. */
#ifndef MOONPROBE_OBJECT_H
#define MOONPROBE_OBJECT_H

#include "error.h"

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#define OBJECT_MAPS 60 /* their descriptors fit into one message */
#define OBJECT_NAME 128

struct bpf_map;

/* One option: what to do with a program, a constant or a map. */
struct object_option {
	enum object_option_kind {
		OBJECT_ATTACH,	 /* this program, and no other that is not named */
		OBJECT_DETACHED, /* attach none */
		OBJECT_RODATA,	 /* a constant is these bytes */
		OBJECT_ENTRIES,	 /* a map's max_entries is this number */
	} kind;
	char name[OBJECT_NAME];
	double number;
	unsigned char *bytes;
	size_t size;
};

/* An entry that a map has before anything is attached. */
struct object_entry {
	char map[OBJECT_NAME];
	unsigned char *bytes; /* the key, then the value */
	size_t key_bytes, value_bytes;
	__u64 flags;
};

/* What a script asks for. */
struct object_wish {
	char name[256]; /* as the script says it */
	unsigned char *bytes;
	size_t size;
	struct object_option *options;
	int option_count;
	struct object_entry *entries;
	int entry_count;
};

struct object;

/* The same bytes with the same options: programs, links and maps can stay. */
bool object_wish_equal(const struct object_wish *a, const struct object_wish *b);
void object_wish_clear(struct object_wish *wish);

/* Loads it; the wish is copied, without its entries. 0 or -errno with the reason. */
int object_open(struct object **object, const struct object_wish *wish, struct error *error);
bool object_serves(const struct object *object, const struct object_wish *wish);

int object_attach(struct object *object, struct error *error); /* no-op when attached */
void object_detach(struct object *object);		       /* can be attached again */

/* The map at `index`, NULL after the last. */
struct bpf_map *object_map(const struct object *object, int index);

void object_close(struct object *object); /* NULL is fine */

#endif
