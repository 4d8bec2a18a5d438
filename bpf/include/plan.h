/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Plan: what a worker wants done with a probe's events inside the kernel.
 *
 * The worker translates a script's filters and aggregations to BPF instructions, and sends them
 * with the maps they use as one file; the host believes none of it. The two stages take the
 * place of the probe's stage_early() and stage_late().
 *
 * Both sides include this file, the worker gives its text to ffi.cdef. So: plain structs, no
 * includes, no macros in between.
 *
 *   file:  | plan_header | plan_map[map_count] | instructions of early | of late |
 *          | __u32 where[early + late] | contents | text |
 *
 * Instructions are the kernel's struct bpf_insn (8 bytes). ld_imm64 names a map by its index
 * here: src_reg 1 (BPF_PSEUDO_MAP_FD) with imm = index, or src_reg 2 (BPF_PSEUDO_MAP_VALUE)
 * with imm = index and, in its second half, imm = offset in the value.
 * where[i] is the offset in text of "file:line", of what instruction i was made from.
 * contents: of each map in order, of each of its entries: key, then value, without padding.
 * text: strings that end in a zero byte, and so does the whole. */
#ifndef MOONPROBE_PLAN_H
#define MOONPROBE_PLAN_H

enum plan_limit {
	PLAN_MAGIC = 0x4e4c504d, /* "MPLN" */
	PLAN_BYTES_MAX = 1048576,
	PLAN_MAPS_MAX = 48,
	PLAN_STAGE_MAX = 8192, /* instructions of one stage */
	PLAN_KEY_MAX = 256,    /* bytes */
	PLAN_VALUE_MAX = 4096, /* bytes */
	PLAN_ENTRIES_MAX = 1048576,
};

struct plan_header {
	__u32 magic;
	__u32 bytes; /* of the whole file */
	__u32 map_count;
	__u32 early; /* instructions; 0: this stage lets everything pass */
	__u32 late;
	__u32 content_bytes;
	__u32 text_bytes;
	__u32 spare;
};

enum plan_map_kind {
	PLAN_VALUES = 1,      /* array of one, mapped by the worker; its key is a 4-byte 0 */
	PLAN_SET = 2,	      /* hash */
	PLAN_PERCPU_HASH = 3, /* grows as it is filled */
	PLAN_LRU = 4,	      /* per-CPU hash that forgets what was not used for longest */
	PLAN_PERCPU_ARRAY = 5,
};

/* A map with a name is kept: a later body of the same probe that asks for the same name, kind
 * and sizes gets the same map, with what it holds. Others are made anew for each body. */
struct plan_map {
	__u32 kind;
	__u32 key_bytes;
	__u32 value_bytes;
	__u32 max_entries;
	__u32 entries; /* how many the contents have */
	__u32 spare;
	char name[64]; /* ends in a zero byte; empty: none */
};

#endif
