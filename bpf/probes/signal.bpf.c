// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* signal: signals being sent, by whom, to whom, and what became of them.
 *
 * Sent, not handled: the event comes when the kernel decides whether to queue the signal.
 * Reported when the script may see the sender or the target. */
#include "moonprobe.bpf.h"

/* As TRACE_SIGNAL_* in include/trace/events/signal.h. */
enum signal_outcome {
	OUTCOME_DELIVERED,	 /* pending now */
	OUTCOME_IGNORED,	 /* the target ignores it */
	OUTCOME_ALREADY_PENDING, /* one of these waits already and stands for both */
	OUTCOME_OVERFLOW_FAIL,	 /* real-time signal lost: the queue is full */
	OUTCOME_LOSE_INFO,	 /* pending, without its siginfo: the queue is full */
};

struct signal_event {
	struct event_context context;
	signal_number number FIELD("the signal");
	__s32 code FIELD("si_code: 0 by kill(2), -6 by tgkill(2), above 0 by the kernel");
	__u32 target_pid FIELD("process it is sent to");
	__u32 target_tid FIELD("thread it is sent to, or that stands for its process");
	enum signal_outcome outcome FIELD("what became of it");
	bool to_group FIELD("1: to the process, any thread may take it; 0: to the thread");
	char target_comm[16] FIELD("name of the thread it is sent to");
};
PROBE(signal, "One event per signal that is sent.",
      "What the target does with it, and when; the true sender of a signal that an interrupt "
      "or a timer raises: the process that happened to run stands there.");

FIELD_LATE(target_comm);

#define FROM_USER 0UL	/* SEND_SIG_NOINFO in place of a pointer: code SI_USER */
#define FROM_KERNEL 1UL /* SEND_SIG_PRIV: code SI_KERNEL */
#define CODE_KERNEL 0x80

static __always_inline __s32 code_of(struct kernel_siginfo *info)
{
	unsigned long value = (unsigned long)info;

	if (value == FROM_USER)
		return 0;
	if (value == FROM_KERNEL)
		return CODE_KERNEL;
	return BPF_CORE_READ(info, si_code);
}

SEC("tp_btf/signal_generate")
int BPF_PROG(on_signal, int number, struct kernel_siginfo *info, struct task_struct *task,
	     int group, int result)
{
	struct signal_event event = {};

	if (!process_wanted(current_pid()) && !process_wanted(task->tgid))
		return 0;
	context_of_current(&event.context);
	event.number = number;
	event.code = code_of(info);
	event.target_pid = task->tgid;
	event.target_tid = task->pid;
	event.outcome = result;
	event.to_group = group != 0;
	if (!stage_early(&event))
		return 0;
	late_of_current(&event.context, 0);
	if (want_target_comm)
		bpf_probe_read_kernel_str(event.target_comm, sizeof(event.target_comm), task->comm);
	event_send(&event.context.header, sizeof(event), stage_late(&event));
	return 0;
}
