// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* tracepoint: the kernel's tracepoints by category and name, "tracepoint:sched:sched_switch", with
 * the fields of their records as tracefs describes them: e.args.prev_comm. System calls are among
 * them, with their arguments by name: "tracepoint:syscalls:sys_enter_openat".
 *
 * The record is made for perf; "rawtracepoint:" has the arguments that it is made of. The record is
 * the program's context: typed code reads it from slot 0. */
#include "hit.bpf.h"

struct tracepoint_event {
	struct event_context context;
	place_number place FIELD("which tracepoint, when there are many");
	__u32 uid FIELD("real user id");
	kernel_stack kstack FIELD("how the kernel came there");
	user_stack ustack FIELD("how the process came there");
	__u8 typed[TYPED_ROOM] FIELD("what is read of its record");
};
GENERIC_PROBE(tracepoint, tracepoint, "One event per hit of a tracepoint.",
	      "What is between two tracepoints; hits while another program of a tracepoint or a "
	      "kprobe runs on that CPU. Of system calls: those of 32-bit programs, and on older "
	      "kernels kstack.");
/* (The kernel runs one program of this kind at a time on a CPU: bpf_prog_active.) */
ROOM(tracepoint_event);

FIELD_SWITCH(uid);

static __always_inline void fill(struct tracepoint_event *event, void *ctx, __u64 id)
{
	__u64 slots[SLOTS] = {(__u64)ctx};

	__builtin_memset(event, 0, offsetof(struct tracepoint_event, typed));
	context_of_id(&event->context, id);
	event->place = place_of(ctx, want_place);
	if (want_uid)
		event->uid = (__u32)bpf_get_current_uid_gid();
	JUDGE_AND_SEND(ctx, event, slots);
}

SEC("?tp")
CHOICE(1) int on_hit(void *ctx)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct tracepoint_event *event;

	if (!process_wanted(id >> 32))
		return 0;
	event = room_take();
	if (!event)
		return 0;
	fill(event, ctx, id);
	room_give(event);
	return 0;
}
