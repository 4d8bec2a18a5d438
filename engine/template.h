/* SPDX-License-Identifier: Apache-2.0 */
/* Template: the programs of a BPF object as they would be loaded, and its maps.
 *
 *   object --libbpf--> maps made, types relocated --template_open()--> instructions
 *
 * libbpf does what it does to load an object, up to the load: the linker's --wrap gives us the
 * instructions instead of the kernel. So a body with other rodata or other stages costs no
 * parsing, no relocation and no second look at the kernel's types, and nothing is verified that
 * will not run. The maps live as long as the object. */
#ifndef MOONPROBE_TEMPLATE_H
#define MOONPROBE_TEMPLATE_H

#include "error.h"

#include <linux/bpf.h>
#include <stddef.h>
#include <stdint.h>

struct bpf_object;

struct template_program {
	const char *name; /* lives as long as the object */
	enum bpf_prog_type type;
	uint32_t attach_type, attach_btf_id, flags;
	int attach_btf_fd; /* of a module's types; 0: the kernel's */
	struct bpf_insn *code;
	uint32_t count;			 /* 0: it was left out */
	struct bpf_func_info *functions; /* which of them are global: verified by themselves */
	uint32_t function_count;
};

struct template
{
	struct template_program *programs; /* in the object's order */
	int program_count;
	char license[64];
	int btf_fd;    /* of the object's types, which functions refer to; 0: none */
	int rodata_fd; /* of the map the instructions refer to */
	unsigned char *rodata;
	size_t rodata_bytes;
};

/* Takes an opened object, which must have constants, and makes its maps. 0 or -errno. */
int template_open(struct template **template, struct bpf_object *object);

/* Programs for a function by its number (fentry) are for that one of a module's types. The
 * descriptor stays the caller's. 0 or -errno. */
int template_aim(struct template *template, uint32_t btf_id, int btf_fd);

void template_close(struct template *template); /* NULL is fine */

#endif
