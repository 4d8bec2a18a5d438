// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* lsm: where the kernel asks its security modules. It looks on: every answer is "allowed". */
#include "entry.bpf.h"

GENERIC_PROBE(entry, lsm_hook, "One event per question to the security modules, which it allows.",
	      "What an earlier module has refused already; what the answer of later ones is.");
PREEMPTIBLE_ROOM(entry_event);

SEC("?lsm")
CHOICE(1) int on_question(unsigned long long *ctx)
{
	__u64 slots[SLOTS] = {};

	slots_of_trampoline(slots, ctx);
	report_entry(ctx, 0, slots);
	return 0;
}
