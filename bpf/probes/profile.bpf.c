// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* profile: what each CPU does, so many times a second: "profile:99". */
#include "sample.bpf.h"

UNTYPED_PROBE(
	sample, profile, "One event per sample of each CPU that works, at so many Hz.",
	"Idle CPUs; code that runs with interrupts off, whose time is counted where they are on "
	"again.");

SEC("?perf_event")
CHOICE(1) int on_tick(struct bpf_perf_event_data *ctx)
{
	return report_sample(ctx);
}
