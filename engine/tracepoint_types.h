/* SPDX-License-Identifier: Apache-2.0 */
/* Tracepoint types: the fields of a tracepoint's record as roots of paths, args.FIELD.
 *
 *   format (tracepoint_format.h) + kernel's BTF --typed_tracepoint()--> source (typed.h)
 *
 * The format says where a field lies and how long it is. Its type is C's, looked up by name in
 * the BTF, so what pointers lead to can be read on; where the BTF has none of that name or of that
 * size, it is an integer. The names of numbers are those of the kernel's own text
 * (__print_symbolic) and of argument_types.h; what is made of bits is there as a number as well:
 * args.FIELD_bits. */
#ifndef MOONPROBE_TRACEPOINT_TYPES_H
#define MOONPROBE_TRACEPOINT_TYPES_H

#include "error.h"
#include "tracepoint_format.h"
#include "typed.h"

/* The record is the program's context, in slot 0. `format` outlives the source. Pointers of
 * the category syscalls are to user memory. 0, or -errno with the reason. */
int typed_tracepoint(struct typed_source *source, struct btf *kernel,
		     const struct tracepoint_format *format, const char *category,
		     const char *event, struct error *error);

#endif
