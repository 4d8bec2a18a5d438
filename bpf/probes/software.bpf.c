// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* software: a counter of the kernel's, by perf: each time it has gone on by so many. */
#include "sample.bpf.h"

UNTYPED_PROBE(sample, software_event,
	      "One event per so many counts of a kernel counter: software:page-faults:100.",
	      "What happens between two events: one stands for `period` counts.");

SEC("?perf_event")
CHOICE(1) int on_count(struct bpf_perf_event_data *ctx)
{
	return report_sample(ctx);
}
