// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* rawtracepoint: a tracepoint with the arguments that the kernel itself hands over. */
#include "entry.bpf.h"

GENERIC_PROBE(entry, raw_tracepoint, "One event per hit of a raw tracepoint.",
	      "What is between two tracepoints.");
ROOM(entry_event);

SEC("?raw_tp")
CHOICE(1) int on_hit(const unsigned long long *ctx)
{
	__u64 slots[SLOTS] = {};

	slots_of_trampoline(slots, ctx);
	return report_entry((void *)ctx, 0, slots);
}
