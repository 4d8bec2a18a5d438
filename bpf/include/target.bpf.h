/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a generic probe is written with: one whose name goes on, as in "kprobe:tcp_connect".
 *
 *   hook -> slots: the raw arguments -> typed_early -> stage_early -> typed_late -> stage_late ->
 * ring
 *
 * What a script reads by type (e.args.sk.__sk_common.skc_dport) has a place in `typed`, the end of
 * the event. The engine makes the instructions that fill it, from the types of the target
 * (engine/typed.h), and puts them where the two functions below are called.
 *
 * - Sections have no name behind the slash: they are attached to the target.
 * - CHOICE(n): of all programs that have a number, those of the lowest one are used that this
 *   kernel allows for the target. So the cheapest hook comes first.
 */
#ifndef MOONPROBE_TARGET_BPF_H
#define MOONPROBE_TARGET_BPF_H

#include "moonprobe.bpf.h"
#include <stddef.h>

#define TYPED_ROOM 512
#define SLOTS 8	      /* of the raw arguments, */
#define SLOT_RESULT 6 /* and what the function returned */

#define CHOICE(number) TAG("choice:" #number)

typedef __u32 place_number; /* which of the target's places: Lua reads its name */

/* As PROBE(). `kind` is that of its target (engine/target.h). */
#define GENERIC_PROBE(name, kind, about, blind)                                                    \
	UNTYPED_PROBE(name, kind, about, blind);                                                   \
	static __noinline int typed_early(struct name##_event *event, const __u64 *slots)          \
	{                                                                                          \
		TYPED_STUB(TYPED_EARLY_MAGIC, event, slots)                                        \
	}                                                                                          \
	static __noinline int typed_late(struct name##_event *event, const __u64 *slots)           \
	{                                                                                          \
		TYPED_STUB(TYPED_LATE_MAGIC, event, slots)                                         \
	}

/* The same for one that has nothing to be read by type. */
#define UNTYPED_PROBE(name, kind, about, blind)                                                    \
	TAGGED_PROBE(name, TAG("about:" about) TAG("blind:" blind) TAG("target:" #kind))

#define TYPED_STUB(magic, event, slots)                                                            \
	register long result asm("r0");                                                            \
	asm volatile("%0 = %1" : "=r"(result) : "i"(magic), "r"(event), "r"(slots) : "memory");    \
	return result;

/* Set by the engine before loading. */
const volatile __u32 typed_bytes = 0; /* of the room that is sent */
const volatile __s32 arguments = -1;  /* how many the function has, -1: unknown */
const volatile bool many_places = true;

FIELD_SWITCH(place);

/* Of the place a link was made for; 0 when there is one only, or nobody asks. */
static __always_inline place_number place_of(void *ctx, bool is_wanted)
{
	return many_places && is_wanted ? bpf_get_attach_cookie(ctx) : 0;
}

#endif
