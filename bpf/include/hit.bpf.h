/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Hit: what every event of a target goes through once its own fields are filled.
 *
 *   typed_early -> stage_early -> time, comm, stacks -> typed_late -> stage_late -> ring
 *
 * `event` ends with `typed`; `slots` are the raw arguments. */
#ifndef MOONPROBE_HIT_BPF_H
#define MOONPROBE_HIT_BPF_H

#include "room.bpf.h"
#include "stack.bpf.h"

#define JUDGE_AND_SEND(ctx, hit, slots)                                                            \
	do {                                                                                       \
		typed_early(hit, slots);                                                           \
		if (!stage_early(hit))                                                             \
			break;                                                                     \
		late_of_current(&(hit)->context, 0);                                               \
		if (want_kstack)                                                                   \
			(hit)->kstack = kernel_stack_here(ctx);                                    \
		if (want_ustack)                                                                   \
			(hit)->ustack = user_stack_here(ctx, (hit)->context.pid);                  \
		typed_late(hit, slots);                                                            \
		event_send(&(hit)->context.header, offsetof(typeof(*(hit)), typed) + typed_bytes,  \
			   stage_late(hit));                                                       \
	} while (0)

#endif
