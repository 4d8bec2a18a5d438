/* SPDX-License-Identifier: Apache-2.0 */
/* Kernel side: the ring and the probes of one script. It outlives the script's versions.
 *
 *   find (opens one when none fits) -> bodies, see probe.h -> attach -> detach -> release
 *
 * Slots number the probes. A record names its slot in a byte, and a slot is not given again
 * before 200 others were: the ring may still hold records of a probe that is gone. */
#ifndef MOONPROBE_KERNEL_SIDE_H
#define MOONPROBE_KERNEL_SIDE_H

#include "asset.h"
#include "error.h"
#include "probe.h"
#include "script_options.h"
#include "stacks.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define KERNEL_SIDE_PROBES 32

struct loop;

struct kernel_side {
	struct probe_setting setting;		  /* what the probes share; the ring is in it */
	struct probe *probes[KERNEL_SIDE_PROBES]; /* NULL: room for one */
	struct stacks *stacks;
	uint32_t stack_entries;	       /* 0: the usual */
	uint8_t next_slot;	       /* of 256, which are given in turn */
	struct kernel_side_past *past; /* totals of released probes */
	int past_count;
};

/* 0 or -errno with the reason. What the options point to stays the caller's. */
int kernel_side_open(struct kernel_side *side, struct loop *loop,
		     const struct script_options *options, struct error *error);

/* The probe that serves `request` and for which taken() is false: one that fits, else a new one,
 * without a body and not attached. NULL with the reason. */
struct probe *kernel_side_find(struct kernel_side *side, const struct probe_request *request,
			       bool (*taken)(const void *context, const struct probe *probe),
			       const void *context, struct error *error);

/* A version that begins to use it knows it by a number behind all others: who reads the ring
 * meanwhile leaves the records of those (stdlib/drain.lua). */
void kernel_side_renumber(struct kernel_side *side, struct probe *probe);
uint8_t kernel_side_newest_slot(const struct kernel_side *side);

/* These processes are never traced: their output would cause output. Zeros are ignored. */
void kernel_side_own_pids(struct kernel_side *side, const pid_t *pids, int count);

/* One of them has ended: its number may become somebody else's. */
void kernel_side_forget_pid(struct kernel_side *side, pid_t pid);

/* Closes the probes for which used() is false; their totals are kept. */
void kernel_side_release(struct kernel_side *side,
			 bool (*used)(const void *context, const struct probe *probe),
			 const void *context);

/* Calls visit for each probe that is or was, in the order of slots. */
void kernel_side_totals(const struct kernel_side *side,
			void (*visit)(void *context, const char *name,
				      const struct probe_totals *totals),
			void *context);

/* The totals of a probe that is no probe here: of a recording. */
void kernel_side_add_past(struct kernel_side *side, const char *name,
			  const struct probe_totals *totals);

/* The end: what happens from now on does not belong to the script any more. (To detach first
 * would take up to a tenth of a second for each perf tracepoint.) */
void kernel_side_cut(struct kernel_side *side);

/* Events that workers have received so far, and those that wait for one; cheap. */
uint64_t kernel_side_received(const struct kernel_side *side, uint64_t *waiting);

void kernel_side_close(struct kernel_side *side);

#endif
