// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* sched_offcpu: how long threads are off the CPU, and why they left it.
 *
 * From the moment a thread leaves a CPU until it has one again: the time asleep and the wait
 * for a CPU after it (sched_latency has that part alone). The hook runs with a run queue
 * locked: starts go into a map whose memory exists already. */
#include "moonprobe.bpf.h"

enum off_state {
	OFF_RUNNABLE,	     /* it could have gone on: preempted, or it yielded */
	OFF_INTERRUPTIBLE,   /* waits; signals end it */
	OFF_UNINTERRUPTIBLE, /* waits, most often for a disk or a lock in the kernel */
	OFF_IDLE,	     /* a kernel thread that waits for work */
	OFF_STOPPED,	     /* SIGSTOP and the like */
	OFF_TRACED,	     /* stopped by a debugger */
	OFF_PARKED,	     /* a kernel thread told to do nothing */
	OFF_FROZEN,	     /* cgroup freezer, system suspend */
	OFF_OTHER,
};

struct sched_offcpu_event {
	struct event_context context;
	__u64 off_ns FIELD("time from leaving the CPU to running again");
	enum off_state state FIELD("how it left the CPU");
};
PROBE(sched_offcpu, "One event per thread that runs again after it was off the CPU.",
      "Threads that are still off; threads that left before the probe was attached; time "
      "before a new thread's first run; what the thread waited for.");

const volatile __u64 min_ns KNOB("report only times off the CPU of at least this long, in ns") = 0;

/* A thread that is off the CPU, by thread id. */
struct absence {
	__u64 since_ns;
	__u64 state;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 10240);
	__type(key, __u32);
	__type(value, struct absence);
} absences SEC(".maps");

static __always_inline enum off_state state_of(struct task_struct *prev, bool preempt)
{
	__u32 state = prev->__state;

	if (still_runnable(prev, preempt))
		return OFF_RUNNABLE;
	if (state & TASK_INTERRUPTIBLE)
		return OFF_INTERRUPTIBLE;
	if (state & TASK_NOLOAD)
		return OFF_IDLE;
	if (state & (TASK_UNINTERRUPTIBLE | TASK_RTLOCK_WAIT))
		return OFF_UNINTERRUPTIBLE;
	if (state & TASK_STOPPED)
		return OFF_STOPPED;
	if (state & TASK_TRACED)
		return OFF_TRACED;
	if (state & TASK_PARKED)
		return OFF_PARKED;
	if (state & TASK_FROZEN)
		return OFF_FROZEN;
	return OFF_OTHER;
}

static __always_inline void leave(struct task_struct *prev, bool preempt, __u64 now)
{
	struct absence absence = {.since_ns = now};
	__u32 tid = prev->pid;

	if (!tid)
		return; /* idle */
	if (prev->__state & TASK_DEAD) {
		bpf_map_delete_elem(&absences, &tid); /* it has none, unless a switch was missed */
		return;
	}
	if (!process_wanted(prev->tgid))
		return;
	absence.state = state_of(prev, preempt);
	if (bpf_map_update_elem(&absences, &tid, &absence, BPF_ANY))
		count_lost_map();
}

static __always_inline int report(struct task_struct *next, __u64 now, __u64 off_ns, __u64 state)
{
	struct sched_offcpu_event event = {};

	context_of_task(&event.context, next);
	event.off_ns = off_ns;
	event.state = state;
	if (!stage_early(&event))
		return 0;
	late_of_task(&event.context, next, now);
	event_send(&event.context.header, sizeof(event), stage_late(&event));
	return 0;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	__u64 now = bpf_ktime_get_ns(), off_ns, state;
	struct absence *absence;
	__u32 tid = next->pid;

	leave(prev, preempt, now);
	if (!tid || ((target_pid || target_by_map) && !process_wanted(next->tgid)))
		return 0;
	absence = bpf_map_lookup_elem(&absences, &tid);
	if (!absence)
		return 0;
	/* The clock of the CPU it left can be a little ahead. */
	off_ns = now > absence->since_ns ? now - absence->since_ns : 0;
	state = absence->state;
	bpf_map_delete_elem(&absences, &tid);
	if (off_ns < min_ns)
		return 0;
	return report(next, now, off_ns, state);
}
