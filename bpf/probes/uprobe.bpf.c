// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* uprobe: calls of functions of a user program or library. */
#include "entry.bpf.h"

GENERIC_PROBE(entry, user_function, "One event per call of a function of a program or library.",
	      "Calls that the compiler inlined; functions without a symbol, which can be named by "
	      "their offset.");
PREEMPTIBLE_ROOM(entry_event);

SEC("?uprobe.multi")
CHOICE(1) int on_multi(struct pt_regs *ctx)
{
	__u64 slots[SLOTS] = {};

	slots_of_registers(slots, ctx);
	return report_entry(ctx, place_of(ctx, want_place), slots);
}

SEC("?uprobe")
CHOICE(2) int on_breakpoint(struct pt_regs *ctx)
{
	__u64 slots[SLOTS] = {};

	slots_of_registers(slots, ctx);
	return report_entry(ctx, place_of(ctx, want_place), slots);
}
