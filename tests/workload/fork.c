// SPDX-License-Identifier: Apache-2.0
#include "workload.h"

#include <unistd.h>

static void run(char **arguments)
{
	for (long i = number(arguments[0]); i > 0; i--) {
		pid_t child = fork_or_die();

		if (!child)
			_exit(0);
		wait_for(child);
	}
}

WORKLOADS({"fork", 1, "N", "N children that exit with 0", run});
