// SPDX-License-Identifier: Apache-2.0
/* What a value is, and how it is read. */
#include "typed_walk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define IPV6_BYTES 16

int typed_walk_number(struct typed_walk *walk, enum schema_kind kind, uint32_t bytes)
{
	struct typed_access *access = &walk->typed->access;
	struct schema_field *field = &walk->typed->field;

	if (bytes != 1 && bytes != 2 && bytes != 4 && bytes != 8)
		return typed_walk_wrong(walk, -EOPNOTSUPP, ", which is no number of 8 to 64 bits");
	access->read = TYPED_NUMBER;
	access->bytes = access->align = field->bytes = field->element_bytes = bytes;
	access->is_signed = kind == SCHEMA_SIGNED;
	field->kind = kind;
	return 0;
}

/* The smallest aligned unit that has all bits of a bitfield, else as many bytes as it takes. */
static int set_bits(struct typed_walk *walk, uint32_t width)
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
		return typed_walk_wrong(walk, -EOPNOTSUPP, " in bits that cannot be read");
	access->read = TYPED_BITS;
	access->shift = walk->bits - from * 8;
	access->width = width;
	access->unit_bytes = bytes;
	walk->bits = from * 8;
	return 0;
}

static int describe_int(struct typed_walk *walk, const struct typed_bare *bare)
{
	const struct btf_type *type = bare->type;
	enum schema_kind kind = btf_int_encoding(type) & BTF_INT_BOOL	  ? SCHEMA_BOOL
				: btf_int_encoding(type) & BTF_INT_SIGNED ? SCHEMA_SIGNED
									  : SCHEMA_UNSIGNED;
	int err = typed_walk_number(walk, kind, type->size);

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

static int describe_enum(struct typed_walk *walk, const struct typed_bare *bare)
{
	const struct btf_type *type = bare->type;
	struct typed *typed = walk->typed;
	bool is_signed = is_signed_enum(type);
	int err = typed_walk_number(walk, is_signed ? SCHEMA_SIGNED : SCHEMA_UNSIGNED, type->size);

	if (err)
		return err;
	if (!*typed->field.type)
		typed->field.type = typed_text(walk->source->btf, type->name_off);
	typed->values = calloc(btf_vlen(type) + 1, sizeof(*typed->values));
	if (!typed->values)
		return error_set(walk->error, -ENOMEM, "%s: no memory", typed->path);
	for (int i = 0; i < btf_vlen(type); i++) {
		struct schema_value *value = &typed->values[i];

		if (btf_is_enum64(type)) {
			const struct btf_enum64 *one = btf_enum64(type) + i;

			value->name = typed_text(walk->source->btf, one->name_off);
			value->value = (int64_t)btf_enum64_value(one);
		} else {
			const struct btf_enum *one = btf_enum(type) + i;

			value->name = typed_text(walk->source->btf, one->name_off);
			value->value = is_signed ? one->val : (int64_t)(uint32_t)one->val;
		}
	}
	typed->field.values = typed->values;
	typed->field.value_count = btf_vlen(type);
	return walk->width ? set_bits(walk, walk->width) : 0;
}

static void set_bytes(struct typed_walk *walk, enum typed_read read, enum schema_kind kind,
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

static bool is_char(const struct typed_walk *walk, const struct btf_type *type)
{
	return btf_is_int(type) && type->size == 1 &&
	       !strcmp(typed_text(walk->source->btf, type->name_off), "char");
}

/* `unsigned char *` is text in the kernel, too (a dentry's name); `u8 *` is bytes. */
static bool is_string(const struct typed_walk *walk, uint32_t id, const struct btf_type *type)
{
	if (is_char(walk, type))
		return true;
	for (int i = 0; i < 8; i++) {
		const struct btf_type *outer = btf__type_by_id(walk->source->btf, id);

		if (!outer || !btf_is_mod(outer))
			break;
		id = outer->type;
	}
	return btf__type_by_id(walk->source->btf, id) == type && btf_is_int(type) &&
	       type->size == 1 &&
	       !strcmp(typed_text(walk->source->btf, type->name_off), "unsigned char");
}

static int describe_array(struct typed_walk *walk, const struct typed_bare *bare)
{
	struct schema_field *field = &walk->typed->field;
	uint32_t count = btf_array(bare->type)->nelems;
	struct typed_bare element;
	int err = typed_walk_bare(walk, btf_array(bare->type)->type, &element);

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

static bool is_ipv6(const struct typed_walk *walk, const struct btf_type *type)
{
	return btf_is_struct(type) && type->size == IPV6_BYTES &&
	       !strcmp(typed_text(walk->source->btf, type->name_off), "in6_addr");
}

static void describe_ipv6(struct typed_walk *walk)
{
	set_bytes(walk, TYPED_BYTES, SCHEMA_STRUCT, IPV6_BYTES);
	walk->typed->field.type = "ip_address";
}

static int describe_pointer(struct typed_walk *walk, const struct typed_bare *bare)
{
	struct typed_bare target;
	int err = typed_walk_bare(walk, bare->type->type, &target);

	walk->typed->field.type = "";
	if (!err && is_string(walk, bare->type->type, target.type)) {
		err = typed_walk_follow(walk, bare->type, 0);
		set_bytes(walk, TYPED_STRING, SCHEMA_TEXT, TYPED_STRING_BYTES);
		return err;
	}
	if (!err && is_ipv6(walk, target.type)) {
		err = typed_walk_follow(walk, bare->type, 0);
		describe_ipv6(walk);
		return err;
	}
	if (!err && btf_is_composite(target.type))
		walk->typed->result = TYPED_STRUCT;
	return err ? err : typed_walk_number(walk, SCHEMA_UNSIGNED, sizeof(uint64_t));
}

int typed_walk_describe(struct typed_walk *walk)
{
	struct schema_field *field = &walk->typed->field;
	struct typed_bare bare;
	int err = typed_walk_bare(walk, walk->type, &bare);

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
			field->type = typed_text(walk->source->btf, bare.type->name_off);
		return 0;
	}
	return typed_walk_wrong(walk, -EOPNOTSUPP, ", which cannot be read");
}
