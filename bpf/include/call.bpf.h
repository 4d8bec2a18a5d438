/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Call: a system call from its begin to its end, with its arguments.
 *
 *   begin: process_wanted --> kept with the thread
 *   end:   what was kept  --> report(), which the probe defines
 *
 *	CALL("", fsync, CALL_FSYNC, 1)
 *
 * are the two programs of fsync(2), which has one argument. Text that arguments point to is
 * read at the end: by then the kernel has read it, too, so its page is in memory. */
#ifndef MOONPROBE_CALL_BPF_H
#define MOONPROBE_CALL_BPF_H

#include "moonprobe.bpf.h"

/* A call that is running. start_ns is 0 when there is none. */
struct running_call {
	__u64 start_ns;
	__u64 args[6];
	__u32 which; /* the probe's own number for it */
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct running_call);
} calls SEC(".maps");

static __always_inline int report(struct running_call *call, long result, __u64 start_ns);

/* No argument is read that the call has not: the kernel refuses such a program. */
static __always_inline int call_begin(struct trace_event_raw_sys_enter *entry, __u32 which,
				      int arguments)
{
	struct running_call *call;

	if (!process_wanted(current_pid()))
		return 0;
	call = bpf_task_storage_get(&calls, bpf_get_current_task_btf(), NULL,
				    BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!call) {
		count_lost_map();
		return 0;
	}
	if (arguments > 0)
		call->args[0] = entry->args[0];
	if (arguments > 1)
		call->args[1] = entry->args[1];
	if (arguments > 2)
		call->args[2] = entry->args[2];
	if (arguments > 3)
		call->args[3] = entry->args[3];
	if (arguments > 4)
		call->args[4] = entry->args[4];
	if (arguments > 5)
		call->args[5] = entry->args[5];
	call->which = which;
	call->start_ns = bpf_ktime_get_ns();
	return 0;
}

static __always_inline int call_end(long result)
{
	struct running_call *call;
	__u64 start_ns;

	call = bpf_task_storage_get(&calls, bpf_get_current_task_btf(), NULL, 0);
	if (!call || !call->start_ns)
		return 0;
	start_ns = call->start_ns;
	call->start_ns = 0;
	return report(call, result, start_ns);
}

#define CALL(optional, name, which, arguments)                                                     \
	SEC(optional "tp/syscalls/sys_enter_" #name)                                               \
	int on_enter_##name(struct trace_event_raw_sys_enter *entry)                               \
	{                                                                                          \
		return call_begin(entry, which, arguments);                                        \
	}                                                                                          \
	SEC(optional "tp/syscalls/sys_exit_" #name)                                                \
	int on_exit_##name(struct trace_event_raw_sys_exit *entry)                                 \
	{                                                                                          \
		return call_end(entry->ret);                                                       \
	}

#endif
