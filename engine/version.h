/* SPDX-License-Identifier: Apache-2.0 */
/* Version: one version of a script: its worker process and what it declared.
 *
 *   version_start() -> ready -> order_run() -> running -> order_yield() -> yielded
 *                                                ^------- order_resume() ----'
 *                                            order_finish() -> ended
 *
 * Each declaration is served by a probe, and has a body of its own there, with the stages of its
 * plan when it has one.
 *
 * order.h is what it is told, notice.h what it says, watchdog.h how it is kept an eye on.
 * Callbacks may close the version they are about, all but restage(). */
#ifndef MOONPROBE_VERSION_H
#define MOONPROBE_VERSION_H

#include "declaration.h"
#include "error.h"
#include "loop.h"
#include "own_objects.h"
#include "script_options.h"
#include "targets.h"

#include <stdbool.h>
#include <sys/types.h>

struct stacks;
struct version;

/* What one version leaves to the next. */
struct version_handover {
	int state_fd;	      /* the receiver's; -1: no state */
	double stopped_ns;    /* when it stopped; 0: it did not say */
	double handled_until; /* position in the ring up to where its own records are done */
};

struct version_events {
	void (*ready)(struct version *version); /* its requests are complete */
	void (*running)(struct version *version, double pause_ns);
	/* It has stopped between two events. */
	void (*yielded)(struct version *version, const struct version_handover *handover);
	/* It wants other stages for a declaration: its plan has taken the place of the old one. */
	void (*restage)(struct version *version, int index);
	void (*wants_stop)(struct version *version);
	/* Of a replay: what was recorded of a probe, and what became of it. */
	void (*total)(struct version *version, const char *probe,
		      const struct probe_totals *totals);
	/* It has received so many more records of a ring of an own object. */
	void (*ring)(struct version *version, const char *name, uint64_t received, uint64_t failed);
	struct stacks *(*stacks)(
		struct version *version); /* NULL, or a NULL result: no kernel side */
	void (*report)(struct version *version, const char *line);
	void (*used_file)(struct version *version, const char *file);
	/* `how` is NULL when it exited by itself with `code`, else says what ended it. */
	void (*ended)(struct version *version, int code, const char *how);
};

struct version {
	void *owner;
	struct declaration *declarations;
	int count;
	struct own_objects own;
	bool ready;
	bool started; /* it was told to run */
	/* Below: for version.c, order.c, notice.c and watchdog.c only. */
	const struct version_events *events;
	const struct script_options *options;
	struct child *child;
	struct targets targets; /* it has asked about */
	int unanswered;		/* pings while it was computing */
	uint64_t cpu_ms;	/* the CPU time it had used then */
	int messages, restages; /* in this second */
	int stack_requests, resolves;
	bool verifies_slowly; /* its stages kept the host busy */
	int source_fd;
	pid_t pid;	       /* also after its end */
	const char *condemned; /* why it was killed */
	char stuck[256];       /* where Lua was when it was interrupted */
};

/* Starts the worker and gives it the source: `source_fd` of an earlier version, or, when that
 * is -1, what the options say now. `ring_fd` may be -1 for a check. */
int version_start(struct version **version, struct loop *loop, const struct script_options *options,
		  int source_fd, int ring_fd, const struct version_events *events, void *owner,
		  struct error *error);
/* Its source, in memory; the descriptor is the caller's. */
int version_take_source(struct version *version);
pid_t version_pid(const struct version *version);
bool version_uses(const struct version *version, const struct probe *probe);

/* The fields that it reads of a probe are added to `sum`; `version` may be NULL. */
void version_add_fields(const struct version *version, const struct probe *probe,
			struct probe_request *sum);

void version_kill(struct version *version, const char *why); /* ended() follows; a literal */
void version_close(struct version *version);		     /* NULL is fine */

#endif
