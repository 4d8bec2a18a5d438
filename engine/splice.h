/* SPDX-License-Identifier: Apache-2.0 */
/* Splice: a program whose stages are replaced by other instructions.
 *
 *   | main: ... call stage_early ... call helper ... | stage_early | helper |
 *   | main: ... save, generated, restore ... call helper ...      | helper |
 *
 * A function reaches from one target of a call to the next. A stage is known by its first
 * instruction, r0 = STAGE_EARLY_MAGIC and so on (bpf/include/record.h). What takes its
 * place was written as such a function, too: the event in r1, the answer in r0, a stack of its
 * own. But it stands where the stage was called, for a call costs more than most filters. So
 * what the caller still needs of r6 to r9 is put aside, and the stack it uses comes to lie below
 * the caller's. */
#ifndef MOONPROBE_SPLICE_H
#define MOONPROBE_SPLICE_H

#include "plan_file.h"

#include <linux/bpf.h>
#include <stdbool.h>
#include <stdint.h>

/* What can be replaced. */
enum splice_stub {
	SPLICE_EARLY = PLAN_EARLY,
	SPLICE_LATE = PLAN_LATE,
	SPLICE_TYPED_EARLY = PLAN_STAGES, /* the engine's own code (typed_code.h); slots in r2 */
	SPLICE_TYPED_LATE,
	SPLICE_SLOTS, /* of a target; context in r1, slots in r2 */
	SPLICE_STUBS,
};

struct splice_part {
	const struct bpf_insn *code; /* a worker's has passed stage_check() */
	uint32_t count;
};

struct splice {
	struct bpf_insn *code;
	uint32_t count;
	uint32_t at[SPLICE_STUBS]; /* where the stage's part starts, the first time; 0: nowhere */
	uint32_t *moved;	   /* where each instruction is now; SPLICE_GONE: nowhere */
};

#define SPLICE_GONE UINT32_MAX

/* 0 or -errno; -EINVAL: a call leads nowhere, or a part uses its stack in a way that cannot be
 * moved; -E2BIG: a jump becomes too long. A stage stays as it is when its part has no code. */
int splice_make(struct splice *splice, const struct bpf_insn *code, uint32_t count,
		const struct splice_part parts[SPLICE_STUBS]);
void splice_free(struct splice *splice);

/* Does the program call that stub? */
bool splice_has(const struct bpf_insn *code, uint32_t count, enum splice_stub stub);

/* Puts one map's descriptor in the place of another's. */
void splice_replace_map(struct bpf_insn *code, uint32_t count, int from_fd, int to_fd);

#endif
