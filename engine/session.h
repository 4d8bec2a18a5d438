/* SPDX-License-Identifier: Apache-2.0 */
/* Session: scripts on a choice of processes: all, one (-p), or a command and its descendants
 * (-c), which is held until every script runs; and what ends it. */
#ifndef MOONPROBE_SESSION_H
#define MOONPROBE_SESSION_H

#include "script_options.h"

#include <stdbool.h>
#include <stdint.h>

struct command_line; /* options.h */

struct session_options {
	const char *pid, *command; /* -p, -c, as given; NULL: not */
	const char *output;	   /* -o */
	uint64_t for_ns;	   /* 0: no limit */
	bool watching;		   /* -w */
	bool silent;		   /* no closing summary, not in JSON either */
};

/* Runs scripts to their end; mistakes are told, the exit status is returned. The command is
 * started when every script handles events. */
int session_run(const struct session_options *wanted, const struct script_options *options,
		char *const *names, int count);

/* The same of a command line: of its script.text, or of the script that it names, with the words
 * behind as the script's own. */
int session_of(struct command_line *line);

#endif
