/* SPDX-License-Identifier: Apache-2.0 */
/* Host: the process that runs scripts: their sources, reloads, signals and end.
 *
 *   host_open -> host_add (each script) -> host_run ... SIGINT, SIGTERM, SIGHUP, host_finish
 *             -> host_summary -> host_close
 *
 * It returns from host_run() when its last script has ended. */
#ifndef MOONPROBE_HOST_H
#define MOONPROBE_HOST_H

#include "error.h"
#include "loop.h"
#include "script_options.h"

#include <stdint.h>
#include <stdio.h>

struct host_script;

struct host {
	struct loop *loop;
	void (*running)(void *context); /* every script that has not ended handles events */
	/* As of struct script_events: what is recorded may begin, or cannot. NULL is fine. */
	int (*recording)(void *context, struct error *error);
	void *context;
	/* host.c's own. */
	struct loop_source signals;
	struct host_script *scripts;
	int status; /* the worst of the ended scripts' */
};

int host_open(struct host *host, struct error *error);

/* Starts a script: `name` is a file or a shipped tool, or, when options->text is set, what the
 * script is called. Reloads it on changes when `watching`. Strings in `options` are borrowed. */
int host_add(struct host *host, const char *name, const struct script_options *options,
	     bool watching, struct error *error);

int host_run(struct host *host); /* the exit status */
void host_finish(struct host *host);
void host_summary(struct host *host, uint64_t unfollowed, FILE *out);
void host_close(struct host *host);

#endif
