// SPDX-License-Identifier: Apache-2.0
#include "splice.h"

#include "record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LD_IMM64 (BPF_LD | BPF_DW | BPF_IMM)
#define KEPT_FIRST BPF_REG_6 /* a function returns with these as they were */
#define KEPT_LAST BPF_REG_9

/* A program being changed. */
struct work {
	const struct bpf_insn *code;
	uint32_t count;
	const struct splice_part *parts;
	struct place *places; /* of the instructions, and one for the end */
	uint32_t *path;	      /* instructions still to be looked at */
	struct splice *out;
};

struct place {
	uint32_t at;   /* where it goes */
	bool starts;   /* a function */
	bool is_gone;  /* in a stage that is replaced */
	bool was_seen; /* by is_needed() */
	int8_t site;   /* which stage is called here and replaced; -1: none */
	uint8_t saved; /* at such a site: bit i for register KEPT_FIRST + i */
	uint16_t frame;
};

/* Calls a function of the program, or takes its address. Both count from the next one. */
static bool refers_to_function(const struct bpf_insn *insn)
{
	return (insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_CALL) ||
	       (insn->code == LD_IMM64 && insn->src_reg == BPF_PSEUDO_FUNC);
}

static bool jumps(const struct bpf_insn *insn)
{
	int class = BPF_CLASS(insn->code), operation = BPF_OP(insn->code);

	return (class == BPF_JMP || class == BPF_JMP32) && operation != BPF_CALL &&
	       operation != BPF_EXIT;
}

static bool starts_stage(const struct bpf_insn *insn, int stub)
{
	static const int magic[SPLICE_STUBS] = {
		[SPLICE_EARLY] = STAGE_EARLY_MAGIC,
		[SPLICE_LATE] = STAGE_LATE_MAGIC,
		[SPLICE_TYPED_EARLY] = TYPED_EARLY_MAGIC,
		[SPLICE_TYPED_LATE] = TYPED_LATE_MAGIC,
		[SPLICE_SLOTS] = SLOTS_MAGIC,
	};

	return insn->code == (BPF_ALU64 | BPF_MOV | BPF_K) && insn->dst_reg == BPF_REG_0 &&
	       insn->imm == magic[stub];
}

/* The stage that is replaced and starts with this instruction; -1: none. */
static int replaced_stage(const struct work *work, const struct bpf_insn *insn)
{
	for (int stage = 0; stage < SPLICE_STUBS; stage++)
		if (work->parts[stage].code && starts_stage(insn, stage))
			return stage;
	return -1;
}

static int find_functions(struct work *work)
{
	for (uint32_t i = 0; i < work->count; i++) {
		const struct bpf_insn *insn = &work->code[i];
		int64_t target = (int64_t)i + 1 + insn->imm;

		work->places[i].site = -1;
		if (!refers_to_function(insn))
			continue;
		if (target <= 0 || target >= work->count)
			return -EINVAL;
		work->places[target].starts = true;
		if (insn->code != LD_IMM64)
			work->places[i].site = replaced_stage(work, &work->code[target]);
	}
	return 0;
}

/* How deep the stack is that the function uses which starts at `from`. An address in it is r10
 * and then something less, or a sum that looks like one. */
static uint32_t frame_of(const struct work *work, uint32_t from)
{
	int lowest = 0;

	for (uint32_t i = from; i < work->count && (i == from || !work->places[i].starts); i++) {
		const struct bpf_insn *insn = &work->code[i];
		int class = BPF_CLASS(insn->code), offset = 0;

		if ((class == BPF_LDX && insn->src_reg == BPF_REG_10) ||
		    ((class == BPF_ST || class == BPF_STX) && insn->dst_reg == BPF_REG_10))
			offset = insn->off;
		else if (insn->code == (BPF_ALU64 | BPF_ADD | BPF_K) && insn->imm >= -512)
			offset = insn->imm;
		if (offset < lowest)
			lowest = offset;
	}
	return (-lowest + 7) / 8 * 8;
}

static bool reads(const struct bpf_insn *insn, int reg)
{
	bool by_register = BPF_SRC(insn->code) == BPF_X && insn->src_reg == reg;

	switch (BPF_CLASS(insn->code)) {
	case BPF_ALU:
	case BPF_ALU64:
		return by_register || (insn->dst_reg == reg && BPF_OP(insn->code) != BPF_MOV);
	case BPF_LDX:
		return insn->src_reg == reg;
	case BPF_ST:
		return insn->dst_reg == reg;
	case BPF_STX:
		return insn->dst_reg == reg || insn->src_reg == reg;
	case BPF_JMP:
	case BPF_JMP32:
		return BPF_OP(insn->code) != BPF_CALL && (by_register || insn->dst_reg == reg);
	}
	return false;
}

static bool writes(const struct bpf_insn *insn, int reg)
{
	switch (BPF_CLASS(insn->code)) {
	case BPF_ALU:
	case BPF_ALU64:
	case BPF_LDX:
		return insn->dst_reg == reg;
	case BPF_LD:
		return insn->code == LD_IMM64 && insn->dst_reg == reg;
	}
	return false;
}

/* Is a register read, from `from` on, before it is written? */
static bool is_needed(struct work *work, uint32_t from, int reg)
{
	uint32_t waiting = 0;

	for (uint32_t i = 0; i < work->count; i++)
		work->places[i].was_seen = false;
	work->path[waiting++] = from;
	while (waiting) {
		uint32_t i = work->path[--waiting];
		const struct bpf_insn *insn = &work->code[i];

		if (i >= work->count || work->places[i].was_seen)
			continue;
		work->places[i].was_seen = true;
		if (reads(insn, reg))
			return true;
		if (writes(insn, reg) || insn->code == (BPF_JMP | BPF_EXIT))
			continue;
		if (jumps(insn))
			work->path[waiting++] = i + 1 + insn->off;
		if (insn->code != (BPF_JMP | BPF_JA))
			work->path[waiting++] = i + (insn->code == LD_IMM64 ? 2 : 1);
	}
	return false;
}

/* Which registers have to be put aside where a stage is called. */
static uint8_t saved_at(struct work *work, uint32_t site)
{
	const struct splice_part *part = &work->parts[work->places[site].site];
	uint8_t saved = 0;

	for (int reg = KEPT_FIRST; reg <= KEPT_LAST; reg++) {
		bool is_used = false;

		for (uint32_t i = 0; i < part->count; i++)
			is_used |= writes(&part->code[i], reg);
		if (is_used && is_needed(work, site + 1, reg))
			saved |= 1 << (reg - KEPT_FIRST);
	}
	return saved;
}

/* Where everything goes. */
static void lay_out(struct work *work)
{
	uint32_t at = 0, frame = 0;
	bool is_gone = false;

	for (uint32_t i = 0; i < work->count; i++) {
		struct place *place = &work->places[i];

		if (!i || place->starts) {
			is_gone = i && replaced_stage(work, &work->code[i]) >= 0;
			frame = frame_of(work, i);
		}
		place->at = at;
		place->is_gone = is_gone;
		if (is_gone)
			continue;
		at++;
		if (place->site < 0)
			continue;
		place->saved = saved_at(work, i);
		place->frame = frame;
		at += 2 * __builtin_popcount(place->saved) + work->parts[place->site].count - 1;
	}
	work->places[work->count].at = at;
}

/* Instructions that keep a register in the stack, at -offset, or bring it back. */
static struct bpf_insn save(int reg, int offset)
{
	return (struct bpf_insn){.code = BPF_STX | BPF_MEM | BPF_DW,
				 .dst_reg = BPF_REG_10,
				 .src_reg = reg,
				 .off = -offset};
}

static struct bpf_insn restore(int reg, int offset)
{
	return (struct bpf_insn){.code = BPF_LDX | BPF_MEM | BPF_DW,
				 .dst_reg = reg,
				 .src_reg = BPF_REG_10,
				 .off = -offset};
}

static bool is_target(const struct splice_part *part, uint32_t at)
{
	for (uint32_t i = 0; i < part->count; i++)
		if (jumps(&part->code[i]) && i + 1 + part->code[i].off == at)
			return true;
	return false;
}

/* Moves the stack that a part uses `down` by so many bytes. Its addresses are made in two steps,
 * r2 = r10 and r2 += offset, which must not be taken apart. */
static int move_stack(struct bpf_insn *code, const struct splice_part *part, int down)
{
	for (uint32_t i = 0; i < part->count; i++) {
		int class = BPF_CLASS(code[i].code);

		if ((class == BPF_LDX && code[i].src_reg == BPF_REG_10) ||
		    ((class == BPF_ST || class == BPF_STX) && code[i].dst_reg == BPF_REG_10)) {
			code[i].off -= down;
		} else if (code[i].code == (BPF_ALU64 | BPF_MOV | BPF_X) &&
			   code[i].src_reg == BPF_REG_10) {
			const struct bpf_insn *next = &part->code[i + 1];

			if (i + 1 == part->count || next->code != (BPF_ALU64 | BPF_ADD | BPF_K) ||
			    next->dst_reg != code[i].dst_reg || is_target(part, i + 1))
				return -EINVAL;
			code[i + 1].imm -= down;
		}
	}
	return 0;
}

/* A stage in the place of its call: it ends by going on behind itself. */
static int put_stage(const struct work *work, const struct place *place)
{
	const struct splice_part *part = &work->parts[place->site];
	struct bpf_insn *to = work->out->code + place->at, *first;
	int aside = place->frame, err;

	for (int reg = KEPT_FIRST; reg <= KEPT_LAST; reg++)
		if (place->saved >> (reg - KEPT_FIRST) & 1)
			*to++ = save(reg, aside += 8);
	if (!work->out->at[place->site])
		work->out->at[place->site] = to - work->out->code;
	first = to;
	memcpy(first, part->code, part->count * sizeof(*first));
	err = move_stack(first, part, aside);
	for (uint32_t i = 0; i < part->count; i++)
		if (first[i].code == (BPF_JMP | BPF_EXIT))
			first[i] = (struct bpf_insn){.code = BPF_JMP | BPF_JA,
						     .off = part->count - i - 1};
	to += part->count;
	for (int reg = KEPT_LAST; reg >= KEPT_FIRST; reg--)
		if (place->saved >> (reg - KEPT_FIRST) & 1) {
			*to++ = restore(reg, aside);
			aside -= 8;
		}
	return err;
}

/* An instruction of the program's own, which leads where it did. */
static int put_own(const struct work *work, uint32_t i)
{
	struct bpf_insn *to = &work->out->code[work->places[i].at];
	int64_t next = work->places[i].at + 1;

	*to = work->code[i];
	if (refers_to_function(to)) {
		to->imm = work->places[i + 1 + to->imm].at - next;
	} else if (jumps(to)) {
		int64_t target = (int64_t)i + 1 + to->off;

		if (target < 0 || target > work->count)
			return -EINVAL;
		target = work->places[target].at - next;
		to->off = target;
		if (to->off != target)
			return -E2BIG;
	}
	return 0;
}

static int put_all(const struct work *work)
{
	int err = 0;

	for (uint32_t i = 0; i < work->count && !err; i++) {
		const struct place *place = &work->places[i];

		if (place->is_gone)
			continue;
		err = place->site >= 0 ? put_stage(work, place) : put_own(work, i);
	}
	return err;
}

int splice_make(struct splice *splice, const struct bpf_insn *code, uint32_t count,
		const struct splice_part parts[SPLICE_STUBS])
{
	struct work work = {.code = code, .count = count, .parts = parts, .out = splice};
	int err = -ENOMEM;

	memset(splice, 0, sizeof(*splice));
	work.places = calloc(count + 1, sizeof(*work.places));
	work.path = calloc(2 * count + 1, sizeof(*work.path));
	if (work.places && work.path)
		err = find_functions(&work);
	if (!err) {
		lay_out(&work);
		splice->count = work.places[count].at;
		splice->code = calloc(splice->count, sizeof(*splice->code));
		splice->moved = calloc(count, sizeof(*splice->moved));
		err = splice->code && splice->moved ? put_all(&work) : -ENOMEM;
	}
	for (uint32_t i = 0; i < count && !err; i++)
		splice->moved[i] = work.places[i].is_gone ? SPLICE_GONE : work.places[i].at;
	free(work.places);
	free(work.path);
	if (err) {
		splice_free(splice);
	}
	return err;
}

void splice_free(struct splice *splice)
{
	free(splice->code);
	free(splice->moved);
	splice->code = NULL;
	splice->moved = NULL;
}

bool splice_has(const struct bpf_insn *code, uint32_t count, enum splice_stub stub)
{
	for (uint32_t i = 0; i < count; i++) {
		int64_t target = (int64_t)i + 1 + code[i].imm;

		if (refers_to_function(&code[i]) && target > 0 && target < count &&
		    starts_stage(&code[target], stub))
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
