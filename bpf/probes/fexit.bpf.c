// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* fexit: returns of a kernel function, by a trampoline and nothing else; kretprobe takes it by
 * itself where it can. */
#include "return.bpf.h"

GENERIC_PROBE(
	return, kernel_return, "One event per return of a kernel function, by a trampoline.",
	      "Calls that the compiler inlined; functions without types in the kernel's BTF; calls "
	      "that began before the probe was attached; of a function that calls itself, the "
	      "outer "
	      "call.");
ROOM(return_event);

SEC("?fentry")
CHOICE(1) ONLY_WITH(entry) int on_trampoline_entry(unsigned long long *ctx)
{
	__u64 slots[SLOTS] = {};

	return begin_call(0, slots);
}

SEC("?fexit")
CHOICE(1) int on_trampoline_exit(unsigned long long *ctx)
{
	__u64 slots[SLOTS] = {};

	slots_of_trampoline(slots, ctx);
	slots[SLOT_RESULT] = result_of_trampoline(ctx);
	return report_return(ctx, 0, slots, true);
}
