// SPDX-License-Identifier: Apache-2.0
#include "typed.h"

#include "nearest.h"
#include "typed_types.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OFFSET_MAX (1u << 28) /* the verifier adds less than twice that to a pointer */
#define NESTED_MAX 32	      /* anonymous members to be looked into at a time, */
#define MEMBERS_MAX 20000     /* and members looked at for one part of a path */
#define LIST_BYTES 300
#define IPV6_BYTES 16

/* Where a path has led to so far. */
struct walk {
	const struct typed_source *source;
	struct typed *typed;
	uint32_t type;
	uint64_t bits;	/* what is to be read lies so far from where the last pointer leads */
	uint32_t width; /* of a bitfield, in bits; 0: it is none */
	int walked;	/* bytes of the path */
	struct error *error;
};

static const struct btf *btf_of(const struct walk *walk)
{
	return walk->source->btf;
}

/* "PATH is TYPE, WHY", for as much of the path as has been walked. */
static int wrong(const struct walk *walk, int err, const char *why)
{
	char name[TYPED_TYPE_NAME];

	typed_type_name(name, btf_of(walk), walk->type);
	return error_set(walk->error, err, "%.*s is %s%s", walk->walked, walk->typed->path, name,
			 why);
}

static int bare_of(const struct walk *walk, uint32_t type, struct typed_bare *bare)
{
	if (typed_bare(bare, btf_of(walk), type))
		return 0;
	return error_set(walk->error, -EINVAL, "%.*s has a damaged type", walk->walked,
			 walk->typed->path);
}

/* Puts down where what is read next lies. */
static int settle(const struct walk *walk)
{
	struct typed_access *access = &walk->typed->access;

	if (walk->bits / 8 >= OFFSET_MAX)
		return error_set(walk->error, -EINVAL, "%.*s lies too far from where it begins",
				 walk->walked, walk->typed->path);
	if (access->steps)
		access->at[access->steps - 1] = walk->bits / 8;
	return 0;
}

/* On to what the pointer leads to, `bytes` behind its start. */
static int follow(struct walk *walk, const struct btf_type *pointer, uint64_t bytes)
{
	struct typed_access *access = &walk->typed->access;
	struct typed_bare target;
	int err = settle(walk);

	if (!err)
		err = bare_of(walk, pointer->type, &target);
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
static int find_member(struct walk *walk, uint32_t owner, const char *part, struct nearest *nearest)
{
	struct {
		uint32_t type;
		uint64_t bits;
	} nested[NESTED_MAX] = {{owner, walk->bits}};
	int waiting = 1, looked = 0;

	while (waiting) {
		uint64_t bits = nested[--waiting].bits;
		const struct btf_type *type = btf__type_by_id(btf_of(walk), nested[waiting].type);

		for (int i = 0; i < btf_vlen(type) && looked++ < MEMBERS_MAX; i++) {
			const struct btf_member *member = btf_members(type) + i;
			const char *name = typed_text(btf_of(walk), member->name_off);
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
				   typed_bare(&inner, btf_of(walk), member->type) &&
				   btf_is_composite(inner.type)) {
				nested[waiting].type = inner.id;
				nested[waiting++].bits = at;
			}
		}
	}
	return 0;
}

static int to_member(struct walk *walk, const char *part)
{
	struct walk before = *walk;
	struct typed_bare bare;
	struct nearest nearest;
	char name[TYPED_TYPE_NAME];
	const char *meant;
	int err = bare_of(walk, walk->type, &bare);

	while (!err && btf_is_ptr(bare.type)) {
		err = follow(walk, bare.type, 0);
		if (!err)
			err = bare_of(walk, walk->type, &bare);
	}
	if (err)
		return err;
	if (btf_is_fwd(bare.type))
		return wrong(walk, -EOPNOTSUPP, ", whose members these types do not tell");
	if (!btf_is_composite(bare.type))
		return wrong(&before, -EINVAL, ", not a struct");
	nearest_start(&nearest, part);
	if (find_member(walk, bare.id, part, &nearest))
		return 0;
	meant = nearest_name(&nearest);
	typed_type_name(name, btf_of(walk), bare.id);
	return error_set(walk->error, -ENOENT, "%s has no member '%.80s'%s%s%s", name, part,
			 *meant ? "; did you mean '" : "", meant, *meant ? "'?" : "");
}

/* An element, from 1, of an array or of what a pointer leads to. */
static int to_element(struct walk *walk, const struct typed_bare *bare, const char *part)
{
	bool is_array = btf_is_array(bare->type);
	uint32_t of = is_array ? btf_array(bare->type)->type : bare->type->type;
	uint32_t count = is_array ? btf_array(bare->type)->nelems : 0;
	int64_t bytes = btf__resolve_size(btf_of(walk), of);
	unsigned long index = strtoul(part, NULL, 10);

	if (bytes <= 0)
		return wrong(walk, -EINVAL, ", which has no elements");
	if (!count || count > TYPED_INDEX_MAX)
		count = TYPED_INDEX_MAX;
	if (!index || index > count)
		return error_set(walk->error, -ENOENT, "%.*s has elements 1 to %u, not %.20s",
				 walk->walked, walk->typed->path, count, part);
	if (!is_array)
		return follow(walk, bare->type, (index - 1) * bytes);
	walk->bits += (index - 1) * bytes * 8;
	walk->type = of;
	return 0;
}

static int take_part(struct walk *walk, const char *part)
{
	struct typed_bare bare;
	int err = bare_of(walk, walk->type, &bare);

	if (err)
		return err;
	if (walk->width)
		return wrong(walk, -EINVAL, ", not a struct");
	if (part[strspn(part, "0123456789")] == 0 &&
	    (btf_is_array(bare.type) || btf_is_ptr(bare.type)))
		return to_element(walk, &bare, part);
	return to_member(walk, part);
}

static int set_number(struct walk *walk, enum schema_kind kind, uint32_t bytes)
{
	struct typed_access *access = &walk->typed->access;
	struct schema_field *field = &walk->typed->field;

	if (bytes != 1 && bytes != 2 && bytes != 4 && bytes != 8)
		return wrong(walk, -EOPNOTSUPP, ", which is no number of 8 to 64 bits");
	access->read = TYPED_NUMBER;
	access->bytes = access->align = field->bytes = field->element_bytes = bytes;
	access->is_signed = kind == SCHEMA_SIGNED;
	field->kind = kind;
	return 0;
}

/* The smallest aligned unit that has all bits of a bitfield, else as many bytes as it takes. */
static int set_bits(struct walk *walk, uint32_t width)
{
	struct typed_access *access = &walk->typed->access;
	uint64_t from = walk->bits / 8, bytes;

	for (bytes = 1; bytes <= 8; bytes *= 2)
		if (walk->bits % (bytes * 8) + width <= bytes * 8)
			break;
	if (bytes > 8)
		bytes = (walk->bits % 8 + width + 7) / 8;
	else
		from = from / bytes * bytes;
	if (!access->steps || access->is_big_endian || width > access->bytes * 8 || bytes > 8)
		return wrong(walk, -EOPNOTSUPP, " in bits that cannot be read");
	access->read = TYPED_BITS;
	access->shift = walk->bits - from * 8;
	access->width = width;
	access->unit_bytes = bytes;
	walk->bits = from * 8;
	return 0;
}

static int describe_int(struct walk *walk, const struct typed_bare *bare)
{
	const struct btf_type *type = bare->type;
	enum schema_kind kind = btf_int_encoding(type) & BTF_INT_BOOL	  ? SCHEMA_BOOL
				: btf_int_encoding(type) & BTF_INT_SIGNED ? SCHEMA_SIGNED
									  : SCHEMA_UNSIGNED;
	int err = set_number(walk, kind, type->size);

	walk->typed->access.is_big_endian = bare->is_big_endian;
	/* Before kind_flag (v4.20) a bitfield was an integer of few bits. */
	if (!err && walk->typed->access.steps && !walk->width && btf_int_bits(type) &&
	    btf_int_bits(type) != type->size * 8) {
		walk->bits += btf_int_offset(type);
		walk->width = btf_int_bits(type);
	}
	return !err && walk->width ? set_bits(walk, walk->width) : err;
}

/* Old BTF does not say that an enum is signed; its small negative values do. */
static bool is_signed_enum(const struct btf_type *type)
{
	if (btf_kflag(type) || btf_is_enum64(type))
		return btf_kflag(type);
	for (int i = 0; i < btf_vlen(type); i++)
		if (btf_enum(type)[i].val < 0 && btf_enum(type)[i].val > -4096)
			return true;
	return false;
}

static int describe_enum(struct walk *walk, const struct typed_bare *bare)
{
	const struct btf_type *type = bare->type;
	struct typed *typed = walk->typed;
	bool is_signed = is_signed_enum(type);
	int err = set_number(walk, is_signed ? SCHEMA_SIGNED : SCHEMA_UNSIGNED, type->size);

	if (err)
		return err;
	if (!*typed->field.type)
		typed->field.type = typed_text(btf_of(walk), type->name_off);
	typed->values = calloc(btf_vlen(type) + 1, sizeof(*typed->values));
	if (!typed->values)
		return error_set(walk->error, -ENOMEM, "%s: no memory", typed->path);
	for (int i = 0; i < btf_vlen(type); i++) {
		struct schema_value *value = &typed->values[i];

		if (btf_is_enum64(type)) {
			const struct btf_enum64 *one = btf_enum64(type) + i;

			value->name = typed_text(btf_of(walk), one->name_off);
			value->value = (int64_t)btf_enum64_value(one);
		} else {
			const struct btf_enum *one = btf_enum(type) + i;

			value->name = typed_text(btf_of(walk), one->name_off);
			value->value = is_signed ? one->val : (int64_t)(uint32_t)one->val;
		}
	}
	typed->field.values = typed->values;
	typed->field.value_count = btf_vlen(type);
	return walk->width ? set_bits(walk, walk->width) : 0;
}

static void set_bytes(struct walk *walk, enum typed_read read, enum schema_kind kind,
		      uint32_t bytes)
{
	struct typed_access *access = &walk->typed->access;
	struct schema_field *field = &walk->typed->field;

	access->read = read;
	access->bytes = field->bytes = bytes;
	access->align = 1;
	field->kind = kind;
	field->element_bytes = read == TYPED_BYTES ? bytes : 1;
}

static bool is_char(const struct walk *walk, const struct btf_type *type)
{
	return btf_is_int(type) && type->size == 1 &&
	       !strcmp(typed_text(btf_of(walk), type->name_off), "char");
}

/* `unsigned char *` is text in the kernel, too (a dentry's name); `u8 *` is bytes. */
static bool is_string(const struct walk *walk, uint32_t id, const struct btf_type *type)
{
	if (is_char(walk, type))
		return true;
	for (int i = 0; i < 8; i++) {
		const struct btf_type *outer = btf__type_by_id(btf_of(walk), id);

		if (!outer || !btf_is_mod(outer))
			break;
		id = outer->type;
	}
	return btf__type_by_id(btf_of(walk), id) == type && btf_is_int(type) && type->size == 1 &&
	       !strcmp(typed_text(btf_of(walk), type->name_off), "unsigned char");
}

static int describe_array(struct walk *walk, const struct typed_bare *bare)
{
	struct schema_field *field = &walk->typed->field;
	uint32_t count = btf_array(bare->type)->nelems;
	struct typed_bare element;
	int err = bare_of(walk, btf_array(bare->type)->type, &element);

	if (err)
		return err;
	if (is_char(walk, element.type)) {
		if (!count) /* char[]: of a length nobody says */
			count = TYPED_STRING_BYTES;
		if (count > TYPED_TEXT_BYTES)
			count = TYPED_TEXT_BYTES;
		set_bytes(walk, TYPED_TEXT, SCHEMA_TEXT, count);
		field->type = "";
		return 0;
	}
	if (!count || !btf_is_int(element.type) || element.is_big_endian) {
		walk->typed->result = TYPED_ARRAY;
		return 0;
	}
	err = describe_int(walk, &element);
	if (err)
		return err;
	if (count > TYPED_TEXT_BYTES / element.type->size)
		count = TYPED_TEXT_BYTES / element.type->size;
	if (!*field->type)
		field->type = element.name;
	walk->typed->access.read = TYPED_BYTES;
	walk->typed->access.is_signed = false;
	walk->typed->access.bytes = field->bytes = count * element.type->size;
	field->elements = count;
	return 0;
}

static bool is_ipv6(const struct walk *walk, const struct btf_type *type)
{
	return btf_is_struct(type) && type->size == IPV6_BYTES &&
	       !strcmp(typed_text(btf_of(walk), type->name_off), "in6_addr");
}

static void describe_ipv6(struct walk *walk)
{
	set_bytes(walk, TYPED_BYTES, SCHEMA_STRUCT, IPV6_BYTES);
	walk->typed->field.type = "ip_address";
}

static int describe_pointer(struct walk *walk, const struct typed_bare *bare)
{
	struct typed_bare target;
	int err = bare_of(walk, bare->type->type, &target);

	walk->typed->field.type = "";
	if (!err && is_string(walk, bare->type->type, target.type)) {
		err = follow(walk, bare->type, 0);
		set_bytes(walk, TYPED_STRING, SCHEMA_TEXT, TYPED_STRING_BYTES);
		return err;
	}
	if (!err && is_ipv6(walk, target.type)) {
		err = follow(walk, bare->type, 0);
		describe_ipv6(walk);
		return err;
	}
	if (!err && btf_is_composite(target.type))
		walk->typed->result = TYPED_STRUCT;
	return err ? err : set_number(walk, SCHEMA_UNSIGNED, sizeof(uint64_t));
}

/* What the path ends at. */
static int describe(struct walk *walk)
{
	struct schema_field *field = &walk->typed->field;
	struct typed_bare bare;
	int err = bare_of(walk, walk->type, &bare);

	if (err)
		return err;
	field->type = bare.name;
	switch (btf_kind(bare.type)) {
	case BTF_KIND_INT:
		return describe_int(walk, &bare);
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
		return describe_enum(walk, &bare);
	case BTF_KIND_PTR:
		return describe_pointer(walk, &bare);
	case BTF_KIND_ARRAY:
		return describe_array(walk, &bare);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		if (is_ipv6(walk, bare.type))
			describe_ipv6(walk);
		else
			walk->typed->result = TYPED_STRUCT;
		if (!*field->type)
			field->type = typed_text(btf_of(walk), bare.type->name_off);
		return 0;
	}
	return wrong(walk, -EOPNOTSUPP, ", which cannot be read");
}

/* The parts of the path from `rest` on. */
static int walk_parts(struct walk *walk, char *rest)
{
	char *path = walk->typed->path;
	int err = 0;

	while (rest && *rest && !err) {
		char part[TYPED_PATH];
		size_t length = strcspn(rest, ".");

		memcpy(part, rest, length);
		part[length] = 0;
		err = take_part(walk, part);
		rest += length;
		walk->walked = rest - path;
		rest += *rest == '.';
	}
	return err;
}

/* The 64 bits of a root without a type: nothing is known but how many they are. */
static int resolve_untyped(struct walk *walk, const char *rest)
{
	int err = settle(walk);

	if (*rest)
		return error_set(walk->error, -EINVAL,
				 "%.*s is a number of no known type, not a struct", walk->walked,
				 walk->typed->path);
	return err ? err : set_number(walk, SCHEMA_UNSIGNED, sizeof(uint64_t));
}

/* Text of a length that the record says. */
static int resolve_dynamic(struct walk *walk, const struct typed_root *root, const char *rest)
{
	int err = settle(walk);

	if (*rest)
		return error_set(walk->error, -EINVAL, "%.*s is text, not a struct", walk->walked,
				 walk->typed->path);
	walk->typed->access.is_behind = root->is_behind;
	set_bytes(walk, TYPED_DYNAMIC, SCHEMA_TEXT, TYPED_STRING_BYTES);
	return err;
}

/* What is known of a root's numbers beside their type. */
static int name_numbers(struct walk *walk, const struct typed_root *root)
{
	struct typed *typed = walk->typed;
	struct schema_field *field = &typed->field;
	size_t bytes = root->value_count * sizeof(*root->values);

	if (typed->result != TYPED_VALUE || typed->access.read != TYPED_NUMBER ||
	    typed->access.steps > 1)
		return 0;
	if (root->called)
		field->type = root->called;
	if (!root->value_count || field->value_count)
		return 0;
	typed->values = malloc(bytes);
	if (!typed->values)
		return error_set(walk->error, -ENOMEM, "%s: no memory", typed->path);
	memcpy(typed->values, root->values, bytes);
	field->values = typed->values;
	field->value_count = root->value_count;
	return 0;
}

static int resolve_from(struct typed *typed, const struct typed_source *source,
			const struct typed_root *root, struct error *error)
{
	size_t length = strlen(root->name);
	char *rest = typed->path + length;
	struct walk walk = {.source = source,
			    .typed = typed,
			    .type = root->type,
			    .walked = (int)length,
			    .error = error};
	int err;

	rest += length && *rest == '.';
	if (root->refused)
		return error_set(error, -EOPNOTSUPP, "%s of %s %s", root->name, source->name,
				 root->refused);
	if (root->slot < 0 || root->slot >= TYPED_SLOTS)
		return error_set(error, -EINVAL, "%s of %s is in no slot", root->name,
				 source->name);
	typed->access.slot = root->slot;
	typed->access.steps = root->in_memory;
	typed->access.is_context = root->in_memory && root->is_context;
	walk.bits = root->in_memory ? root->offset * 8ull : 0;
	if (root->is_dynamic)
		return resolve_dynamic(&walk, root, rest);
	if (!root->type)
		return resolve_untyped(&walk, rest);
	err = walk_parts(&walk, rest);
	if (!err)
		err = describe(&walk);
	if (!err && !*rest)
		err = name_numbers(&walk, root);
	return err ? err : settle(&walk);
}

/* Does `text` begin with the whole parts `start`? */
static bool begins(const char *text, const char *start)
{
	size_t length = strlen(start);

	return !length || (!strncmp(text, start, length) && (!text[length] || text[length] == '.'));
}

static const struct typed_root *root_of(const struct typed_source *source, const char *path)
{
	const struct typed_root *best = NULL;

	for (int i = 0; i < source->root_count; i++)
		if (begins(path, source->roots[i].name) &&
		    (!best || strlen(best->name) < strlen(source->roots[i].name)))
			best = &source->roots[i];
	return best;
}

/* "args has no 'skk'; tcp_connect has sk". */
static int no_root(const struct typed_source *source, const char *path, struct error *error)
{
	char parent[TYPED_PATH] = "", list[LIST_BYTES] = "nothing there";
	size_t length = strcspn(path, "."), listed = 0;

	/* As far as there are roots below it. */
	for (int i = 0; path[length] && i < source->root_count; i++)
		if (!strncmp(source->roots[i].name, path, length + 1))
			snprintf(parent, sizeof(parent), "%.*s", (int)length, path);
	length = strlen(parent);
	for (int i = 0; i < source->root_count; i++) {
		const char *name = source->roots[i].name;

		if (!begins(name, parent))
			continue;
		name += length ? length + 1 : 0;
		if (listed + strlen(name) + sizeof(", ...") > sizeof(list)) {
			snprintf(list + listed, sizeof(list) - listed, "%s", listed ? ", ..." : "");
			break;
		}
		listed += sprintf(list + listed, "%s%s", listed ? ", " : "", name);
	}
	path += length ? length + 1 : 0;
	return error_set(error, -ENOENT, "%s has no '%.*s'; %s has %s",
			 length ? parent : source->name, (int)strcspn(path, "."), path,
			 length ? source->name : "it", list);
}

static bool is_prefix_of_roots(const struct typed_source *source, const char *path)
{
	for (int i = 0; i < source->root_count; i++)
		if (begins(source->roots[i].name, path))
			return true;
	return false;
}

static bool is_path(const char *path)
{
	size_t length = strlen(path);

	return length && path[0] != '.' && path[length - 1] != '.' && !strstr(path, "..");
}

static int resolve(struct typed *typed, const struct typed_source *source, struct error *error)
{
	const struct typed_root *root;

	if (!is_path(typed->path))
		return error_set(error, -EINVAL, "'%s' is not a path of names with dots between",
				 typed->path);
	root = root_of(source, typed->path);
	if (root)
		return resolve_from(typed, source, root, error);
	if (!is_prefix_of_roots(source, typed->path))
		return no_root(source, typed->path, error);
	typed->result = TYPED_STRUCT;
	return 0;
}

int typed_resolve(struct typed **out, const struct typed_source *source, const char *path,
		  struct error *error)
{
	struct typed *typed;
	int err;

	*out = NULL;
	if (strnlen(path, TYPED_PATH) == TYPED_PATH)
		return error_set(error, -EINVAL, "a path of more than %d characters: %.40s...",
				 TYPED_PATH - 1, path);
	typed = calloc(1, sizeof(*typed));
	if (!typed)
		return error_set(error, -ENOMEM, "%s: no memory", path);
	memcpy(typed->path, path, strlen(path));
	typed->field.name = typed->path;
	typed->field.type = typed->field.doc = "";
	err = resolve(typed, source, error);
	if (err)
		typed_free(typed);
	else
		*out = typed;
	return err;
}

void typed_free(struct typed *typed)
{
	if (!typed)
		return;
	free(typed->values);
	free(typed);
}
