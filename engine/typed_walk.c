// SPDX-License-Identifier: Apache-2.0
#include "typed_walk.h"

#include "nearest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define OFFSET_MAX (1u << 28) /* the verifier adds less than twice that to a pointer */
#define NESTED_MAX 32	      /* anonymous members to be looked into at a time, */
#define MEMBERS_MAX 20000     /* and members looked at for one part of a path */

int typed_walk_wrong(const struct typed_walk *walk, int err, const char *why)
{
	char name[TYPED_TYPE_NAME];

	typed_type_name(name, walk->source->btf, walk->type);
	return error_set(walk->error, err, "%.*s is %s%s", walk->walked, walk->typed->path, name,
			 why);
}

int typed_walk_bare(const struct typed_walk *walk, uint32_t type, struct typed_bare *bare)
{
	if (typed_bare(bare, walk->source->btf, type))
		return 0;
	return error_set(walk->error, -EINVAL, "%.*s has a damaged type", walk->walked,
			 walk->typed->path);
}

int typed_walk_settle(const struct typed_walk *walk)
{
	struct typed_access *access = &walk->typed->access;

	if (walk->bits / 8 >= OFFSET_MAX)
		return error_set(walk->error, -EINVAL, "%.*s lies too far from where it begins",
				 walk->walked, walk->typed->path);
	if (access->steps)
		access->at[access->steps - 1] = walk->bits / 8;
	return 0;
}

int typed_walk_follow(struct typed_walk *walk, const struct btf_type *pointer, uint64_t bytes)
{
	struct typed_access *access = &walk->typed->access;
	struct typed_bare target;
	int err = typed_walk_settle(walk);

	if (!err)
		err = typed_walk_bare(walk, pointer->type, &target);
	if (err)
		return err;
	if (access->steps == TYPED_DEPTH)
		return error_set(walk->error, -EINVAL, "%.*s leads through more than %d pointers",
				 walk->walked, walk->typed->path, TYPED_DEPTH);
	if (walk->source->user || target.is_user)
		access->user |= 1u << access->steps;
	access->steps++;
	walk->type = pointer->type;
	walk->bits = bytes * 8;
	return 0;
}

/* Looks a member up, also among those of anonymous members. 1: found. */
static int find_member(struct typed_walk *walk, uint32_t owner, const char *part,
		       struct nearest *nearest)
{
	struct {
		uint32_t type;
		uint64_t bits;
	} nested[NESTED_MAX] = {{owner, walk->bits}};
	int waiting = 1, looked = 0;

	while (waiting) {
		uint64_t bits = nested[--waiting].bits;
		const struct btf_type *type =
			btf__type_by_id(walk->source->btf, nested[waiting].type);

		for (int i = 0; i < btf_vlen(type) && looked++ < MEMBERS_MAX; i++) {
			const struct btf_member *member = btf_members(type) + i;
			const char *name = typed_text(walk->source->btf, member->name_off);
			uint64_t at = bits + btf_member_bit_offset(type, i);
			struct typed_bare inner;

			if (*name) {
				if (!strcmp(name, part)) {
					walk->type = member->type;
					walk->bits = at;
					walk->width = btf_member_bitfield_size(type, i);
					return 1;
				}
				nearest_offer(nearest, name);
			} else if (waiting < NESTED_MAX &&
				   typed_bare(&inner, walk->source->btf, member->type) &&
				   btf_is_composite(inner.type)) {
				nested[waiting].type = inner.id;
				nested[waiting++].bits = at;
			}
		}
	}
	return 0;
}

static int to_member(struct typed_walk *walk, const char *part)
{
	struct typed_walk before = *walk;
	struct typed_bare bare;
	struct nearest nearest;
	char name[TYPED_TYPE_NAME];
	const char *meant;
	int err = typed_walk_bare(walk, walk->type, &bare);

	while (!err && btf_is_ptr(bare.type)) {
		err = typed_walk_follow(walk, bare.type, 0);
		if (!err)
			err = typed_walk_bare(walk, walk->type, &bare);
	}
	if (err)
		return err;
	if (btf_is_fwd(bare.type))
		return typed_walk_wrong(walk, -EOPNOTSUPP,
					", whose members these types do not tell");
	if (!btf_is_composite(bare.type))
		return typed_walk_wrong(&before, -EINVAL,
					btf_is_array(bare.type) ? ", not a struct: name an element"
								: ", not a struct");
	nearest_start(&nearest, part);
	if (find_member(walk, bare.id, part, &nearest))
		return 0;
	meant = nearest_name(&nearest);
	typed_type_name(name, walk->source->btf, bare.id);
	return error_set(walk->error, -ENOENT, "%s has no member '%.80s'%s%s%s", name, part,
			 *meant ? "; did you mean '" : "", meant, *meant ? "'?" : "");
}

/* An element of an array or of what a pointer leads to, as C counts them. */
static int to_element(struct typed_walk *walk, const char *part)
{
	const char *digits = part + 1;
	size_t length = strlen(digits) - 1;
	struct typed_bare bare;
	int err = typed_walk_bare(walk, walk->type, &bare);
	unsigned long index, count;
	bool is_array;
	int64_t bytes;
	uint32_t of;

	if (err)
		return err;
	is_array = btf_is_array(bare.type);
	if (!is_array && !btf_is_ptr(bare.type))
		return typed_walk_wrong(walk, -EINVAL, ", which has no elements");
	of = is_array ? btf_array(bare.type)->type : bare.type->type;
	bytes = btf__resolve_size(walk->source->btf, of);
	if (bytes <= 0)
		return typed_walk_wrong(walk, -EINVAL, ", which has no elements");
	if (strspn(digits, "0123456789") != length)
		return error_set(walk->error, -EINVAL, "%.*s%.20s: elements have numbers from 0",
				 walk->walked, walk->typed->path, part);
	/* A number too large for a long is its largest. */
	index = strtoul(digits, NULL, 10);
	count = is_array ? btf_array(bare.type)->nelems : 0;
	if (count && index >= count)
		return error_set(walk->error, -ENOENT,
				 "%.*s has %lu element%s, [0] to [%lu], and no %.20s", walk->walked,
				 walk->typed->path, count, count == 1 ? "" : "s", count - 1, part);
	if (index > TYPED_INDEX_MAX)
		return error_set(walk->error, -ENOENT, "%.*s%.20s: elements up to [%u] can be read",
				 walk->walked, walk->typed->path, part, TYPED_INDEX_MAX);
	if (!is_array)
		return typed_walk_follow(walk, bare.type, index * bytes);
	walk->bits += index * bytes * 8;
	walk->type = of;
	return 0;
}

int typed_walk_part(struct typed_walk *walk, const char *part)
{
	if (walk->width)
		return typed_walk_wrong(walk, -EINVAL, ", not a struct");
	return *part == '[' ? to_element(walk, part) : to_member(walk, part);
}
