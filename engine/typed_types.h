/* SPDX-License-Identifier: Apache-2.0 */
/* Typed types: what typed.c and typed_source.c ask of a BTF that may be odd. */
#ifndef MOONPROBE_TYPED_TYPES_H
#define MOONPROBE_TYPED_TYPES_H

#include <bpf/btf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TYPED_TYPE_NAME 128

/* A type without its typedefs and qualifiers. */
struct typed_bare {
	uint32_t id;
	const struct btf_type *type;
	const char *name;   /* its outermost typedef that says more than a width, else "" */
	bool is_big_endian; /* __be16, __be32 or __be64 */
	bool is_user;	    /* tagged as lying in user memory (__user) */
};

/* false: no such type, or a chain without an end. */
bool typed_bare(struct typed_bare *bare, const struct btf *btf, uint32_t id);

/* "struct sock *", "int", "u8[4]". */
void typed_type_name(char name[TYPED_TYPE_NAME], const struct btf *btf, uint32_t id);

static inline const char *typed_text(const struct btf *btf, uint32_t offset)
{
	const char *text = btf__name_by_offset(btf, offset);

	return text ? text : "";
}

#endif
