// SPDX-License-Identifier: Apache-2.0
#include "stage_check.h"

#include "stage_flow.h"

#include <errno.h>
#include <stdlib.h>

#define LD_IMM64 (BPF_LD | BPF_DW | BPF_IMM)

struct scan {
	const struct bpf_insn *code;
	uint32_t count;
	const struct stage_scope *scope;
	/* No jump may lead there: the second half of a ld_imm64, and the access to the map's
	 * value whose address was loaded just before. */
	bool *is_inside;
};

static bool is_kept(int reg)
{
	return reg == BPF_REG_6 || reg == BPF_REG_10;
}

/* Is the instruction before `at` the second half of a load of a map value's address into r1? */
static bool follows_map_value(const struct scan *scan, uint32_t at)
{
	const struct bpf_insn *load = at < 2 ? NULL : &scan->code[at - 2];

	return load && scan->is_inside[at - 1] && load->code == LD_IMM64 &&
	       load->dst_reg == BPF_REG_1 && load->src_reg == BPF_PSEUDO_MAP_VALUE;
}

/* Each of the following looks at one kind of instruction: NULL, or why it is refused. */

static const char *fault_of_arithmetic(const struct bpf_insn *insn)
{
	int operation = BPF_OP(insn->code);
	bool is_register = BPF_SRC(insn->code) == BPF_X;

	if (operation > BPF_END)
		return "unknown arithmetic";
	if (insn->off)
		return "arithmetic with an offset";
	if (is_kept(insn->dst_reg))
		return "writes r6 or r10";
	if (operation == BPF_END || operation == BPF_NEG || !is_register)
		return insn->src_reg ? "a source register that is not used" : NULL;
	if (!is_kept(insn->src_reg))
		return NULL;
	if (insn->code != (BPF_ALU64 | BPF_MOV | BPF_X) ||
	    (insn->dst_reg != BPF_REG_2 && insn->dst_reg != BPF_REG_3))
		return "r6 and r10 may only be copied to r2 or r3";
	return NULL;
}

static const char *fault_of_immediate(struct scan *scan, uint32_t at)
{
	const struct bpf_insn *insn = &scan->code[at];
	uint32_t index = insn->imm, offset;

	if (insn->code != LD_IMM64)
		return "a load of packet data";
	if (at + 1 == scan->count)
		return "half of a 64-bit constant";
	offset = insn[1].imm;
	if (insn[1].code || insn[1].dst_reg || insn[1].src_reg || insn[1].off || insn->off)
		return "half of a 64-bit constant";
	scan->is_inside[at + 1] = true;
	if (is_kept(insn->dst_reg))
		return "writes r6 or r10";
	if (!insn->src_reg)
		return NULL;
	if (insn->src_reg != BPF_PSEUDO_MAP_FD && insn->src_reg != BPF_PSEUDO_MAP_VALUE)
		return "a 64-bit constant of a kind that is not allowed";
	if (index >= scan->scope->map_count)
		return "a map the plan does not have";
	if (insn->dst_reg != BPF_REG_1 &&
	    (insn->dst_reg != BPF_REG_3 || insn->src_reg != BPF_PSEUDO_MAP_VALUE))
		return "a map in another register than r1";
	if (insn->src_reg == BPF_PSEUDO_MAP_FD)
		return offset ? "a map with an offset" : NULL;
	if (scan->scope->maps[index].kind != PLAN_VALUES)
		return "the address of a value of a map that is not an array of values";
	return offset < scan->scope->maps[index].value_bytes ? NULL : "an offset outside the value";
}

static const char *fault_of_load(struct scan *scan, uint32_t at)
{
	const struct bpf_insn *insn = &scan->code[at];
	int bytes = stage_access_bytes(insn);

	if (BPF_MODE(insn->code) != BPF_MEM)
		return "a load of a kind that is not allowed";
	if (is_kept(insn->dst_reg))
		return "writes r6 or r10";
	switch (insn->src_reg) {
	case BPF_REG_0:
	case BPF_REG_9:
		return NULL;
	case BPF_REG_1:
		if (!follows_map_value(scan, at))
			return "a load by r1, which is not the address of a map's value";
		scan->is_inside[at] = true;
		return NULL;
	case BPF_REG_6:
		return insn->off >= 0 && insn->off + bytes <= (int)scan->scope->event_bytes
			       ? NULL
			       : "a load outside the event";
	case BPF_REG_10:
		return insn->off >= -STAGE_STACK && insn->off + bytes <= 0
			       ? NULL
			       : "a load outside the stack";
	}
	return "a load by a register that is no base";
}

static const char *fault_of_store(struct scan *scan, uint32_t at)
{
	const struct bpf_insn *insn = &scan->code[at];
	int bytes = stage_access_bytes(insn);
	bool is_atomic = insn->code == (BPF_STX | BPF_ATOMIC | BPF_DW);

	if (is_atomic ? insn->imm != BPF_ADD && insn->imm != BPF_CMPXCHG
		      : BPF_MODE(insn->code) != BPF_MEM)
		return "a store of a kind that is not allowed";
	if (BPF_CLASS(insn->code) == BPF_ST ? insn->src_reg : is_kept(insn->src_reg))
		return "stores a register that must not be seen";
	switch (insn->dst_reg) {
	case BPF_REG_0:
		return is_atomic && insn->imm == BPF_CMPXCHG
			       ? "an exchange by r0, which is what it compares with"
			       : NULL;
	case BPF_REG_9:
		return NULL;
	case BPF_REG_1:
		if (!follows_map_value(scan, at))
			return "a store by r1, which is not the address of a map's value";
		scan->is_inside[at] = true;
		return is_atomic ? NULL : "a store by r1 that is not atomic";
	case BPF_REG_6:
		return !is_atomic && insn->off == 3 && bytes == 1
			       ? NULL
			       : "a store into the event outside its scratch byte";
	case BPF_REG_10:
		return !is_atomic && insn->off >= -STAGE_STACK && insn->off + bytes <= 0
			       ? NULL
			       : "a store outside the stack";
	}
	return "a store by a register that is no base";
}

static const char *fault_of_jump(const struct bpf_insn *insn)
{
	int operation = BPF_OP(insn->code);
	bool is_register = BPF_SRC(insn->code) == BPF_X;

	if (operation > BPF_JSLE)
		return "an unknown jump";
	if (BPF_CLASS(insn->code) == BPF_JMP32 &&
	    (operation == BPF_JA || operation == BPF_CALL || operation == BPF_EXIT))
		return "an unknown jump";
	if (operation == BPF_EXIT || operation == BPF_JA)
		return is_register || insn->dst_reg || insn->src_reg || insn->imm
			       ? "operands where there are none"
			       : NULL;
	if (operation == BPF_CALL) {
		if (is_register || insn->src_reg || insn->dst_reg || insn->off)
			return "a call that is not of a helper";
		return insn->imm == BPF_FUNC_map_lookup_elem ||
				       insn->imm == BPF_FUNC_map_update_elem ||
				       insn->imm == BPF_FUNC_get_smp_processor_id
			       ? NULL
			       : "a helper that is not allowed";
	}
	if (is_kept(insn->dst_reg) || (is_register && is_kept(insn->src_reg)))
		return "compares r6 or r10";
	return !is_register && insn->src_reg ? "a source register that is not used" : NULL;
}

static const char *fault_of(struct scan *scan, uint32_t at)
{
	const struct bpf_insn *insn = &scan->code[at];

	if (insn->dst_reg > BPF_REG_10 || insn->src_reg > BPF_REG_10)
		return "a register that does not exist";
	if (!at)
		return insn->code == (BPF_ALU64 | BPF_MOV | BPF_X) && insn->dst_reg == BPF_REG_6 &&
				       insn->src_reg == BPF_REG_1 && !insn->off && !insn->imm
			       ? NULL
			       : "the first one must be r6 = r1";
	switch (BPF_CLASS(insn->code)) {
	case BPF_ALU:
	case BPF_ALU64:
		return fault_of_arithmetic(insn);
	case BPF_LD:
		return fault_of_immediate(scan, at);
	case BPF_LDX:
		return fault_of_load(scan, at);
	case BPF_ST:
	case BPF_STX:
		return fault_of_store(scan, at);
	}
	return fault_of_jump(insn);
}

static const char *fault_of_target(const struct scan *scan, uint32_t at)
{
	const struct bpf_insn *insn = &scan->code[at];
	int operation = BPF_OP(insn->code);
	int64_t target = (int64_t)at + 1 + insn->off;

	if (BPF_CLASS(insn->code) != BPF_JMP && BPF_CLASS(insn->code) != BPF_JMP32)
		return NULL;
	if (operation == BPF_CALL || operation == BPF_EXIT)
		return NULL;
	if (target < 0 || target >= scan->count)
		return "jumps out of the stage";
	return scan->is_inside[target] ? "jumps into the middle of something" : NULL;
}

int stage_check(const struct bpf_insn *code, uint32_t count, const struct stage_scope *scope,
		struct error *error)
{
	struct scan scan = {.code = code, .count = count, .scope = scope};
	const char *fault = NULL;
	uint32_t at = 0;

	if (!count || count > PLAN_STAGE_MAX)
		return error_set(error, -EINVAL, "%u instructions in a stage", count);
	scan.is_inside = calloc(count, sizeof(*scan.is_inside));
	if (!scan.is_inside)
		return error_set(error, -ENOMEM, "no memory to check a stage");
	for (uint32_t next = 0; next < count && !fault;) {
		at = next;
		fault = fault_of(&scan, at);
		next += BPF_CLASS(code[at].code) == BPF_LD ? 2 : 1;
	}
	if (!fault && code[count - 1].code != (BPF_JMP | BPF_EXIT) &&
	    code[count - 1].code != (BPF_JMP | BPF_JA)) {
		fault = "runs on behind the last one";
		at = count - 1;
	}
	for (uint32_t i = 0; i < count && !fault; i++) {
		at = i; /* the second half of a constant has no class of a jump */
		fault = fault_of_target(&scan, at);
	}
	if (!fault)
		fault = stage_flow_check(code, count, scope, &at);
	free(scan.is_inside);
	return fault ? error_set(error, -EINVAL, "instruction %u: %s", at, fault) : 0;
}

bool stage_only_asks(const struct bpf_insn *code, uint32_t count, int from, int to)
{
	for (uint32_t i = 1; i < count; i++) {
		const struct bpf_insn *insn = &code[i];
		int class = BPF_CLASS(insn->code), begins = insn->off;
		bool of_event = insn->src_reg == BPF_REG_6;

		if (class == BPF_LDX && of_event && begins < to &&
		    begins + stage_access_bytes(insn) > from)
			return false;
		if (class == BPF_ALU64 && of_event) /* its address, for a look-up */
			return false;
		if ((class == BPF_ST || class == BPF_STX) && insn->dst_reg != BPF_REG_6 &&
		    insn->dst_reg != BPF_REG_10)
			return false;
		if (insn->code == (BPF_JMP | BPF_CALL) && insn->imm == BPF_FUNC_map_update_elem)
			return false;
	}
	return true;
}
