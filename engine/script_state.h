/* SPDX-License-Identifier: Apache-2.0 */
/* Script state: what script.c, takeover.c and ending.c share. What can happen in which state:
 *
 *             ready         yielded       candidate ended   active ended          reload
 *   LOADING   switch over   -             end, or stale     -                     stale
 *   RUNNING   put in slots, kill          stays             roll back, or PAUSING start candidate
 *             ask to yield
 *   YIELDING  -             switch over,  wait on           switch over without   stale
 *                           or resume                       state, or as RUNNING
 *   PAUSING   -             -             -                 -                     start candidate
 *   FINISHING -             -             -                 end                   -
 *
 * The bodies of whoever runs next are in the slots: the candidate's from YIELDING on; resume puts
 * those of the old version back. A version may ask for other stages at any time after it was
 * told to run; when its bodies are not in the slots, the new one waits like the others.
 *
 * Stale: the source has changed meanwhile; that is looked at when somebody runs. */
#ifndef MOONPROBE_SCRIPT_STATE_H
#define MOONPROBE_SCRIPT_STATE_H

#include "error.h"
#include "kernel_side.h"
#include "loop.h"
#include "recovery.h"
#include "script.h"
#include "script_options.h"
#include "succession.h"
#include "summary.h"
#include "watchdog.h"

#include <stdbool.h>
#include <stdint.h>

enum script_state {
	SCRIPT_LOADING,	  /* nobody reads the ring; the candidate loads */
	SCRIPT_RUNNING,	  /* the active version reads it; a candidate may load */
	SCRIPT_YIELDING,  /* the active version was asked to stop for the candidate */
	SCRIPT_PAUSING,	  /* nobody; a restart comes */
	SCRIPT_FINISHING, /* the active version, or a candidate, was asked to end */
	SCRIPT_OVER,
};

struct script {
	struct script_options options;
	struct loop *loop;
	const struct script_events *events;
	void *context;
	struct kernel_side kernel;
	enum script_state state;
	struct succession versions;
	struct loop_source pulse;     /* every second: is everybody alive? */
	struct loop_source probation; /* when it ends, `previous` is let go */
	struct loop_source restart;
	bool stale;
	int source_fd; /* of the last version that ran: what a restart runs */
	struct watchdog watchdog;
	struct recovery recovery;
	struct script_history history;
	uint64_t running_ns; /* when events began to be handled */
};

/* A new version is started: of `source_fd`, or, when that is -1, of what the options say now. */
int script_start_candidate(struct script *script, int source_fd, struct error *error);

void script_serve_stale(struct script *script); /* reloads, when somebody runs and it is due */
void script_end(struct script *script, int status);

#endif
