// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* iter: all there is of something, once, when the script begins: "iter:task", "iter:task_file",
 * "iter:tcp". A script with nothing else ends when it has seen all.
 *
 * An event is no process's: pid, tid and comm are empty; whose a thing is its types say. With -p
 * the iterators of tasks show only that process, all others show everything. */
#include "room.bpf.h"

struct snapshot_event {
	struct event_context context;
	__u8 typed[TYPED_ROOM] FIELD("what is read by type");
};

GENERIC_PROBE(snapshot, iterator,
	      "One event per task, file, socket or other thing that there is, at the start.",
	      "What is born or dies during the walk.");
PREEMPTIBLE_ROOM(snapshot_event);

static __always_inline void fill(struct snapshot_event *event, const __u64 *slots)
{
	__builtin_memset(event, 0, offsetof(struct snapshot_event, typed));
	typed_early(event, slots);
	if (!stage_early(event))
		return;
	if (want_time_ns)
		event->context.time_ns = bpf_ktime_get_ns();
	typed_late(event, slots);
	event_send(&event->context.header, offsetof(struct snapshot_event, typed) + typed_bytes,
		   stage_late(event));
}

SEC("?iter")
CHOICE(1) int on_thing(const unsigned long long *ctx)
{
	__u64 slots[SLOTS] = {};
	struct snapshot_event *event;

	/* The second word is the thing, the first the walk itself. NULL: it is over. */
	if (!ctx[1])
		return 0;
	slots[0] = (__u64)ctx;
	event = room_take();
	if (!event)
		return 0;
	fill(event, slots);
	room_give(event);
	return 0;
}
