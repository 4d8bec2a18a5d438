/* SPDX-License-Identifier: Apache-2.0 */
/* Session: scripts on a choice of processes: all, one (-p), or a command and its descendants
 * (-c), which is held until every script runs; and what ends it. */
#ifndef MOONPROBE_SESSION_H
#define MOONPROBE_SESSION_H

#include "script_options.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>

struct session_options {
	const char *pid, *command; /* -p, -c, as given; NULL: not */
	const char *output;	   /* -o */
	uint64_t for_ns;	   /* 0: no limit */
	bool watching;		   /* -w */
	bool silent;		   /* no closing summary, not in JSON either */
};

/* What `run` and `serve` have in common on their command line. */
#define SESSION_LETTERS "p:c:f:I:wqv"
#define SESSION_LONG_OPTIONS                                                                       \
	{"ring", required_argument, NULL, 'R'}, {"allow", required_argument, NULL, 'A'},           \
		{"help", no_argument, NULL, 'h'},                                                  \
	{                                                                                          \
		NULL, 0, NULL, 0                                                                   \
	}

/* Takes one of these options; false when `letter` is none. A bad value is told, and exits. */
bool session_take(int letter, const char *value, struct session_options *wanted,
		  struct script_options *options);

/* Runs scripts to their end; mistakes are told, the exit status is returned. The command is
 * started when every script handles events. */
int session_run(const struct session_options *wanted, const struct script_options *options,
		char *const *names, int count);

#endif
