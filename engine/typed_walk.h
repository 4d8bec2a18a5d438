/* SPDX-License-Identifier: Apache-2.0 */
/* Typed walk: along a path, part by part, and then what lies at its end.
 *
 *   typed.c: a root, then typed_walk_part()..., typed_walk_describe(), typed_walk_settle()
 *
 * All return 0 or -errno with the reason. */
#ifndef MOONPROBE_TYPED_WALK_H
#define MOONPROBE_TYPED_WALK_H

#include "typed.h"
#include "typed_types.h"

/* Where a path has led to so far. */
struct typed_walk {
	const struct typed_source *source;
	struct typed *typed;
	uint32_t type;
	uint64_t bits;	/* what is to be read lies so far from where the last pointer leads */
	uint32_t width; /* of a bitfield, in bits; 0: it is none */
	int walked;	/* bytes of the path */
	struct error *error;
};

/* On by one part of the path: a member's name, or an element's number with its brackets. */
int typed_walk_part(struct typed_walk *walk, const char *part);

/* On to what the pointer leads to, `bytes` behind its start. */
int typed_walk_follow(struct typed_walk *walk, const struct btf_type *pointer, uint64_t bytes);

/* Puts down in the access where what is read next lies. */
int typed_walk_settle(const struct typed_walk *walk);

/* What the path ends at: result, field, and the last step of the access (typed_value.c). */
int typed_walk_describe(struct typed_walk *walk);

/* A number of 1, 2, 4 or 8 bytes, of which nothing else is known. */
int typed_walk_number(struct typed_walk *walk, enum schema_kind kind, uint32_t bytes);

/* typed_bare(), with an error. */
int typed_walk_bare(const struct typed_walk *walk, uint32_t type, struct typed_bare *bare);

/* Returns err with "PATH is TYPE" and why that is wrong, for as much of the path as was walked. */
int typed_walk_wrong(const struct typed_walk *walk, int err, const char *why);

#endif
