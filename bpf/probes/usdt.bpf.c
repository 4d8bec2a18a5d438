// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* usdt: the probes that a program's author has put into it (<sys/sdt.h>).
 *
 * Where the arguments of a site are its note says; the engine makes the code that fetches them
 * (engine/usdt_code.h). The first six are in every event; what reads more of them has them by
 * their slots (engine/target_usdt.c). */
#include "entry.bpf.h"

#define SITE_SLOTS 12 /* USDT_ARGUMENTS */

GENERIC_PROBE(
	entry, usdt, "One event per hit of a static probe, with its arguments arg0 to arg11.",
	"Arguments that are floating-point numbers or lie relative to a symbol: these read as 0.");
PREEMPTIBLE_ROOM(entry_event);

static __noinline int slots_of_site(struct pt_regs *ctx,
				    __u64 *slots){TYPED_STUB(SLOTS_MAGIC, ctx, slots)}

SEC("?uprobe") CHOICE(1) int on_site(struct pt_regs *ctx)
{
	__u64 slots[SITE_SLOTS] = {};

	slots_of_site(ctx, slots);
	return report_entry(ctx, place_of(ctx, want_place), slots);
}
