// SPDX-License-Identifier: Apache-2.0
#include "dwarf_btf.h"

#include <bpf/btf.h>
#include <dwarf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* BTF types are numbered in the order in which they are added, and may refer to later numbers. So
 * a type gets its number when it is first referred to, waits in a queue, and is added when its
 * turn comes: nothing recurses, however types point at each other. */
enum { FUNCTION = 1, PROTOTYPE, INDEX, OPAQUE, FIRST };

#define BUCKETS 65536	      /* more than three times DWARF_TYPES_MOST */
#define CHILDREN_MOST 1000000 /* of all types: links may run in circles */
#define VALUES_MOST 20000     /* members or values of one; BTF has 16 bits for it */
#define CHAIN_MOST 32
#define NAME_MOST 4096
#define NAMES_MOST (64u << 20) /* bytes of all of them */

struct waiting {
	Dwarf_Die die;
	int dimension; /* of an array: BTF has one type for each */
};

struct builder {
	struct btf *btf;
	struct waiting *queue;
	int count;    /* of the queue; the id of the last is FIRST + count - 1 */
	int *buckets; /* of numbers in the queue + 1 */
	unsigned int children;
	size_t name_bytes;
};

static int type_id(struct builder *builder, const Dwarf_Die *die, int dimension)
{
	size_t bucket = ((uintptr_t)die->addr * 0x9e3779b97f4a7c15ULL >> 40) + dimension;

	for (;; bucket++) {
		int *at = &builder->buckets[bucket % BUCKETS];

		if (*at) {
			const struct waiting *there = &builder->queue[*at - 1];

			if (there->die.addr == die->addr && there->dimension == dimension)
				return FIRST + *at - 1;
			continue;
		}
		if (builder->count == DWARF_TYPES_MOST)
			return OPAQUE;
		builder->queue[builder->count] = (struct waiting){*die, dimension};
		*at = ++builder->count;
		return FIRST + *at - 1;
	}
}

/* The number of the type a DIE refers to; 0 is void. */
static int reference(struct builder *builder, Dwarf_Die *die)
{
	Dwarf_Die type = *die;

	for (int i = 0; i < CHAIN_MOST; i++) {
		Dwarf_Attribute attribute;

		if (!dwarf_attr_integrate(&type, DW_AT_type, &attribute))
			return 0;
		if (!dwarf_formref_die(&attribute, &type))
			return OPAQUE;
		switch (dwarf_tag(&type)) {
		case DW_TAG_unspecified_type: /* decltype(nullptr) */
			return 0;
		case DW_TAG_atomic_type:
		case DW_TAG_immutable_type:
		case DW_TAG_packed_type:
		case DW_TAG_shared_type:
			continue; /* BTF has no word for these */
		default:
			return type_id(builder, &type, 0);
		}
	}
	return OPAQUE;
}

/* The next child; `child` starts as NULL in *started. False at the end, and when it is too much. */
static bool next_child(struct builder *builder, Dwarf_Die *parent, Dwarf_Die *child, bool *started)
{
	int end = *started ? dwarf_siblingof(child, child) : dwarf_child(parent, child);

	*started = true;
	return !end && ++builder->children < CHILDREN_MOST;
}

/* NULL: it has none, or one that is too long, or there were enough. In a file made for it each of
 * many names goes on to the end of the section. */
static const char *counted(struct builder *builder, const char *name)
{
	size_t bytes = name ? strnlen(name, NAME_MOST) : 0;

	if (!bytes || bytes == NAME_MOST || builder->name_bytes + bytes > NAMES_MOST)
		return NULL;
	builder->name_bytes += bytes;
	return name;
}

static const char *name_of(struct builder *builder, Dwarf_Die *die)
{
	return counted(builder, dwarf_diename(die));
}

static bool number_of(Dwarf_Die *die, unsigned int name, Dwarf_Word *number)
{
	Dwarf_Attribute attribute;

	return dwarf_attr_integrate(die, name, &attribute) && !dwarf_formudata(&attribute, number);
}

static bool has_flag(Dwarf_Die *die, unsigned int name)
{
	Dwarf_Attribute attribute;
	bool flag;

	return dwarf_attr(die, name, &attribute) && !dwarf_formflag(&attribute, &flag) && flag;
}

static uint32_t size_of(Dwarf_Die *die)
{
	int size = dwarf_bytesize(die);

	return size < 0 ? 0 : size;
}

static int add_opaque(struct builder *builder, Dwarf_Die *die)
{
	return btf__add_struct(builder->btf, name_of(builder, die), size_of(die));
}

static int add_base(struct builder *builder, Dwarf_Die *die)
{
	const char *given = name_of(builder, die), *name = given ? given : "unnamed";
	Dwarf_Word encoding = 0;

	number_of(die, DW_AT_encoding, &encoding);
	switch (encoding) {
	case DW_ATE_float:
		return btf__add_float(builder->btf, name, size_of(die));
	case DW_ATE_boolean:
		return btf__add_int(builder->btf, name, size_of(die), BTF_INT_BOOL);
	case DW_ATE_signed:
	case DW_ATE_signed_char:
		return btf__add_int(builder->btf, name, size_of(die), BTF_INT_SIGNED);
	case DW_ATE_address:
	case DW_ATE_unsigned:
	case DW_ATE_unsigned_char:
	case DW_ATE_UTF:
		return btf__add_int(builder->btf, name, size_of(die), 0);
	}
	return -ENOTSUP;
}

/* Bits from the start of the struct; false when only a running program could say. */
static bool member_place(Dwarf_Die *member, uint64_t *offset, uint32_t *bits)
{
	Dwarf_Word value, storage;
	Dwarf_Attribute attribute;
	Dwarf_Die type;

	*offset = 0;
	*bits = 0;
	if (dwarf_attr(member, DW_AT_data_member_location, &attribute)) {
		Dwarf_Op *steps;
		size_t count;

		if (!dwarf_formudata(&attribute, &value))
			*offset = 8 * value;
		else if (!dwarf_getlocation(&attribute, &steps, &count) && count == 1 &&
			 steps[0].atom == DW_OP_plus_uconst) /* DWARF 2 */
			*offset = 8 * steps[0].number;
		else
			return false; /* a virtual base */
	}
	if (!number_of(member, DW_AT_bit_size, &value))
		return *offset < UINT32_MAX;
	if (!value || value > 64)
		return false;
	*bits = value;
	if (number_of(member, DW_AT_data_bit_offset, &value)) {
		*offset += value;
	} else if (number_of(member, DW_AT_bit_offset, &value)) {
		/* DWARF 2 and 3 count from the highest bit of what holds it. */
		if (!number_of(member, DW_AT_byte_size, &storage)) {
			if (!dwarf_attr(member, DW_AT_type, &attribute) ||
			    !dwarf_formref_die(&attribute, &type) || dwarf_peel_type(&type, &type))
				return false;
			storage = size_of(&type);
		}
		if (storage > 16 || value + *bits > 8 * storage)
			return false;
		*offset += 8 * storage - value - *bits;
	}
	return *offset < 1 << 24; /* as many bits has BTF for it */
}

static int add_struct(struct builder *builder, Dwarf_Die *die)
{
	bool is_union = dwarf_tag(die) == DW_TAG_union_type, started = false;
	const char *name = name_of(builder, die);
	Dwarf_Die member;
	int id, members = 0;

	if (has_flag(die, DW_AT_declaration) && name)
		return btf__add_fwd(builder->btf, name, is_union ? BTF_FWD_UNION : BTF_FWD_STRUCT);
	id = is_union ? btf__add_union(builder->btf, name, size_of(die))
		      : btf__add_struct(builder->btf, name, size_of(die));
	while (id > 0 && members < VALUES_MOST && next_child(builder, die, &member, &started)) {
		int tag = dwarf_tag(&member), type;
		uint64_t offset;
		uint32_t bits;

		/* A static member is a variable of the program's (DWARF 4: a member). */
		if ((tag != DW_TAG_member && tag != DW_TAG_inheritance) ||
		    has_flag(&member, DW_AT_external) || has_flag(&member, DW_AT_declaration) ||
		    !member_place(&member, &offset, &bits))
			continue;
		type = reference(builder, &member);
		members += !btf__add_field(builder->btf,
					   tag == DW_TAG_member ? name_of(builder, &member) : NULL,
					   type, offset, bits);
	}
	return id;
}

static bool value_of(Dwarf_Die *enumerator, int64_t *value, bool *is_signed)
{
	Dwarf_Attribute attribute;
	Dwarf_Word positive;
	Dwarf_Sword number;
	int form;

	if (!dwarf_attr(enumerator, DW_AT_const_value, &attribute))
		return false;
	form = dwarf_whatform(&attribute);
	/* Of the other forms libdw would take the highest bit for a sign. */
	if (form == DW_FORM_sdata || form == DW_FORM_implicit_const) {
		if (dwarf_formsdata(&attribute, &number))
			return false;
		*value = number;
		*is_signed = *is_signed || number < 0;
		return true;
	}
	if (dwarf_formudata(&attribute, &positive))
		return false;
	*value = (int64_t)positive;
	return true;
}

static int add_enum(struct builder *builder, Dwarf_Die *die)
{
	const char *name = name_of(builder, die);
	bool is_signed = false, started = false;
	uint32_t size = size_of(die);
	Dwarf_Die child;
	int64_t value;
	int id, values = 0;

	size = size ? size : 4;
	while (next_child(builder, die, &child, &started))
		value_of(&child, &value, &is_signed);
	id = size > 4 ? btf__add_enum64(builder->btf, name, size, is_signed)
		      : btf__add_enum(builder->btf, name, size);
	started = false;
	while (id > 0 && values < VALUES_MOST && next_child(builder, die, &child, &started)) {
		const char *value_name = name_of(builder, &child);

		if (dwarf_tag(&child) != DW_TAG_enumerator || !value_name ||
		    !value_of(&child, &value, &is_signed))
			continue;
		values += !(size > 4 ? btf__add_enum64_value(builder->btf, value_name, value)
				     : btf__add_enum_value(builder->btf, value_name, value));
	}
	return id;
}

static int add_array(struct builder *builder, Dwarf_Die *die, int dimension)
{
	int dimensions = 0;
	Dwarf_Word count = 0, last;
	bool started = false;
	Dwarf_Die child;
	int element;

	if (has_flag(die, DW_AT_GNU_vector))
		return -ENOTSUP;
	while (dimensions < CHAIN_MOST && next_child(builder, die, &child, &started)) {
		int tag = dwarf_tag(&child);

		if (tag != DW_TAG_subrange_type && tag != DW_TAG_enumeration_type)
			continue;
		if (dimensions++ != dimension)
			continue;
		if (!number_of(&child, DW_AT_count, &count))
			count = number_of(&child, DW_AT_upper_bound, &last) ? last + 1 : 0;
	}
	element = dimension + 1 < dimensions ? type_id(builder, die, dimension + 1)
					     : reference(builder, die);
	/* Of those whose length is only known when the program runs, and of `int x[]`: 0. */
	return btf__add_array(builder->btf, INDEX, element, count > INT32_MAX ? 0 : count);
}

static int add_prototype(struct builder *builder, Dwarf_Die *die)
{
	int id = btf__add_func_proto(builder->btf, reference(builder, die)), parameters = 0;
	bool started = false;
	Dwarf_Die child;

	while (id > 0 && parameters < VALUES_MOST && next_child(builder, die, &child, &started)) {
		Dwarf_Attribute attribute;
		const char *name = dwarf_attr_integrate(&child, DW_AT_name, &attribute)
					   ? dwarf_formstring(&attribute)
					   : NULL;

		if (dwarf_tag(&child) == DW_TAG_formal_parameter)
			parameters += !btf__add_func_param(builder->btf, counted(builder, name),
							   reference(builder, &child));
		else if (dwarf_tag(&child) == DW_TAG_unspecified_parameters)
			parameters += !btf__add_func_param(builder->btf, NULL, 0);
	}
	return id;
}

/* Adds one type. Whatever is in the file, one and only one. */
static int add_type(struct builder *builder, struct waiting *waiting)
{
	Dwarf_Die *die = &waiting->die;
	const char *name = name_of(builder, die);

	switch (dwarf_tag(die)) {
	case DW_TAG_base_type:
		return add_base(builder, die);
	case DW_TAG_pointer_type:
	case DW_TAG_reference_type:
	case DW_TAG_rvalue_reference_type:
		return btf__add_ptr(builder->btf, reference(builder, die));
	case DW_TAG_const_type:
		return btf__add_const(builder->btf, reference(builder, die));
	case DW_TAG_volatile_type:
		return btf__add_volatile(builder->btf, reference(builder, die));
	case DW_TAG_restrict_type:
		return btf__add_restrict(builder->btf, reference(builder, die));
	case DW_TAG_typedef:
	case DW_TAG_template_alias:
		return btf__add_typedef(builder->btf, name ? name : "unnamed",
					reference(builder, die));
	case DW_TAG_structure_type:
	case DW_TAG_class_type:
	case DW_TAG_union_type:
		return add_struct(builder, die);
	case DW_TAG_enumeration_type:
		return add_enum(builder, die);
	case DW_TAG_array_type:
		return add_array(builder, die, waiting->dimension);
	case DW_TAG_subroutine_type:
		return add_prototype(builder, die);
	}
	return -ENOTSUP;
}

static int add_all(struct builder *builder, Dwarf_Die *function, const char *name)
{
	Dwarf_Attribute attribute;
	Dwarf_Die declared = *function;

	/* A copy that stands by itself has its parameters in the order in which they are used;
	 * what it is a copy of has them as declared. */
	if (dwarf_attr(function, DW_AT_abstract_origin, &attribute) &&
	    !dwarf_formref_die(&attribute, &declared))
		declared = *function;
	if (btf__add_func(builder->btf, name, BTF_FUNC_GLOBAL, PROTOTYPE) != FUNCTION ||
	    add_prototype(builder, &declared) != PROTOTYPE ||
	    btf__add_int(builder->btf, "__ARRAY_SIZE_TYPE__", 4, 0) != INDEX ||
	    btf__add_fwd(builder->btf, "opaque", BTF_FWD_STRUCT) != OPAQUE)
		return -ENOMEM;
	/* The queue grows meanwhile. */
	for (int i = 0; i < builder->count; i++) {
		int id = add_type(builder, &builder->queue[i]);

		if (id < 0)
			id = add_opaque(builder, &builder->queue[i].die);
		if (id != FIRST + i)
			return id < 0 ? id : -EINVAL;
	}
	return 0;
}

struct btf *dwarf_btf_make(Dwarf_Die *function, const char *name, uint8_t word)
{
	struct builder builder = {0};
	int err = -ENOMEM;

	builder.btf = btf__new_empty();
	builder.queue = calloc(DWARF_TYPES_MOST, sizeof(*builder.queue));
	builder.buckets = calloc(BUCKETS, sizeof(*builder.buckets));
	if (builder.btf && builder.queue && builder.buckets) {
		btf__set_pointer_size(builder.btf, word);
		err = add_all(&builder, function, name);
	}
	free(builder.queue);
	free(builder.buckets);
	if (!err)
		return builder.btf;
	btf__free(builder.btf);
	errno = -err;
	return NULL;
}
