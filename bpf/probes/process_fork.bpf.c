// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* process_fork: processes (and threads) being made by fork, vfork and clone.
 *
 * Seen from the parent, before the child runs for the first time: an event about the
 * child always comes after this one. With `threads = 1` new threads count, too; a thread
 * has child_pid equal to pid. */
#include "moonprobe.bpf.h"

struct process_fork_event {
	struct event_context context;
	__u32 child_pid FIELD("process id of the child");
	__u32 child_tid FIELD("thread id of the child");
	bool is_thread FIELD("1: a thread of the same process (with threads = 1)");
};
PROBE(process_fork, "One event per process made by fork(2), vfork(2) or clone(2).",
      "Calls that failed; which of the calls it was, and its flags.");

const volatile __u32 threads KNOB("1 also reports new threads") = 0;

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	struct process_fork_event event = {};

	event.is_thread = child->tgid == parent->tgid;
	if (event.is_thread && !threads)
		return 0;
	if (!process_wanted(parent->tgid))
		return 0;
	context_of_task(&event.context, parent);
	event.child_pid = child->tgid;
	event.child_tid = child->pid;
	if (!stage_early(&event))
		return 0;
	late_of_task(&event.context, parent, 0);
	event_send(&event.context.header, sizeof(event), stage_late(&event));
	return 0;
}
