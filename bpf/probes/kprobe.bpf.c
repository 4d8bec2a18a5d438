// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* kprobe: calls of kernel functions.
 *
 * A trampoline is the cheapest way to one function; for many there is kprobe.multi, and where the
 * kernel lacks it, a breakpoint at each. */
#include "entry.bpf.h"

GENERIC_PROBE(entry, kernel_function, "One event per call of a kernel function.",
	      "Calls that the compiler inlined; functions that the kernel excludes from tracing "
	      "(notrace, the kprobes blacklist).");
ROOM(entry_event);

SEC("?fentry")
CHOICE(1) int on_trampoline(unsigned long long *ctx)
{
	__u64 slots[SLOTS] = {};

	slots_of_trampoline(slots, ctx);
	return report_entry(ctx, 0, slots);
}

SEC("?kprobe.multi")
CHOICE(2) int on_multi(struct pt_regs *ctx)
{
	__u64 slots[SLOTS] = {};

	slots_of_registers(slots, ctx);
	return report_entry(ctx, place_of(ctx, want_place), slots);
}

SEC("?kprobe")
CHOICE(3) int on_breakpoint(struct pt_regs *ctx)
{
	__u64 slots[SLOTS] = {};

	slots_of_registers(slots, ctx);
	return report_entry(ctx, place_of(ctx, want_place), slots);
}
