/* SPDX-License-Identifier: Apache-2.0 */
/* Typed code: the BPF instructions that fill an event with what typed.h resolved.
 *
 *   args.sk.__sk_common.skc_dport -.
 *   args.sk.__sk_common.skc_family -+-> one function; what paths share is read once
 *   args.sk.sk_socket.file.f_flags -'
 *
 * A function like those of splice.h, so it can be called, or stand where it was called:
 *   r1 = the event (a map's value, memory of a ring or initialised stack; aligned to 8 bytes)
 *   r2 = __u64 slots[], as many as are named, readable, aligned to 8 bytes; numbers to the
 * verifier, or pointers that it lets one add to (a context; BTF pointers, if they cannot be NULL)
 *   r0 = 0, always
 * It writes nothing but its area of the event, uses r6 and r7 of the registers a function gives
 * back as they were (who calls it does not see it, splice.c saves them), at most
 * TYPED_CODE_STACK bytes below r10, each by a load, a store or the two instructions rN = r10 and
 * rN += offset, and ends in its only exit. It has no loop and no map, and calls
 * bpf_probe_read_{kernel,user}{,_str} only (v5.5 on; programs that trace have them).
 *
 * Values that lie side by side in the event as they do in memory are read at once, so whoever lays
 * an event out does well to keep the order of members. A value that cannot be read is zeros, as are
 * those read at once with it; all others are read nevertheless. Bytes of the area that no value
 * lies on, and those behind the end of a text, are zeros too. */
#ifndef MOONPROBE_TYPED_CODE_H
#define MOONPROBE_TYPED_CODE_H

#include "error.h"
#include "typed.h"

#include <linux/bpf.h>
#include <stdint.h>

#define TYPED_CODE_STACK 64
#define TYPED_CODE_WANTS 64	     /* more could need more stack */
#define TYPED_CODE_EVENT_BYTES 16384 /* where an area ends at most */

struct typed_want {
	const struct typed_access *access;
	uint32_t offset; /* in the event, in bytes; a multiple of access->align */
};

/* The bytes of an event that are the code's: from `from` to before `to`. */
struct typed_area {
	uint32_t from, to;
};

struct typed_code {
	struct bpf_insn *code;
	uint32_t count;
	uint32_t stack_bytes; /* used of TYPED_CODE_STACK */
};

/* 0, -ENOMEM, or -EINVAL with a reason: too many wants, one that is not in the area, is not
 * aligned, lies on another, or whose access is no value. */
int typed_code_make(struct typed_code *code, const struct typed_want *wants, int want_count,
		    struct typed_area area, struct error *error);
void typed_code_free(struct typed_code *code); /* all zeros are fine */

#endif
