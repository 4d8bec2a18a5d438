/* SPDX-License-Identifier: Apache-2.0 */
/* Splice: a program whose stages are replaced by other instructions.
 *
 *   | main | stage_early | helper | stage_late |      functions, one after the other
 *   | main | generated   | helper | generated   |     calls across them adjusted
 *
 * A function reaches from one target of a call to the next. A stage is known by its first
 * instruction, r0 = STAGE_EARLY_MAGIC or STAGE_LATE_MAGIC (bpf/include/record.h); the function
 * that takes its place starts with the event in r1 as well. */
#ifndef MOONPROBE_SPLICE_H
#define MOONPROBE_SPLICE_H

#include "plan_file.h"

#include <linux/bpf.h>
#include <stdbool.h>
#include <stdint.h>

struct splice_part {
	const struct bpf_insn *code;
	uint32_t count;
};

struct splice {
	struct bpf_insn *code; /* to be freed */
	uint32_t count;
	uint32_t at[PLAN_STAGES]; /* where the stage starts; 0: the program has none */
};

/* 0 or -errno; -EINVAL: a call leads nowhere. A stage's part stays as it is when `code` is
 * NULL. */
int splice_make(struct splice *splice, const struct bpf_insn *code, uint32_t count,
		const struct splice_part parts[PLAN_STAGES]);

/* Does the program call that stage? */
bool splice_has(const struct bpf_insn *code, uint32_t count, enum plan_stage stage);

/* Puts one map's descriptor in the place of another's. */
void splice_replace_map(struct bpf_insn *code, uint32_t count, int from_fd, int to_fd);

#endif
