// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* process_exit: processes that end, and what they would tell their parent.
 *
 * The event belongs to the process and not to a thread, so its context is the main
 * thread's, and it comes when the last thread ends: a process whose main thread left
 * early is reported when the others are done. `threads = 1` adds the end of each other
 * thread, so that a process of N threads gives N events. */
#include "moonprobe.bpf.h"

struct process_exit_event {
	struct event_context context;
	__u64 run_ns FIELD("time since the process (or the thread) was started");
	__u32 parent_pid FIELD("process id of the parent, before orphans get a new one");
	__u32 uid FIELD("real user id");
	__s32 exit_code FIELD("argument of exit(3), low 8 bits; 0 when a signal ended it");
	signal_number signal FIELD("signal that ended it, 0: none");
	bool core_dumped FIELD("1: a core dump was written");
	bool is_thread FIELD("1: only a thread ended (with threads = 1)");
};
PROBE(process_exit, "One event per process that ends, with its exit code or signal.",
      "Processes that ended before; when the parent collects the zombie.");

const volatile __u32 threads KNOB("1 also reports each thread that ends") = 0;

#define REPORTED_SLOTS 1024

/* Processes reported last, by start time, in slots by process id. Threads leave
 * signal->live before they come to the tracepoint, so the two last ones, ending at the same
 * time on two CPUs, both find 0 there. Since v6.16 the tracepoint says which one was last;
 * this works on all. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, REPORTED_SLOTS);
	__type(key, __u32);
	__type(value, __u64);
} reported SEC(".maps");

static __always_inline bool first_to_report(struct task_struct *leader)
{
	__u32 slot = (__u32)leader->tgid % REPORTED_SLOTS;
	__u64 *last = bpf_map_lookup_elem(&reported, &slot);
	__u64 start = leader->start_time;

	return last && __sync_lock_test_and_set(last, start) != start;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	struct task_struct *leader = task->group_leader;
	struct process_exit_event event = {};
	struct task_struct *who = leader;
	__u32 status;
	__u64 now;

	if (!process_wanted(task->tgid))
		return 0;
	if (task->signal->live.counter != 0 || !first_to_report(leader)) {
		if (!threads)
			return 0;
		event.is_thread = true;
		who = task;
	}
	context_of_task(&event.context, who);
	/* What wait4(2) gives: exit code << 8 | core dump << 7 | signal. */
	status = who->exit_code;
	if (!event.is_thread && (task->signal->flags & SIGNAL_GROUP_EXIT))
		status = task->signal->group_exit_code;
	now = bpf_ktime_get_ns();
	event.run_ns = now - who->start_time;
	event.parent_pid = leader->real_parent->tgid;
	event.uid = (__u32)bpf_get_current_uid_gid();
	event.exit_code = status >> 8 & 0xff;
	event.signal = status & 0x7f;
	event.core_dumped = status >> 7 & 1;
	if (!stage_early(&event))
		return 0;
	late_of_task(&event.context, who, now);
	event_send(&event.context.header, sizeof(event), stage_late(&event));
	return 0;
}
