/* SPDX-License-Identifier: Apache-2.0 */
/* Binary types: what a program's function takes and returns, as BTF.
 *
 *   .BTF section -------------------------------.
 *   DWARF (.debug_info) --dwarf_btf.c--> types --+--> struct btf: FUNC -> FUNC_PROTO -> types
 *
 * So one resolver of paths (arg.config.name) serves the kernel and programs. The debug
 * information has to be in the file itself: separate debug files, split DWARF (.dwo) and
 * dwz's shared parts are not looked for. */
#ifndef MOONPROBE_BINARY_TYPES_H
#define MOONPROBE_BINARY_TYPES_H

#include "error.h"

#include <stdint.h>

struct binary;
struct btf;

struct binary_types {
	struct btf *btf;
	int function; /* id of the BTF_KIND_FUNC; its type is the FUNC_PROTO */
};

/* The types of the function that binary_offset() finds by this name. Parameters have the order of
 * the declaration; those after "..." are one without name and type, as in the kernel's BTF.
 *
 * Which register a parameter is in is the caller's to know. It has to refuse, or count, those
 * that are in none of the integers' registers: BTF_KIND_FLOAT, and BTF_KIND_STRUCT and
 * BTF_KIND_UNION passed by value; a struct returned by value may take the first register for
 * its address. C++: `this` is a parameter, a reference a pointer, a base class a member without
 * a name. What BTF cannot say (vectors, complex numbers, members of members) is a struct of that
 * size without members; a type that is only declared there a BTF_KIND_FWD.
 *
 * Every type and name that the result refers to is there, and no chain of typedefs or nameless
 * members is endless, whatever was in the file.
 *
 * 0; -ENODATA without debug information; -ENOENT when it does not have the function, or only
 * inlined copies of it; -EOPNOTSUPP for a copy with other parameters (NAME.isra.0); -ETIMEDOUT
 * after 5 s of search, -EFBIG for more than 1 GiB; -EINVAL when it is broken. Free with
 * binary_types_free(). */
int binary_types_find(const struct binary *binary, const char *name, struct binary_types *types,
		      struct error *error);
void binary_types_free(struct binary_types *types);

/* Whether BTF that anybody may have made can be walked without further checks: 0 or -EINVAL. */
int binary_types_check(const struct btf *btf);

#endif
