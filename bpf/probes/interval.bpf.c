// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* interval: a clock on one CPU, in the kernel: "interval:10ms". For a script's own timers there is
 * mp.every(). */
#include "sample.bpf.h"

UNTYPED_PROBE(sample, interval, "One event per tick of a clock on the first CPU, while it works.",
	      "Ticks while that CPU is idle.");

SEC("?perf_event")
CHOICE(1) int on_tick(struct bpf_perf_event_data *ctx)
{
	return report_sample(ctx);
}
