// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* kretprobe: returns of kernel functions, with what they were called with and how long they took.
 * What is read by type is read at the return. */
#include "return.bpf.h"

GENERIC_PROBE(
	return, kernel_return, "One event per return of a kernel function.",
	      "Calls that the compiler inlined; functions that the kernel excludes from tracing; "
	      "calls that began before the probe was attached; of a function that calls itself, "
	      "the outer call.");
ROOM(return_event);

#include "trampoline_return.bpf.h"

SEC("?kprobe.multi")
CHOICE(2) ONLY_WITH(entry) int on_multi_entry(struct pt_regs *ctx)
{
	__u64 slots[SLOTS] = {};

	slots_of_registers(slots, ctx);
	return begin_call(place_of(ctx, entry || want_place), 0, slots);
}

SEC("?kretprobe.multi")
CHOICE(2) int on_multi_return(struct pt_regs *ctx)
{
	__u64 slots[SLOTS] = {};

	slots[SLOT_RESULT] = PT_REGS_RC(ctx);
	return report_return(ctx, place_of(ctx, entry || want_place), 0, slots, false);
}

SEC("?kprobe")
CHOICE(3) ONLY_WITH(entry) int on_breakpoint_entry(struct pt_regs *ctx)
{
	__u64 slots[SLOTS] = {};

	slots_of_registers(slots, ctx);
	return begin_call(place_of(ctx, entry || want_place), 0, slots);
}

SEC("?kretprobe")
CHOICE(3) int on_breakpoint_return(struct pt_regs *ctx)
{
	__u64 slots[SLOTS] = {};

	slots[SLOT_RESULT] = PT_REGS_RC(ctx);
	return report_return(ctx, place_of(ctx, entry || want_place), 0, slots, false);
}
