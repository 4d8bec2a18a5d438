/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Owner: whose a socket or a request is, for events that happen in interrupts.
 *
 *   in its own call: owner_from_current() --> map, by pointer
 *   in an interrupt: map --> owner_wanted(), context_of_owner(), late_of_owner()
 *
 * In an interrupt the current task is whoever was interrupted, so an event never takes its
 * pid from there. Pid 0 says that the owner is not known. */
#ifndef MOONPROBE_OWNER_BPF_H
#define MOONPROBE_OWNER_BPF_H

#include "moonprobe.bpf.h"

struct owner {
	__u32 pid; /* 0: unknown */
	__u32 tid;
	char comm[16];
};

static __always_inline void owner_from_current(struct owner *owner)
{
	owner->pid = current_pid();
	owner->tid = current_tid();
	if (want_comm)
		bpf_get_current_comm(owner->comm, sizeof(owner->comm));
}

static __always_inline void context_of_owner(struct event_context *context,
					     const struct owner *owner)
{
	context->pid = owner->pid;
	context->tid = owner->tid;
}

static __always_inline void late_of_owner(struct event_context *context, const struct owner *owner,
					  __u64 now)
{
	if (want_time_ns)
		context->time_ns = now ? now : bpf_ktime_get_ns();
	if (want_comm)
		__builtin_memcpy(context->comm, owner->comm, sizeof(context->comm));
}

/* As process_wanted(); an unknown owner is wanted as long as no process is picked. */
static __always_inline bool owner_wanted(const struct owner *owner)
{
	if (!owner->pid)
		return !target_pid && !target_by_map;
	return process_wanted(owner->pid);
}

#endif
