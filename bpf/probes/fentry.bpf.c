// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* fentry: calls of a kernel function, by a trampoline and nothing else; kprobe takes it by itself
 * where it can. */
#include "entry.bpf.h"

GENERIC_PROBE(entry, kernel_function, "One event per call of a kernel function, by a trampoline.",
	      "Calls that the compiler inlined; functions that neither the kernel's BTF nor their "
	      "module's has types of.");
ROOM(entry_event);

SEC("?fentry")
CHOICE(1) int on_trampoline(unsigned long long *ctx)
{
	__u64 slots[SLOTS] = {};

	slots_of_trampoline(slots, ctx);
	return report_entry(ctx, 0, slots);
}
