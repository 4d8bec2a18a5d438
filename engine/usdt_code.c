// SPDX-License-Identifier: Apache-2.0
#include "usdt_code.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CONTEXT BPF_REG_6
#define SLOTS BPF_REG_7
#define ARGUMENT_INSNS 16
#define SITE_INSNS (USDT_SLOTS * ARGUMENT_INSNS + 4)
#define CODE_INSNS 20000 /* jumps reach 32767 */

struct work {
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

/* The first site that has its arguments where this one has them. */
static int alike(const struct usdt_site *sites, int index)
{
	int i = 0;

	while (strcmp(sites[i].text, sites[index].text))
		i++;
	return i;
}

/* A site's arguments; those that cannot be read stay zero. */
static void put_site(struct work *work, const struct usdt_site *site)
{
	for (int i = 0; i < site->argument_count && i < USDT_SLOTS; i++)
		put_argument(work, &site->arguments[i], i);
}

int usdt_code_make(struct bpf_insn **out, const struct usdt_site *sites, int count)
{
	size_t room = 8 + (size_t)count;
	struct bpf_insn *code, **ends;
	struct work work;
	int kinds = 0, ended = 0;

	for (int i = 0; i < count; i++)
		kinds += alike(sites, i) == i;
	room += (size_t)kinds * SITE_INSNS;
	if (room > CODE_INSNS)
		return -E2BIG;
	code = calloc(room, sizeof(*code));
	ends = calloc(count, sizeof(*ends));
	if (!code || !ends) {
		free(code);
		free(ends);
		return -ENOMEM;
	}
	work.to = code;
	put(&work, BPF_ALU64 | BPF_MOV | BPF_X, CONTEXT, BPF_REG_1, 0, 0);
	put(&work, BPF_ALU64 | BPF_MOV | BPF_X, SLOTS, BPF_REG_2, 0, 0);
	if (kinds > 1)
		put(&work, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_get_attach_cookie);
	for (int i = 0; i < count; i++) {
		struct bpf_insn *next;

		if (alike(sites, i) != i)
			continue;
		if (kinds == 1) {
			put_site(&work, &sites[i]);
			break;
		}
		/* Those of this kind jump over the next jump: one number after the other. */
		next = NULL;
		for (int j = i; j < count; j++)
			if (alike(sites, j) == i) {
				struct bpf_insn *jump =
					put(&work, BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_0, 0, 0, j);

				jump->src_reg = 0;
				jump->off = -1; /* below */
			}
		next = put(&work, BPF_JMP | BPF_JA, 0, 0, 0, 0);
		for (struct bpf_insn *at = next - 1; at->off == -1 && at >= code; at--)
			at->off = (int16_t)(next - at);
		put_site(&work, &sites[i]);
		ends[ended++] = put(&work, BPF_JMP | BPF_JA, 0, 0, 0, 0);
		next->off = (int16_t)(work.to - next - 1);
	}
	for (int i = 0; i < ended; i++)
		ends[i]->off = (int16_t)(work.to - ends[i] - 1);
	put(&work, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0);
	put(&work, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	free(ends);
	*out = code;
	return (int)(work.to - code);
}
