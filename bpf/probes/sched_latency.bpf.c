// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* sched_latency: how long a thread that can run waits for a CPU.
 *
 * The wait starts with a wake-up, or when the thread is put off its CPU while it still has
 * work to do, and ends when it runs. These hooks run with a run queue locked: starts go
 * into a map whose memory exists already. */
#include "moonprobe.bpf.h"

struct sched_latency_event {
	struct event_context context;
	__u64 latency_ns FIELD("from being able to run until it ran");
	__u32 waker_pid FIELD("process on the CPU where the wake-up was done: the waker, unless an "
			      "interrupt did it; 0: idle, or preempted");
	__u32 waker_cpu FIELD("CPU where the wait started");
	__u32 previous_pid FIELD("process that ran on this CPU before, 0: idle");
	bool preempted FIELD("1: it was put off its CPU while it could run; 0: it was woken up");
	char previous_comm[16] FIELD("name of the thread that ran on this CPU before");
};
PROBE(sched_latency, "One event per thread that gets a CPU after it waited for one.",
      "Waits that are not over; waits that began before the probe; time a virtual machine "
      "waits for a real CPU; who woke a thread up by an interrupt.");

const volatile __u64 min_ns KNOB("report only waits of at least this long, in ns") = 0;

FIELD_LATE(previous_comm);

/* A thread that waits, by thread id. */
struct wait {
	__u64 since_ns;
	__u32 waker_pid;
	__u16 waker_cpu;
	__u16 preempted;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 10240);
	__type(key, __u32);
	__type(value, struct wait);
} waits SEC(".maps");

static __always_inline void start_wait(struct task_struct *task, struct wait *wait)
{
	__u32 tid = task->pid;

	wait->waker_cpu = bpf_get_smp_processor_id();
	if (bpf_map_update_elem(&waits, &tid, wait, BPF_ANY))
		count_lost_map();
}

static __always_inline int woken(struct task_struct *task)
{
	struct wait wait = {};

	if (!process_wanted(task->tgid))
		return 0;
	wait.since_ns = bpf_ktime_get_ns();
	wait.waker_pid = current_pid();
	start_wait(task, &wait);
	return 0;
}

SEC("tp_btf/sched_wakeup")
int BPF_PROG(on_wakeup, struct task_struct *task)
{
	return woken(task);
}

SEC("tp_btf/sched_wakeup_new")
int BPF_PROG(on_wakeup_new, struct task_struct *task)
{
	return woken(task);
}

/* The thread that leaves. A wake-up can find a thread that still runs and leave a start that
 * nothing ends; the next start replaces it, and the thread's end removes it. */
static __always_inline void leave(struct task_struct *prev, bool preempt, __u64 now)
{
	struct wait wait = {.since_ns = now, .preempted = 1};
	__u32 tid = prev->pid;

	if (!tid)
		return; /* idle */
	if (still_runnable(prev, preempt)) {
		if (process_wanted(prev->tgid))
			start_wait(prev, &wait);
	} else if (prev->__state & TASK_DEAD) {
		bpf_map_delete_elem(&waits, &tid);
	}
}

static __always_inline int report(struct wait *wait, struct task_struct *prev,
				  struct task_struct *next, __u64 now, __u64 latency_ns)
{
	struct sched_latency_event event = {};

	context_of_task(&event.context, next);
	event.latency_ns = latency_ns;
	event.waker_pid = wait->waker_pid;
	event.waker_cpu = wait->waker_cpu;
	event.preempted = wait->preempted;
	event.previous_pid = prev->tgid;
	if (!stage_early(&event))
		return 0;
	late_of_task(&event.context, next, now);
	if (want_previous_comm)
		bpf_probe_read_kernel_str(event.previous_comm, sizeof(event.previous_comm),
					  prev->comm);
	event_send(&event.context.header, sizeof(event), stage_late(&event));
	return 0;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	__u64 now = bpf_ktime_get_ns(), latency_ns;
	__u32 tid = next->pid;
	struct wait *found, wait;

	leave(prev, preempt, now);
	if (!tid || ((target_pid || target_by_map) && !process_wanted(next->tgid)))
		return 0;
	found = bpf_map_lookup_elem(&waits, &tid);
	if (!found)
		return 0;
	wait = *found;
	bpf_map_delete_elem(&waits, &tid);
	/* A wake-up on another CPU can read its clock after this one did. */
	latency_ns = now > wait.since_ns ? now - wait.since_ns : 0;
	if (latency_ns < min_ns)
		return 0;
	return report(&wait, prev, next, now, latency_ns);
}
