/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Entry: an event for each call of a function, of the kernel's or of a user's.
 *
 * A probe includes this, names itself with GENERIC_PROBE(entry, ...), says where events are
 * built (ROOM), and has its programs call report_entry(). */
#ifndef MOONPROBE_ENTRY_BPF_H
#define MOONPROBE_ENTRY_BPF_H

#include "hit.bpf.h"
#include "slots.bpf.h"

struct entry_event {
	struct event_context context;
	place_number place FIELD("which function, when there are many");
	__u32 uid FIELD("real user id");
	kernel_stack kstack FIELD("how the kernel came there");
	user_stack ustack FIELD("how the process came there");
	__u64 arg0 FIELD("argument as in its register");
	__u64 arg1 FIELD("argument as in its register");
	__u64 arg2 FIELD("argument as in its register");
	__u64 arg3 FIELD("argument as in its register");
	__u64 arg4 FIELD("argument as in its register");
	__u64 arg5 FIELD("argument as in its register");
	__u8 typed[TYPED_ROOM] FIELD("what is read by type");
};
static int stage_early(struct entry_event *event);
static int stage_late(struct entry_event *event);
static int typed_early(struct entry_event *event, const __u64 *slots);
static int typed_late(struct entry_event *event, const __u64 *slots);

FIELD_SWITCH(uid);

static struct entry_event *room_take(void);
static void room_give(struct entry_event *event);

static __always_inline void fill_entry(void *ctx, struct entry_event *event, __u64 id, __u64 place,
				       const __u64 *slots)
{
	__builtin_memset(event, 0, offsetof(struct entry_event, arg0));
	context_of_id(&event->context, id);
	event->place = place;
	if (want_uid)
		event->uid = (__u32)bpf_get_current_uid_gid();
	copy_arguments(&event->arg0, slots);
	JUDGE_AND_SEND(ctx, event, slots);
}

static __always_inline int report_entry(void *ctx, __u64 place, const __u64 *slots)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct entry_event *event;

	if (!process_wanted(id >> 32))
		return 0;
	event = room_take();
	if (!event)
		return 0;
	fill_entry(ctx, event, id, place, slots);
	room_give(event);
	return 0;
}

#endif
