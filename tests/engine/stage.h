/* SPDX-License-Identifier: Apache-2.0 */
/* Stage: instructions and plans as the tests of the engine write them by hand. */
#ifndef MOONPROBE_TEST_STAGE_H
#define MOONPROBE_TEST_STAGE_H

#include "plan.h"

#include <linux/bpf.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define INSN(c, d, s, o, i)                                                                        \
	((struct bpf_insn){.code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i)})
#define MOVE(d, s) INSN(BPF_ALU64 | BPF_MOV | BPF_X, d, s, 0, 0)
#define SET(d, i) INSN(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, i)
#define COMPUTE(op, d, i) INSN(BPF_ALU64 | (op) | BPF_K, d, 0, 0, i)
#define COMBINE(op, d, s) INSN(BPF_ALU64 | (op) | BPF_X, d, s, 0, 0)
#define LOAD(size, d, s, o) INSN(BPF_LDX | BPF_MEM | (size), d, s, o, 0)
#define STORE(size, d, o, s) INSN(BPF_STX | BPF_MEM | (size), d, s, o, 0)
#define STORE_IMM(size, d, o, i) INSN(BPF_ST | BPF_MEM | (size), d, 0, o, i)
#define ATOMIC(op, d, o, s) INSN(BPF_STX | BPF_ATOMIC | BPF_DW, d, s, o, op)
#define JUMP(o) INSN(BPF_JMP | BPF_JA, 0, 0, o, 0)
#define JUMP_IF(op, d, i, o) INSN(BPF_JMP | (op) | BPF_K, d, 0, o, i)
#define CALL(f) INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_##f)
#define EXIT INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)
/* Two instructions each. */
#define CONSTANT(d, low, high) INSN(BPF_LD | BPF_DW | BPF_IMM, d, 0, 0, low), INSN(0, 0, 0, 0, high)
#define MAP(index)                                                                                 \
	INSN(BPF_LD | BPF_DW | BPF_IMM, 1, BPF_PSEUDO_MAP_FD, 0, index),                           \
	{                                                                                          \
		0                                                                                  \
	}
#define MAP_VALUE_AT(index, offset) MAP_VALUE_INTO(1, index, offset)
#define MAP_VALUE_INTO(d, index, offset)                                                           \
	INSN(BPF_LD | BPF_DW | BPF_IMM, d, BPF_PSEUDO_MAP_VALUE, 0, index), INSN(0, 0, 0, 0, offset)
#define START MOVE(6, 1)

/* A plan being put together; the parts are the caller's. */
struct draft {
	struct plan_map maps[4];
	uint32_t map_count;
	const struct bpf_insn *early, *late;
	uint32_t early_count, late_count;
	const void *contents;
	uint32_t content_bytes;
};

#define DRAFT_TEXT "script.lua:1"

/* The file's bytes; how many. Each instruction comes from script.lua:1. */
static inline uint32_t draft_write(const struct draft *draft, unsigned char *file)
{
	uint32_t count = draft->early_count + draft->late_count;
	struct plan_header header = {
		.magic = PLAN_MAGIC,
		.map_count = draft->map_count,
		.early = draft->early_count,
		.late = draft->late_count,
		.content_bytes = draft->content_bytes,
		.text_bytes = sizeof(DRAFT_TEXT),
	};
	const struct {
		const void *from;
		uint32_t bytes;
	} parts[] = {
		{draft->maps, sizeof(*draft->maps) * draft->map_count},
		{draft->early, sizeof(struct bpf_insn) * draft->early_count},
		{draft->late, sizeof(struct bpf_insn) * draft->late_count},
		{NULL, sizeof(uint32_t) * count},
		{draft->contents, draft->content_bytes},
		{DRAFT_TEXT, sizeof(DRAFT_TEXT)},
	};

	header.bytes = sizeof(header);
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		if (parts[i].from && parts[i].bytes)
			memcpy(file + header.bytes, parts[i].from, parts[i].bytes);
		else
			memset(file + header.bytes, 0, parts[i].bytes);
		header.bytes += parts[i].bytes;
	}
	memcpy(file, &header, sizeof(header));
	return header.bytes;
}

static inline int memory_file(const void *bytes, size_t size)
{
	int fd = memfd_create("plan", MFD_CLOEXEC);

	if (fd >= 0 && write(fd, bytes, size) != (ssize_t)size) {
		close(fd);
		fd = -1;
	}
	return fd;
}

#endif
