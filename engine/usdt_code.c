// SPDX-License-Identifier: Apache-2.0
#include "usdt_code.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CONTEXT BPF_REG_6
#define SLOTS BPF_REG_7
#define ARGUMENT_INSNS 16
#define SITE_INSNS(arguments) ((arguments)*ARGUMENT_INSNS + 4)
#define CODE_INSNS 20000 /* jumps reach 32767 */
/* A branch each, of which the verifier keeps 8192 in mind (kernel/bpf/verifier.c). */
#define SITES_MOST 4000
#define KINDS_MOST (CODE_INSNS / SITE_INSNS(6)) /* with more arguments fewer: make() looks */

struct work {
	int arguments;
	struct bpf_insn *to;
};

static struct bpf_insn *put(struct work *work, int code, int dst, int src, int off, int imm)
{
	*work->to = (struct bpf_insn){
		.code = code, .dst_reg = dst, .src_reg = src, .off = off, .imm = imm};
	return work->to++;
}

static void put_constant(struct work *work, int dst, int64_t value)
{
	put(work, BPF_LD | BPF_DW | BPF_IMM, dst, 0, 0, (int32_t)value);
	put(work, 0, 0, 0, 0, (int32_t)(value >> 32));
}

static void put_register(struct work *work, int dst, int at)
{
	put(work, BPF_LDX | BPF_MEM | BPF_DW, dst, CONTEXT, at, 0);
}

/* r3 becomes as wide as the argument is, and goes into its slot. */
static void put_slot(struct work *work, const struct usdt_argument *argument, int slot)
{
	int rest = 64 - 8 * argument->bytes;

	if (argument->shift)
		put(work, BPF_ALU64 | BPF_RSH | BPF_K, BPF_REG_3, 0, 0, argument->shift);
	if (rest) {
		put(work, BPF_ALU64 | BPF_LSH | BPF_K, BPF_REG_3, 0, 0, rest);
		put(work, BPF_ALU64 | (argument->is_signed ? BPF_ARSH : BPF_RSH) | BPF_K, BPF_REG_3,
		    0, 0, rest);
	}
	put(work, BPF_STX | BPF_MEM | BPF_DW, SLOTS, BPF_REG_3, 8 * slot, 0);
}

/* Where it lies, in r3: base + index * scale + value. */
static void put_address(struct work *work, const struct usdt_argument *argument)
{
	put_constant(work, BPF_REG_3, argument->value);
	if (argument->base != USDT_NO_REGISTER) {
		put_register(work, BPF_REG_1, argument->base);
		put(work, BPF_ALU64 | BPF_ADD | BPF_X, BPF_REG_3, BPF_REG_1, 0, 0);
	}
	if (argument->index != USDT_NO_REGISTER) {
		put_register(work, BPF_REG_1, argument->index);
		put(work, BPF_ALU64 | BPF_MUL | BPF_K, BPF_REG_1, 0, 0, argument->scale);
		put(work, BPF_ALU64 | BPF_ADD | BPF_X, BPF_REG_3, BPF_REG_1, 0, 0);
	}
}

static void put_argument(struct work *work, const struct usdt_argument *argument, int slot)
{
	switch (argument->kind) {
	case USDT_UNREADABLE:
		return;
	case USDT_CONSTANT:
		put_constant(work, BPF_REG_3, argument->value);
		break;
	case USDT_REGISTER:
		put_register(work, BPF_REG_3, argument->base);
		break;
	case USDT_MEMORY:
		put_address(work, argument);
		put(work, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_2, 0, 0, argument->bytes);
		put(work, BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_1, SLOTS, 0, 0);
		put(work, BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_1, 0, 0, 8 * slot);
		put(work, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_probe_read_user);
		put(work, BPF_LDX | BPF_MEM | BPF_DW, BPF_REG_3, SLOTS, 8 * slot, 0);
		break;
	}
	put_slot(work, argument, slot);
}

/* Sites that have their arguments in the same places are of a kind. */
struct kinds {
	int first[KINDS_MOST]; /* the first site of each */
	int count;
	int *of; /* of each site */
};

/* A file may have more sites than anybody would wait for: each is compared with few. */
static int sort_by_kind(struct kinds *kinds, const struct usdt_site *sites, int count)
{
	kinds->of = calloc(count, sizeof(*kinds->of));
	if (!kinds->of)
		return -ENOMEM;
	for (int i = 0; i < count; i++) {
		int kind = 0;

		while (kind < kinds->count && strcmp(sites[kinds->first[kind]].text, sites[i].text))
			kind++;
		if (kind == KINDS_MOST)
			return -E2BIG;
		if (kind == kinds->count)
			kinds->first[kinds->count++] = i;
		kinds->of[i] = kind;
	}
	return 0;
}

/* A site's arguments; those that cannot be read stay zero. */
static void put_site(struct work *work, const struct usdt_site *site)
{
	for (int i = 0; i < site->argument_count && i < work->arguments; i++)
		put_argument(work, &site->arguments[i], i);
}

/* For those of the kind, which jump over the last jump: one number after the other. */
static void put_kind(struct work *work, const struct kinds *kinds, int kind,
		     const struct usdt_site *sites, int count, struct bpf_insn **end)
{
	struct bpf_insn *first = work->to, *next;

	for (int i = kinds->first[kind]; i < count; i++)
		if (kinds->of[i] == kind)
			put(work, BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_0, 0, 0, i);
	next = put(work, BPF_JMP | BPF_JA, 0, 0, 0, 0);
	for (struct bpf_insn *at = first; at < next; at++)
		at->off = (int16_t)(next - at);
	put_site(work, &sites[kinds->first[kind]]);
	*end = put(work, BPF_JMP | BPF_JA, 0, 0, 0, 0);
	next->off = (int16_t)(work->to - next - 1);
}

static int make(struct bpf_insn **out, const struct kinds *kinds, const struct usdt_site *sites,
		int count, int arguments)
{
	size_t room = 8 + (size_t)count + (size_t)kinds->count * SITE_INSNS(arguments);
	struct bpf_insn *ends[KINDS_MOST];
	struct work work = {.arguments = arguments};

	if (room > CODE_INSNS)
		return -E2BIG;
	work.to = *out = calloc(room, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	put(&work, BPF_ALU64 | BPF_MOV | BPF_X, CONTEXT, BPF_REG_1, 0, 0);
	put(&work, BPF_ALU64 | BPF_MOV | BPF_X, SLOTS, BPF_REG_2, 0, 0);
	if (kinds->count == 1) {
		put_site(&work, sites);
	} else {
		put(&work, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_get_attach_cookie);
		for (int kind = 0; kind < kinds->count; kind++)
			put_kind(&work, kinds, kind, sites, count, &ends[kind]);
		for (int kind = 0; kind < kinds->count; kind++)
			ends[kind]->off = (int16_t)(work.to - ends[kind] - 1);
	}
	put(&work, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0);
	put(&work, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	return (int)(work.to - *out);
}

int usdt_code_make(struct bpf_insn **code, const struct usdt_site *sites, int count, int arguments)
{
	struct kinds kinds = {0};
	int made;

	if (count > SITES_MOST)
		return -E2BIG;
	made = sort_by_kind(&kinds, sites, count);
	if (!made)
		made = make(code, &kinds, sites, count, arguments);
	free(kinds.of);
	return made;
}
