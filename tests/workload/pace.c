// SPDX-License-Identifier: Apache-2.0
#include "workload.h"

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* In portions of a millisecond; what a busy machine holds up is made up for. */
static void run(char **arguments)
{
	long count = number(arguments[0]), rate = number(arguments[1]), done = 0;
	struct timespec start, now;

	clock_gettime(CLOCK_MONOTONIC, &start);
	while (done < count) {
		double due;

		clock_gettime(CLOCK_MONOTONIC, &now);
		due = rate * (now.tv_sec - start.tv_sec + (now.tv_nsec - start.tv_nsec) / 1e9);
		for (; done < count && done < due; done++)
			syscall(SYS_getppid);
		usleep(1000);
	}
}

WORKLOADS({"pace", 2, "N PER_SECOND", "N times getppid, evenly in time", run});
