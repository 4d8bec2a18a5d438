// SPDX-License-Identifier: Apache-2.0
#include "typed_types.h"

#include <stdio.h>
#include <string.h>

#define CHAIN_MAX 32 /* as libbpf */

/* Names that say nothing but how wide a number is. */
static bool is_dull(const char *name)
{
	static const char *const dull[] = {
		"u8",	   "u16",     "u32",	  "u64",      "s8",	  "s16",    "s32",
		"s64",	   "uint8_t", "uint16_t", "uint32_t", "uint64_t", "int8_t", "int16_t",
		"int32_t", "int64_t", "bool",	  "uint",     "ulong",	  "ushort", "u_char"};

	if (!*name || !strncmp(name, "__", 2))
		return true;
	for (size_t i = 0; i < sizeof(dull) / sizeof(*dull); i++)
		if (!strcmp(name, dull[i]))
			return true;
	return false;
}

bool typed_bare(struct typed_bare *bare, const struct btf *btf, uint32_t id)
{
	*bare = (struct typed_bare){.name = ""};
	for (int i = 0; i < CHAIN_MAX; i++) {
		const struct btf_type *type = btf__type_by_id(btf, id);
		const char *name = type ? typed_text(btf, type->name_off) : "";

		if (!type)
			return false;
		if (!btf_is_mod(type) && !btf_is_typedef(type)) {
			bare->id = id;
			bare->type = type;
			return true;
		}
		if (btf_is_type_tag(type))
			bare->is_user |= !strcmp(name, "user");
		if (btf_is_typedef(type)) {
			if (!*bare->name && !is_dull(name))
				bare->name = name;
			bare->is_big_endian |= !strcmp(name, "__be16") || !strcmp(name, "__be32") ||
					       !strcmp(name, "__be64");
		}
		id = type->type;
	}
	return false;
}

void typed_type_name(char name[TYPED_TYPE_NAME], const struct btf *btf, uint32_t id)
{
	const char *what = "", *called;
	struct typed_bare bare = {0};
	char stars[8] = "", count[16] = "";

	/* From the outside in: what it is an array of, what it points to. */
	for (size_t i = 0; i < sizeof(stars) - 2; i++) {
		if (!typed_bare(&bare, btf, id)) {
			snprintf(name, TYPED_TYPE_NAME, "a damaged type");
			return;
		}
		if (btf_is_array(bare.type) && !*stars) {
			snprintf(count, sizeof(count), "[%u]", btf_array(bare.type)->nelems);
			id = btf_array(bare.type)->type;
		} else if (btf_is_ptr(bare.type)) {
			stars[0] = ' ';
			stars[strlen(stars)] = '*';
			id = bare.type->type;
		} else {
			break;
		}
	}
	switch (btf_kind(bare.type)) {
	case BTF_KIND_STRUCT:
		what = "struct ";
		break;
	case BTF_KIND_UNION:
		what = "union ";
		break;
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
		what = "enum ";
		break;
	case BTF_KIND_FWD:
		what = btf_kflag(bare.type) ? "union " : "struct ";
		break;
	case BTF_KIND_FUNC_PROTO:
		what = "a function";
		break;
	}
	called = typed_text(btf, bare.type->name_off);
	if (btf_is_void(bare.type))
		called = "void";
	else if (btf_is_array(bare.type))
		called = "array";
	else if (!*called && !btf_is_func_proto(bare.type))
		called = *bare.name ? bare.name : "without a name";
	snprintf(name, TYPED_TYPE_NAME, "%s%.80s%s%s", what, called, stars, count);
}
