/* SPDX-License-Identifier: Apache-2.0 */
/* Stage check: may these instructions of a worker run in the kernel?
 *
 *   r6 = the event, r10 = the stack: never written; r0 = what a call returned
 *   read:  the event, the stack, values of the plan's maps
 *   write: the stack, values of maps, one byte of the event (the verdict's scratch)
 *   call:  map_lookup_elem, map_update_elem, get_smp_processor_id
 *
 * The kernel's verifier would let a privileged loader do far more than that: call any helper,
 * rewrite the event, hand kernel addresses to whoever reads a map. So it judges second. What is
 * checked here instruction by instruction is completed by stage_flow.h, along the paths. */
#ifndef MOONPROBE_STAGE_CHECK_H
#define MOONPROBE_STAGE_CHECK_H

#include "error.h"
#include "plan.h"

#include <linux/bpf.h>
#include <stdbool.h>
#include <stdint.h>

#define STAGE_STACK 512 /* MAX_BPF_STACK, include/linux/filter.h */

/* What a stage may refer to. */
struct stage_scope {
	uint32_t event_bytes;
	const struct plan_map *maps;
	uint32_t map_count;
};

/* 0, or -errno with a reason that starts with "instruction N:". */
int stage_check(const struct bpf_insn *code, uint32_t count, const struct stage_scope *scope,
		struct error *error);

/* Does it only ask, and nothing about the bytes from `from` to `to` of the event? Then it does not
 * matter whether they are there yet, nor whose event it is. */
bool stage_only_asks(const struct bpf_insn *code, uint32_t count, int from, int to);

/* Bytes of a load or store. */
static inline int stage_access_bytes(const struct bpf_insn *insn)
{
	switch (BPF_SIZE(insn->code)) {
	case BPF_B:
		return 1;
	case BPF_H:
		return 2;
	case BPF_W:
		return 4;
	}
	return 8;
}

#endif
