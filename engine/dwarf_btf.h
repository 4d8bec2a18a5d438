/* SPDX-License-Identifier: Apache-2.0 */
/* DWARF to BTF: a function of DWARF's .debug_info, and all types reachable from it. */
#ifndef MOONPROBE_DWARF_BTF_H
#define MOONPROBE_DWARF_BTF_H

#include <elfutils/libdw.h>
#include <stdint.h>

#define DWARF_TYPES_MOST 20000 /* types of one function; what is farther is opaque */

struct btf;

/* A new BTF with the function as its type 1, named `name`. `function` is a DW_TAG_subprogram;
 * pointers have `word` bytes. NULL and errno. */
struct btf *dwarf_btf_make(Dwarf_Die *function, const char *name, uint8_t word);

#endif
