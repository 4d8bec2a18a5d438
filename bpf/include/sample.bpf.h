/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Sample: an event for each tick of a clock or overflow of a counter. */
#ifndef MOONPROBE_SAMPLE_BPF_H
#define MOONPROBE_SAMPLE_BPF_H

#include <linux/bpf_perf_event.h>
#include "room.bpf.h"
#include "slots.bpf.h"
#include "stack.bpf.h"

struct sample_event {
	struct event_context context;
	__u64 ip FIELD("where the CPU was: a kernel address, or one of the process");
	__u64 period FIELD("of the counter: what one sample stands for");
	__u32 uid FIELD("real user id");
	kernel_stack kstack FIELD("what the kernel was doing, while it ran");
	user_stack
		ustack FIELD("what the process was doing, or had been when it entered the kernel");
	bool in_kernel FIELD("the kernel was running, for the process or for itself");
};
static int stage_early(struct sample_event *event);
static int stage_late(struct sample_event *event);

FIELD_SWITCH(uid);

static __always_inline int report_sample(struct bpf_perf_event_data *ctx)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct sample_event event = {};

	if (!process_wanted(id >> 32))
		return 0;
	context_of_id(&event.context, id);
	event.ip = PT_REGS_IP(&ctx->regs);
	event.period = ctx->sample_period;
	if (want_uid)
		event.uid = (__u32)bpf_get_current_uid_gid();
	event.in_kernel = (__s64)event.ip < 0;
	if (!stage_early(&event))
		return 0;
	late_of_current(&event.context, 0);
	if (want_kstack)
		event.kstack = kernel_stack_here(ctx);
	if (want_ustack)
		event.ustack = user_stack_here(ctx, event.context.pid);
	event_send(&event.context.header, sizeof(event), stage_late(&event));
	return 0;
}

#endif
