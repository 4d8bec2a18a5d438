// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* syscall: every system call, when it returns.
 *
 * The two hooks run on each call of each process while this probe is attached, so the way
 * is short: nothing is copied at the entry, arguments are taken from the saved registers at
 * the return, where they still are, and only of events that pass the early stage. Which
 * calls are reported does not depend on the fields that are read: each is paired. */
#include "moonprobe.bpf.h"
#include <stddef.h>

struct syscall_event {
	struct event_context context;
	__u64 latency_ns FIELD("time in the kernel");
	syscall_result result FIELD("what the call returned");
	syscall_number number FIELD("which call");
	__u64 args[6] FIELD("arguments as in the registers, also those the call has not; "
			    "lost after a successful execve(2) and rt_sigreturn(2)");
};
PROBE(syscall, "One event per system call, when it returns.",
      "Calls that were running when the probe was attached; calls that never return "
      "(exit, exit_group); calls seccomp refuses; the child's return from fork and clone. "
      "Calls of 32-bit programs appear with the numbers of the 32-bit table.");

const volatile __s32 only_number KNOB("report only this call, -1: all") = -1;
const volatile __u32 failed_only KNOB("1 reports only calls that failed") = 0;
const volatile __u64 min_ns KNOB("report only calls that take at least this long, in ns") = 0;

FIELD_SWITCH(latency_ns);
FIELD_LATE(args);

/* The call a thread is in. start_ns is 0 when there is none. */
struct syscall_call {
	__u64 start_ns;
	__u64 number;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct syscall_call);
} calls SEC(".maps");

#define MAX_ERRNO 4095 /* include/linux/err.h: results down to -4095 are errors */

static __always_inline bool has_failed(long result)
{
	return result < 0 && result >= -MAX_ERRNO;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(on_enter, struct pt_regs___kernel *registers, long number)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct syscall_call *call;

	if (only_number >= 0 && number != only_number)
		return 0;
	if (!process_wanted(task->tgid))
		return 0;
	call = bpf_task_storage_get(&calls, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!call) {
		count_lost_map();
		return 0;
	}
	call->number = number;
	call->start_ns = want_latency_ns || min_ns ? bpf_ktime_get_ns() : 1;
	return 0;
}

static __always_inline int report(struct task_struct *task, struct pt_regs___kernel *registers,
				  __u32 number, long result, __u64 now, __u64 latency_ns)
{
	struct syscall_event event = {};

	context_of_task(&event.context, task);
	event.latency_ns = latency_ns;
	event.result = result;
	event.number = number;
	if (!stage_early(&event))
		return 0;
	late_of_task(&event.context, task, now);
	if (want_args)
		syscall_arguments(event.args, registers);
	/* Arguments nobody reads do not take room in the ring. */
	event_send(&event.context.header,
		   want_args ? sizeof(event) : offsetof(struct syscall_event, args),
		   stage_late(&event));
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(on_exit, struct pt_regs___kernel *registers, long result)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 now = 0, latency_ns = 0;
	struct syscall_call *call;

	/* With -p this is cheaper than the look-up, and most calls are not wanted. */
	if (target_pid && !process_wanted(task->tgid))
		return 0;
	call = bpf_task_storage_get(&calls, task, NULL, 0);
	if (!call || !call->start_ns)
		return 0;
	if (failed_only && !has_failed(result)) {
		call->start_ns = 0;
		return 0;
	}
	if (want_latency_ns || min_ns) {
		now = bpf_ktime_get_ns();
		latency_ns = now - call->start_ns;
	}
	call->start_ns = 0;
	if (latency_ns < min_ns)
		return 0;
	return report(task, registers, call->number, result, now, latency_ns);
}
