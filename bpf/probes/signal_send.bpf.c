// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* signal_send: calls that ask for a signal to be sent, and what they were told.
 *
 * The probe signal reports what the kernel sends, from whatever cause; this one the requests of
 * processes, and those that were refused or had nobody to go to. */
#include "call.bpf.h"

enum signal_call {
	CALL_KILL,
	CALL_TKILL,
	CALL_TGKILL,
	CALL_RT_SIGQUEUEINFO,
	CALL_RT_TGSIGQUEUEINFO,
};

struct signal_send_event {
	struct event_context context;
	__u64 latency_ns FIELD("duration of the call");
	syscall_result result FIELD("0, or why it failed");
	enum signal_call call FIELD("which call");
	signal_number number FIELD("the signal; none: kill(2) with 0, which only asks");
	__s32 target FIELD("process it is for as the call has it: 0 is the own group, -1 "
			   "everybody, below that a group; tkill(2): a thread");
	__s32 target_tid FIELD("thread it is for, 0: any of the process");
	__u32 uid FIELD("real user id");
};
PROBE(signal_send, "One event per kill(2), tkill(2), tgkill(2) or sigqueue(3).",
      "pidfd_send_signal(2); signals that the kernel sends (the probe signal has these); calls "
      "of 32-bit programs.");

const volatile __u32 failed_only KNOB("1 reports only calls that failed") = 0;

static __always_inline int report(struct running_call *call, long result, __u64 start_ns)
{
	struct signal_send_event event = {};
	__u64 now;

	if (failed_only && result >= 0)
		return 0;
	now = bpf_ktime_get_ns();
	context_of_current(&event.context);
	event.latency_ns = now - start_ns;
	event.result = result;
	event.call = call->which;
	event.target = call->args[0];
	if (call->which == CALL_TGKILL || call->which == CALL_RT_TGSIGQUEUEINFO) {
		event.target_tid = call->args[1];
		event.number = call->args[2];
	} else {
		event.target_tid = call->which == CALL_TKILL ? call->args[0] : 0;
		event.number = call->args[1];
	}
	event.uid = (__u32)bpf_get_current_uid_gid();
	if (!stage_early(&event))
		return 0;
	late_of_current(&event.context, now);
	event_send(&event.context.header, sizeof(event), stage_late(&event));
	return 0;
}

/* clang-format off */
CALL("", kill, CALL_KILL, 2)
CALL("", tkill, CALL_TKILL, 2)
CALL("", tgkill, CALL_TGKILL, 3)
CALL("?", rt_sigqueueinfo, CALL_RT_SIGQUEUEINFO, 2)
CALL("?", rt_tgsigqueueinfo, CALL_RT_TGSIGQUEUEINFO, 3)
