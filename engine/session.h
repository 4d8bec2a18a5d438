/* SPDX-License-Identifier: Apache-2.0 */
/* Session: scripts on a choice of processes: all, one (-p), or a command and its descendants
 * (-c), which is held until every script runs; and what ends it. */
#ifndef MOONPROBE_SESSION_H
#define MOONPROBE_SESSION_H

#include "script_options.h"

#include <stdint.h>

struct session_options {
	const char *pid, *command; /* -p, -c, as given; NULL: not */
	const char *output;	   /* -o */
	uint64_t for_ns;	   /* 0: no limit */
	bool watching;		   /* -w */
};

/* Runs scripts to their end; mistakes are told, the exit status is returned. The command is
 * started when every script handles events. */
int session_run(const struct session_options *wanted, const struct script_options *options,
		char *const *names, int count);

#endif
