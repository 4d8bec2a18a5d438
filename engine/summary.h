/* SPDX-License-Identifier: Apache-2.0 */
/* Summary: what a script's probes sent, what was lost and where, and how its versions fared. */
#ifndef MOONPROBE_SUMMARY_H
#define MOONPROBE_SUMMARY_H

#include "kernel_side.h"
#include "script_options.h"
#include "staging.h"

#include <stdint.h>
#include <stdio.h>

/* A ring of an own object, as its workers have told: its records have no header of ours, so nothing
 * but the object knows what was sent or lost. */
struct summary_ring {
	char name[256];
	uint64_t received, failed;
};

#define SUMMARY_RINGS 64 /* the last is all others together */

struct script_history {
	int status; /* exit status */
	int reloads, rollbacks, restarts;
	double pause_ns, longest_ns; /* nothing handled while reloading: together, the worst */
	struct staging_swaps swaps;  /* of bodies */
	struct summary_ring *rings;
	int ring_count;
};

/* A worker has received more of a ring. */
void summary_add_ring(struct script_history *history, const char *name, uint64_t received,
		      uint64_t failed);

/* A line to stderr for the whole and for each thing that went wrong; or one JSON object to `out`.
 * Quiet: of both formats only what went wrong, to stderr. `unfollowed` is the number of child
 * processes that found the targets map full. */
void summary_print(const struct script_options *options, const struct kernel_side *kernel,
		   const struct script_history *history, uint64_t unfollowed, FILE *out);

#endif
