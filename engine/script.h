/* SPDX-License-Identifier: Apache-2.0 */
/* Script: a script as its host runs it: its kernel side, and the versions that read it.
 *
 *   candidate  loaded, checked, its probes opened
 *   active     reads the ring
 *   previous   has yielded to the active one, and waits out its probation
 *
 *   start:    candidate -> active
 *   reload:   active yields; candidate -> active, active -> previous
 *   rollback: the active one fails within its probation; previous resumes
 *   restart:  the active one fails later: a new worker, after a pause that doubles
 *   quarantine: it failed too often in a minute; the script has ended, the host goes on */
#ifndef MOONPROBE_SCRIPT_H
#define MOONPROBE_SCRIPT_H

#include "error.h"
#include "loop.h"
#include "script_options.h"

#include <stdio.h>

struct script;

struct script_events {
	/* Attached; a recording is about to be replaced by a new one. May be asked again, when a
	 * worker is started anew. NULL: it may be. -errno: it stays as it is, the script ends. */
	int (*recording)(void *context, struct error *error);
	void (*running)(void *context); /* attached and reading; once per version */
	/* The last worker has ended; exit status 0, 1 or 2. Close the script now or later. */
	void (*ended)(void *context, int status);
	void (*used_file)(void *context, const char *file); /* a source that was read */
};

/* The options are copied, their strings are not. */
int script_open(struct script **script, struct loop *loop, const struct script_options *options,
		const struct script_events *events, void *context, struct error *error);
int script_start(struct script *script, struct error *error); /* the first worker */
void script_reload(struct script *script);		      /* a new version; failures are told */
void script_finish(struct script *script); /* handle what is in the ring, report, end */

/* What each probe sent and lost: lines to stderr, or one JSON object to `out`. `unfollowed`
 * is the number of child processes that found the targets map full. */
void script_summary(const struct script *script, uint64_t unfollowed, FILE *out);

void script_close(struct script *script); /* NULL is fine */

#endif
