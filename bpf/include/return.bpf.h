/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Return: an event for each return of a function, with what its call brought.
 *
 *   entry -> a start in `calls`                           return -> the start taken out -> event
 *
 * A start is known by its thread, place and frame: where on the stack the call is, if the hook can
 * tell. With frame 0, a call of the same function by the same thread takes the place of the one it
 * is made in. */
#ifndef MOONPROBE_RETURN_BPF_H
#define MOONPROBE_RETURN_BPF_H

#include "hit.bpf.h"
#include "slots.bpf.h"

struct return_event {
	struct event_context context;
	place_number place FIELD("which function, when there are many");
	__u32 uid FIELD("real user id");
	kernel_stack kstack FIELD("how the kernel came to the return");
	user_stack ustack FIELD("how the process came to the return");
	__s64 retval FIELD("what it returned, as in its register");
	__u64 latency_ns FIELD("how long the call took; 0 with entry = 0");
	__u64 arg0 FIELD("argument as in its register at the call");
	__u64 arg1 FIELD("argument as in its register at the call");
	__u64 arg2 FIELD("argument as in its register at the call");
	__u64 arg3 FIELD("argument as in its register at the call");
	__u64 arg4 FIELD("argument as in its register at the call");
	__u64 arg5 FIELD("argument as in its register at the call");
	__u8 typed[TYPED_ROOM] FIELD("what is read by type");
};
static int stage_early(struct return_event *event);
static int stage_late(struct return_event *event);
static int typed_early(struct return_event *event, const __u64 *slots);
static int typed_late(struct return_event *event, const __u64 *slots);
static struct return_event *room_take(void);
static void room_give(struct return_event *event);

const volatile __u32
	entry KNOB("0 does not look at calls, which costs half: no latency, no arguments") = 1;

FIELD_SWITCH(uid);

struct call_key {
	__u32 tid, place;
	__u64 frame; /* of the idle threads, which all have tid 0, the CPU */
};

struct call {
	__u64 start_ns;
	__u64 slots[SLOT_RESULT];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct call_key);
	__type(value, struct call);
} calls SEC(".maps");

static __always_inline struct call_key key_of(__u64 id, place_number place, __u64 frame)
{
	struct call_key key = {.tid = (__u32)id, .place = place, .frame = frame};

	if (!key.tid)
		key.frame = bpf_get_smp_processor_id();
	return key;
}

static __always_inline int begin_call(place_number place, __u64 frame, const __u64 *slots)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct call_key key = key_of(id, place, frame);
	struct call call;

	if (!process_wanted(id >> 32))
		return 0;
	call.start_ns = bpf_ktime_get_ns();
	__builtin_memcpy(call.slots, slots, sizeof(call.slots));
	if (bpf_map_update_elem(&calls, &key, &call, BPF_ANY))
		count_lost_map();
	return 0;
}

static __always_inline void fill_return(void *ctx, struct return_event *event, __u64 id,
					place_number place, const __u64 *slots, __u64 latency_ns)
{
	__builtin_memset(event, 0, offsetof(struct return_event, arg0));
	context_of_id(&event->context, id);
	event->place = place;
	if (want_uid)
		event->uid = (__u32)bpf_get_current_uid_gid();
	event->retval = slots[SLOT_RESULT];
	event->latency_ns = latency_ns;
	copy_arguments(&event->arg0, slots);
	JUDGE_AND_SEND(ctx, event, slots);
}

static __always_inline int send_return(void *ctx, __u64 id, place_number place, const __u64 *slots,
				       __u64 latency_ns)
{
	struct return_event *event = room_take();

	if (!event)
		return 0;
	fill_return(ctx, event, id, place, slots, latency_ns);
	room_give(event);
	return 0;
}

/* slots: the result, and the arguments where the hook has them. */
static __always_inline int report_return(void *ctx, place_number place, __u64 frame, __u64 *slots,
					 bool has_arguments)
{
	__u64 id = bpf_get_current_pid_tgid(), latency_ns = 0;
	struct call_key key = key_of(id, place, frame);

	if (!process_wanted(id >> 32))
		return 0;
	if (entry) {
		struct call *call = bpf_map_lookup_elem(&calls, &key);

		if (!call)
			return 0;
		latency_ns = bpf_ktime_get_ns() - call->start_ns;
		if (!has_arguments)
			__builtin_memcpy(slots, call->slots, sizeof(call->slots));
		bpf_map_delete_elem(&calls, &key);
	}
	return send_return(ctx, id, place, slots, latency_ns);
}

#endif
