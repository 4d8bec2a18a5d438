// SPDX-License-Identifier: Apache-2.0
#include "splice.h"

#include "record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LD_IMM64 (BPF_LD | BPF_DW | BPF_IMM)

/* Calls a function of the program, or takes its address. Both count from the next one. */
static bool refers_to_function(const struct bpf_insn *insn)
{
	return (insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_CALL) ||
	       (insn->code == LD_IMM64 && insn->src_reg == BPF_PSEUDO_FUNC);
}

static bool starts_stage(const struct bpf_insn *insn, enum plan_stage stage)
{
	return insn->code == (BPF_ALU64 | BPF_MOV | BPF_K) && insn->dst_reg == BPF_REG_0 &&
	       insn->imm == (stage == PLAN_EARLY ? STAGE_EARLY_MAGIC : STAGE_LATE_MAGIC);
}

/* new_at[i] becomes 1 where a function starts, else 0. */
static int find_functions(const struct bpf_insn *code, uint32_t count, uint32_t *new_at)
{
	memset(new_at, 0, (count + 1) * sizeof(*new_at));
	for (uint32_t i = 0; i < count; i++) {
		int64_t target = (int64_t)i + 1 + code[i].imm;

		if (!refers_to_function(&code[i]))
			continue;
		if (target <= 0 || target >= count)
			return -EINVAL;
		new_at[target] = 1;
	}
	return 0;
}

/* Copies the functions, or what takes their place; new_at[i] becomes where the function that
 * started at i starts now. */
static int copy_functions(struct splice *splice, const struct bpf_insn *code, uint32_t count,
			  const struct splice_part parts[PLAN_STAGES], uint32_t *new_at)
{
	for (uint32_t from = 0, to; from < count; from = to) {
		struct splice_part part = {.code = code + from};

		for (to = from + 1; to < count && !new_at[to]; to++)
			;
		part.count = to - from;
		for (int stage = 0; from && stage < PLAN_STAGES; stage++) {
			if (!starts_stage(&code[from], stage))
				continue;
			if (splice->at[stage])
				return -EINVAL; /* two of them */
			splice->at[stage] = splice->count;
			if (parts[stage].code)
				part = parts[stage];
		}
		new_at[from] = splice->count;
		memcpy(splice->code + splice->count, part.code, part.count * sizeof(*code));
		splice->count += part.count;
	}
	return 0;
}

/* Within a function that was copied nothing has moved, so an instruction's place follows from its
 * function's. */
static void adjust_references(struct splice *splice, const struct bpf_insn *code, uint32_t count,
			      const struct splice_part parts[PLAN_STAGES], const uint32_t *new_at)
{
	uint32_t start = 0;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t at;

		if (new_at[i])
			start = i;
		if (!refers_to_function(&code[i]))
			continue;
		at = new_at[start] + i - start;
		if ((parts[PLAN_EARLY].code && starts_stage(&code[start], PLAN_EARLY)) ||
		    (parts[PLAN_LATE].code && starts_stage(&code[start], PLAN_LATE)))
			continue; /* that function is gone */
		splice->code[at].imm = (int32_t)new_at[i + 1 + code[i].imm] - (int32_t)at - 1;
	}
}

int splice_make(struct splice *splice, const struct bpf_insn *code, uint32_t count,
		const struct splice_part parts[PLAN_STAGES])
{
	uint32_t *new_at = calloc(count + 1, sizeof(*new_at));
	int err = -ENOMEM;

	memset(splice, 0, sizeof(*splice));
	splice->code =
		calloc(count + parts[PLAN_EARLY].count + parts[PLAN_LATE].count, sizeof(*code));
	if (new_at && splice->code)
		err = find_functions(code, count, new_at);
	if (!err)
		err = copy_functions(splice, code, count, parts, new_at);
	if (!err)
		adjust_references(splice, code, count, parts, new_at);
	free(new_at);
	if (err) {
		free(splice->code);
		splice->code = NULL;
	}
	return err;
}

bool splice_has(const struct bpf_insn *code, uint32_t count, enum plan_stage stage)
{
	for (uint32_t i = 0; i < count; i++) {
		int64_t target = (int64_t)i + 1 + code[i].imm;

		if (refers_to_function(&code[i]) && target > 0 && target < count &&
		    starts_stage(&code[target], stage))
			return true;
	}
	return false;
}

void splice_replace_map(struct bpf_insn *code, uint32_t count, int from_fd, int to_fd)
{
	for (uint32_t i = 0; i < count; i++)
		if (code[i].code == LD_IMM64 && code[i].imm == from_fd &&
		    (code[i].src_reg == BPF_PSEUDO_MAP_FD ||
		     code[i].src_reg == BPF_PSEUDO_MAP_VALUE))
			code[i].imm = to_fd;
}
