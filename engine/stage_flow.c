// SPDX-License-Identifier: Apache-2.0
#include "stage_flow.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define PASSES 64 /* each follows all jumps forward; one more for each nesting of jumps back */

enum holds {
	NOTHING, /* or something else on another path: not to be read */
	NUMBER,
	MAP,	   /* `of`: which */
	MAP_VALUE, /* of an array of one; `of`: which, `at`: offset in it */
	FOUND,	   /* a place in a value that a look-up returned, or null */
	EVENT,	   /* `of`: offset */
	STACK,	   /* `of`: offset, negative */
};

struct content {
	int16_t holds, of;
	int32_t at;
};

/* Before an instruction. */
struct moment {
	bool reached;
	struct content registers[BPF_REG_10 + 1];
	uint64_t written[STAGE_STACK / 64]; /* a bit for each byte of the stack */
};

struct flow {
	const struct bpf_insn *code;
	const struct stage_scope *scope;
	struct moment *moments;
	bool changed;
};

static const struct content number = {.holds = NUMBER};

/* The path that is `now` comes to `at` too: what differs from the others is nothing. */
static void meet(struct flow *flow, uint32_t at, const struct moment *now)
{
	struct moment *then = &flow->moments[at];

	if (!then->reached) {
		*then = *now;
		then->reached = true;
		flow->changed = true;
		return;
	}
	for (int i = 0; i <= BPF_REG_10; i++) {
		struct content *content = &then->registers[i];

		if (content->holds == NOTHING ||
		    !memcmp(content, &now->registers[i], sizeof(*content)))
			continue;
		*content = (struct content){NOTHING};
		flow->changed = true;
	}
	for (int i = 0; i < STAGE_STACK / 64; i++) {
		uint64_t both = then->written[i] & now->written[i];

		flow->changed |= both != then->written[i];
		then->written[i] = both;
	}
}

static void write_stack(struct moment *now, int offset, int bytes)
{
	for (int i = offset + STAGE_STACK; bytes > 0; i++, bytes--)
		now->written[i / 64] |= 1ull << i % 64;
}

static bool is_written(const struct moment *now, int offset, int bytes)
{
	for (int i = offset + STAGE_STACK; bytes > 0; i++, bytes--)
		if (!(now->written[i / 64] >> i % 64 & 1))
			return false;
	return true;
}

static bool is_number(const struct moment *now, int reg)
{
	return now->registers[reg].holds == NUMBER;
}

static const char *arithmetic(const struct flow *flow, const struct bpf_insn *insn,
			      struct moment *now)
{
	struct content *to = &now->registers[insn->dst_reg];
	int operation = BPF_OP(insn->code);
	bool is_register = BPF_SRC(insn->code) == BPF_X && operation != BPF_END;

	if (is_register && (insn->src_reg == BPF_REG_6 || insn->src_reg == BPF_REG_10)) {
		*to = now->registers[insn->src_reg];
		return NULL;
	}
	/* r9 keeps a cell over other look-ups; r0 goes to one of its words. The verifier knows
	 * the bounds. */
	if (insn->code == (BPF_ALU64 | BPF_MOV | BPF_X) &&
	    now->registers[insn->src_reg].holds == FOUND &&
	    (insn->dst_reg == BPF_REG_0 || insn->dst_reg == BPF_REG_9)) {
		*to = now->registers[insn->src_reg];
		return NULL;
	}
	if (is_register && !is_number(now, insn->src_reg))
		return "computes with what is no number";
	if (insn->code == (BPF_ALU64 | BPF_ADD | BPF_X) && to->holds == FOUND)
		return NULL;
	if (operation == BPF_MOV) {
		*to = number;
		return NULL;
	}
	if ((to->holds == EVENT || to->holds == STACK) &&
	    insn->code == (BPF_ALU64 | BPF_ADD | BPF_K)) {
		int64_t of = (int64_t)to->of + insn->imm;

		if (of < -STAGE_STACK || of > (int64_t)flow->scope->event_bytes || of > INT16_MAX)
			return "an address outside the event or the stack";
		to->of = of;
		return NULL;
	}
	return to->holds == NUMBER ? NULL : "computes with what is no number";
}

/* Can a helper read so many bytes where the register points to? */
static const char *readable(const struct flow *flow, const struct moment *now, int reg,
			    uint32_t bytes)
{
	const struct content *content = &now->registers[reg];

	if (content->holds == EVENT)
		return content->of >= 0 && content->of + bytes <= flow->scope->event_bytes
			       ? NULL
			       : "gives a helper what lies outside the event";
	if (content->holds == MAP_VALUE)
		return content->at + bytes <= flow->scope->maps[content->of].value_bytes
			       ? NULL
			       : "gives a helper what lies outside the map's value";
	if (content->holds != STACK)
		return "gives a helper what is no address";
	return content->of + (int)bytes <= 0 && is_written(now, content->of, bytes)
		       ? NULL
		       : "gives a helper stack that was not written";
}

static const char *call(const struct flow *flow, const struct bpf_insn *insn, struct moment *now)
{
	const struct content *map = &now->registers[BPF_REG_1];
	const struct plan_map *kind = &flow->scope->maps[map->of];
	const char *fault = NULL;
	int returned = NUMBER;

	if (insn->imm != BPF_FUNC_get_smp_processor_id) {
		if (map->holds != MAP)
			return "calls a helper of maps without one";
		fault = readable(flow, now, BPF_REG_2, kind->key_bytes);
	}
	if (insn->imm == BPF_FUNC_map_lookup_elem)
		returned = FOUND;
	if (!fault && insn->imm == BPF_FUNC_map_update_elem) {
		fault = readable(flow, now, BPF_REG_3, kind->value_bytes);
		if (!fault && !is_number(now, BPF_REG_4))
			fault = "calls a helper without its flags";
	}
	for (int i = BPF_REG_1; i <= BPF_REG_5; i++)
		now->registers[i] = (struct content){NOTHING};
	now->registers[BPF_REG_0] = (struct content){returned};
	return fault;
}

static const char *load(const struct bpf_insn *insn, struct moment *now)
{
	int base = now->registers[insn->src_reg].holds;

	if (base == STACK && !is_written(now, insn->off, stage_access_bytes(insn)))
		return "reads stack that was not written";
	if (base == NOTHING || base == NUMBER || base == MAP)
		return "reads by what is no address";
	now->registers[insn->dst_reg] = number;
	return NULL;
}

static const char *store(const struct bpf_insn *insn, struct moment *now)
{
	int base = now->registers[insn->dst_reg].holds;

	if (base == NOTHING || base == NUMBER || base == MAP)
		return "writes by what is no address";
	if (BPF_CLASS(insn->code) == BPF_STX && !is_number(now, insn->src_reg))
		return "stores what is no number";
	if (BPF_MODE(insn->code) == BPF_ATOMIC && insn->imm == BPF_CMPXCHG &&
	    !is_number(now, BPF_REG_0))
		return "exchanges without a number in r0";
	if (base == STACK)
		write_stack(now, insn->off, stage_access_bytes(insn));
	return NULL;
}

static const char *jump(struct flow *flow, uint32_t at, struct moment *now)
{
	const struct bpf_insn *insn = &flow->code[at];
	struct content *left = &now->registers[insn->dst_reg];
	int operation = BPF_OP(insn->code);
	struct moment there;

	if (operation == BPF_JA) {
		meet(flow, at + 1 + insn->off, now);
		return NULL;
	}
	there = *now;
	if (left->holds == FOUND && insn->dst_reg == BPF_REG_0 && !insn->imm &&
	    (insn->code == (BPF_JMP | BPF_JEQ | BPF_K) ||
	     insn->code == (BPF_JMP | BPF_JNE | BPF_K))) {
		/* Where it is null it is the number 0. */
		if (operation == BPF_JEQ)
			there.registers[BPF_REG_0] = number;
		else
			*left = number;
	} else if (left->holds != NUMBER ||
		   (BPF_SRC(insn->code) == BPF_X && !is_number(now, insn->src_reg))) {
		return "compares what is no number";
	}
	meet(flow, at + 1 + insn->off, &there);
	meet(flow, at + 1, now);
	return NULL;
}

/* What the instruction makes of the moment, handed on to where it leads. */
static const char *step(struct flow *flow, uint32_t at)
{
	const struct bpf_insn *insn = &flow->code[at];
	struct moment now = flow->moments[at];
	const char *fault = NULL;
	uint32_t next = at + 1;

	switch (BPF_CLASS(insn->code)) {
	case BPF_ALU:
	case BPF_ALU64:
		fault = at ? arithmetic(flow, insn, &now) : NULL;
		break;
	case BPF_LD:
		now.registers[insn->dst_reg] = number;
		if (insn->src_reg == BPF_PSEUDO_MAP_FD)
			now.registers[BPF_REG_1] = (struct content){MAP, insn->imm};
		else if (insn->src_reg == BPF_PSEUDO_MAP_VALUE)
			now.registers[insn->dst_reg] =
				(struct content){MAP_VALUE, insn->imm, flow->code[at + 1].imm};
		next++;
		break;
	case BPF_LDX:
		fault = load(insn, &now);
		break;
	case BPF_ST:
	case BPF_STX:
		fault = store(insn, &now);
		break;
	default:
		if (insn->code == (BPF_JMP | BPF_EXIT))
			return is_number(&now, BPF_REG_0) ? NULL : "returns what is no number";
		if (insn->code != (BPF_JMP | BPF_CALL))
			return jump(flow, at, &now);
		fault = call(flow, insn, &now);
	}
	if (!fault)
		meet(flow, next, &now);
	return fault;
}

const char *stage_flow_check(const struct bpf_insn *code, uint32_t count,
			     const struct stage_scope *scope, uint32_t *at)
{
	struct moment start = {
		.registers = {[BPF_REG_6] = {EVENT}, [BPF_REG_10] = {STACK}},
	};
	struct flow flow = {.code = code, .scope = scope};
	const char *fault = NULL;

	*at = 0;
	flow.moments = calloc(count, sizeof(*flow.moments));
	if (!flow.moments)
		return "no memory";
	meet(&flow, 0, &start);
	for (int pass = 0; flow.changed && !fault; pass++) {
		flow.changed = false;
		if (pass == PASSES)
			fault = "too many jumps back";
		for (uint32_t i = 0; i < count && !fault; i++) {
			if (!flow.moments[i].reached)
				continue;
			*at = i;
			fault = step(&flow, i);
		}
	}
	free(flow.moments);
	return fault;
}
