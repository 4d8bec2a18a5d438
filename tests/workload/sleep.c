// SPDX-License-Identifier: Apache-2.0
#include "workload.h"

#include <time.h>

static void run(char **arguments)
{
	long ms = number(arguments[1]);
	struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	for (long i = number(arguments[0]); i > 0; i--)
		if (nanosleep(&time, NULL))
			die("nanosleep");
}

WORKLOADS({"sleep", 2, "N MS", "N times nanosleep", run});
