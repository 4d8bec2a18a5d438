/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Trampoline return: the programs of a probe at a function's return by a trampoline, its first
 * choice. Included behind GENERIC_PROBE(return, ...) and ROOM(return_event). */
#ifndef MOONPROBE_TRAMPOLINE_RETURN_BPF_H
#define MOONPROBE_TRAMPOLINE_RETURN_BPF_H

#include "return.bpf.h"

SEC("?fentry")
CHOICE(1) ONLY_WITH(entry) int on_trampoline_entry(unsigned long long *ctx)
{
	__u64 slots[SLOTS] = {};

	return begin_call(0, 0, slots);
}

SEC("?fexit")
CHOICE(1) int on_trampoline_exit(unsigned long long *ctx)
{
	__u64 slots[SLOTS] = {};

	slots_of_trampoline(slots, ctx);
	slots[SLOT_RESULT] = result_of_trampoline(ctx);
	return report_return(ctx, 0, 0, slots, true);
}

#endif
