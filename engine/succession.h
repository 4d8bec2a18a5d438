/* SPDX-License-Identifier: Apache-2.0 */
/* Succession: the versions of a script that are there at once, and whom the kernel side serves.
 *
 *   candidate --promote--> active --promote--> previous --drop-->
 *                             ^----roll_back------'
 *
 *   prepare        its probes are opened, its bodies made; they wait
 *   enter          its bodies are in the slots, its probes attached: the kernel does what it wants
 *   detach_others  and nothing else
 *
 * A probe is released when a version runs that does not use it and no other does, never because
 * one has failed. A check and a replay have no kernel side: only versions. */
#ifndef MOONPROBE_SUCCESSION_H
#define MOONPROBE_SUCCESSION_H

#include "error.h"
#include "own_objects.h"
#include "script_options.h"

struct kernel_side;
struct staging_swaps;
struct version;

struct succession {
	const struct script_options *options;
	struct kernel_side *kernel;
	struct staging_swaps *swaps; /* how long it took to replace bodies */
	struct object_set objects;   /* the script's own, of all versions */
	struct version *active, *candidate, *previous;
	const struct version *in_slots; /* whose bodies run; NULL: of one that has ended */
};

int succession_prepare(struct succession *versions, struct version *version, struct error *error);
int succession_enter(struct succession *versions, struct version *version, struct error *error);
void succession_detach_others(struct succession *versions, const struct version *version);

/* The body of a declaration anew: its plan has changed. It goes into the slots if the others are
 * there. */
int succession_restage(struct succession *versions, struct version *version, int index,
		       struct error *error);

/* The previous version's fields cost something: leaves those out that nobody reads now. */
int succession_trim(struct succession *versions, struct error *error);

/* The candidate runs now; there may have been no active one. */
void succession_promote(struct succession *versions);
/* The previous one does again; the active one is gone. */
void succession_roll_back(struct succession *versions);

/* Closes one of them, which may be NULL. */
void succession_drop(struct succession *versions, struct version **version);
void succession_release(struct succession *versions); /* probes that nobody uses */

/* After a worker was started: none is traced, for its output would cause output. */
void succession_tell_pids(const struct succession *versions);

#endif
