// SPDX-License-Identifier: Apache-2.0
#include "workload.h"

#include <stdint.h>
#include <time.h>

static void run(char **arguments)
{
	uint64_t end = number(arguments[0]) * 1000000ull;
	struct timespec now;

	do {
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	} while (now.tv_sec * 1000000000ull + now.tv_nsec < end);
}

WORKLOADS({"spin", 1, "MS", "MS of CPU time", run});
