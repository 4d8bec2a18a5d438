/* SPDX-License-Identifier: Apache-2.0 */
/* Script: a script as its host runs it: one ring, its probes, and the worker that reads it.
 *
 *              declarations                 run
 *   candidate ------------> probes opened ------> active        first start
 *   candidate ------------> probes opened, yield -> old active
 *                           old active: drains, state, ends
 *                           probes attached, run -> candidate    reload
 *
 * The kernel side (ring, links, maps, counters) belongs to the script and outlives its
 * workers, so a new version takes over where the old one stopped. */
#ifndef MOONPROBE_SCRIPT_H
#define MOONPROBE_SCRIPT_H

#include "asset.h"
#include "error.h"
#include "loop.h"
#include "probe.h"

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#define RING_BYTES (1 << 20)

struct script_options {
	const char *name;	 /* what messages call it */
	const char *file;	 /* source, or NULL: `text` */
	const char *text;	 /* source given on the command line */
	const char *folder;	 /* of the file: its modules are found there */
	struct search_path path; /* borrowed strings */
	bool check;		 /* only load it: nothing is attached */
	bool json, quiet, verbose;
	int argc; /* the script's own arguments */
	char **argv;
	size_t ring_bytes; /* a power of two of at least a page */
	pid_t target_pid;
	int targets_fd; /* -1: not limited to a command's processes */
};

struct script;

struct script_events {
	void (*running)(void *context); /* attached and reading; once per version */
	/* The last worker has ended; exit status 0, 1 or 2. Close the script now or later. */
	void (*ended)(void *context, int status);
	void (*used_file)(void *context, const char *file); /* a source that was read */
};

int script_open(struct script **script, struct loop *loop, const struct script_options *options,
		const struct script_events *events, void *context, struct error *error);
int script_start(struct script *script, struct error *error);  /* the first worker */
int script_reload(struct script *script, struct error *error); /* a new version */
void script_finish(struct script *script); /* handle what is in the ring, report, end */

/* What each probe sent and lost, a line or a JSON object. */
void script_summary(const struct script *script, uint64_t unfollowed, FILE *out);

void script_close(struct script *script); /* NULL is fine */

#endif
