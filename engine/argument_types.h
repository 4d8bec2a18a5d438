/* SPDX-License-Identifier: Apache-2.0 */
/* Argument types: what the numbers in tracepoints mean where their C type does not say it: that
 * the int `flags` of openat is O_CLOEXEC and the like. The names belong to stdlib/constants.lua
 * (flags_*, name_*, mode_octal) and bpf/include/moonprobe.bpf.h. */
#ifndef MOONPROBE_ARGUMENT_TYPES_H
#define MOONPROBE_ARGUMENT_TYPES_H

#include <stdbool.h>

/* The type of a field of CATEGORY/EVENT whose type in C is `type`; NULL: as C has it. A wildcard
 * as event has what is the same for all. */
const char *argument_type(const char *category, const char *event, const char *field,
			  const char *type);

/* Does it read as text that is made of several bits? */
bool argument_is_bits(const char *type);

#endif
