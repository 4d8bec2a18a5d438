// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* hardware: a counter of the CPU's, by perf: each time it has gone on by so many. */
#include "sample.bpf.h"

UNTYPED_PROBE(sample, hardware_event,
	      "One event per so many counts of a CPU counter: hardware:cache-misses:10000.",
	      "What happens between two events: one stands for `period` counts; code that runs "
	      "with interrupts off.");

SEC("?perf_event")
CHOICE(1) int on_count(struct bpf_perf_event_data *ctx)
{
	return report_sample(ctx);
}
