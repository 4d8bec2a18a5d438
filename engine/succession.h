/* SPDX-License-Identifier: Apache-2.0 */
/* Succession: the versions of a script that are there at once, and whom the kernel side serves.
 *
 *   candidate --promote--> active --promote--> previous --drop-->
 *                             ^----roll_back------'
 *
 *   prepare  its probes are opened and its bodies made; they wait
 *   enter    its bodies are in the slots, its probes attached: the kernel does what it wants
 *   settle   whatever it does not use is detached
 *
 * A probe is released when a version runs that does not use it and no other does, never because
 * one has failed. A check and a replay have no kernel side: only versions. */
#ifndef MOONPROBE_SUCCESSION_H
#define MOONPROBE_SUCCESSION_H

#include "error.h"
#include "script_options.h"

struct kernel_side;
struct staging_swaps;
struct version;

struct succession {
	const struct script_options *options;
	struct kernel_side *kernel;
	struct staging_swaps *swaps; /* how long it took to replace bodies */
	struct version *active, *candidate, *previous;
	const struct version *in_slots; /* whose bodies run; NULL: of one that has ended */
};

int succession_prepare(struct succession *line, struct version *version, struct error *error);
int succession_enter(struct succession *line, struct version *version, struct error *error);
void succession_settle(struct succession *line, const struct version *version);

/* Other stages for a declaration that was prepared, which its plan may have or not. */
int succession_restage(struct succession *line, struct version *version, int index,
		       struct error *error);

/* The previous version's fields cost something: leaves those out that nobody reads now. */
int succession_trim(struct succession *line, struct error *error);

void succession_promote(struct succession *line);   /* the candidate; there may be no active one */
void succession_roll_back(struct succession *line); /* the active one is gone */

/* Closes one of them, which may be NULL. */
void succession_drop(struct succession *line, struct version **version);
void succession_release(struct succession *line); /* probes that nobody uses */

/* The workers' output would cause output: they are never traced. After one was started. */
void succession_tell_pids(const struct succession *line);

#endif
