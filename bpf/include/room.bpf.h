/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Room: where an event is built that would fill the stack: a map's value of this CPU.
 *
 * ROOM(event) is for programs that nothing of the same probe interrupts on its CPU: kprobes
 * (bpf_prog_active), a trampoline at one function. PREEMPTIBLE_ROOM(event) is for those in whose
 * middle another thread may run and hit them (uprobes): there are some more, and when all are
 * taken the event counts as lost. */
#ifndef MOONPROBE_ROOM_BPF_H
#define MOONPROBE_ROOM_BPF_H

#include "target.bpf.h"

#define ROOM(name)                                                                                 \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);                                           \
		__uint(max_entries, 1);                                                            \
		__type(key, __u32);                                                                \
		__type(value, struct name);                                                        \
	} room SEC(".maps");                                                                       \
	static __always_inline struct name *room_take(void)                                        \
	{                                                                                          \
		__u32 first = 0;                                                                   \
                                                                                                   \
		return bpf_map_lookup_elem(&room, &first);                                         \
	}                                                                                          \
	static __always_inline void room_give(struct name *event)                                  \
	{                                                                                          \
	}                                                                                          \
	struct name

#define ROOMS 4

#define PREEMPTIBLE_ROOM(name)                                                                     \
	struct one_room {                                                                          \
		__u64 is_taken;                                                                    \
		struct name event;                                                                 \
	};                                                                                         \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);                                           \
		__uint(max_entries, ROOMS);                                                        \
		__type(key, __u32);                                                                \
		__type(value, struct one_room);                                                    \
	} rooms SEC(".maps");                                                                      \
	static __always_inline struct name *room_take(void)                                        \
	{                                                                                          \
		_Pragma("unroll") for (int i = 0; i < ROOMS; i++)                                  \
		{                                                                                  \
			__u32 key = i;                                                             \
			struct one_room *room = bpf_map_lookup_elem(&rooms, &key);                 \
                                                                                                   \
			if (room && !__sync_lock_test_and_set(&room->is_taken, 1))                 \
				return &room->event;                                               \
		}                                                                                  \
		count_lost_map();                                                                  \
		return NULL;                                                                       \
	}                                                                                          \
	static __always_inline void room_give(struct name *event)                                  \
	{                                                                                          \
		struct one_room *room = (void *)event - offsetof(struct one_room, event);          \
                                                                                                   \
		room->is_taken = 0;                                                                \
	}                                                                                          \
	struct name

#endif
