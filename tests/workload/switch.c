// SPDX-License-Identifier: Apache-2.0
#include "workload.h"

#include <sched.h>
#include <unistd.h>

static void pass_byte(int from, int to)
{
	char byte;

	if (read(from, &byte, 1) != 1 || write(to, &byte, 1) != 1)
		die("pipe");
}

/* On one CPU, so that every hand-over is a switch: at least 2 N. */
static void run(char **arguments)
{
	long count = number(arguments[0]);
	int there[2], back[2];
	cpu_set_t one;
	pid_t child;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	if (sched_setaffinity(0, sizeof(one), &one) || pipe(there) || pipe(back))
		die("set up");
	child = fork_or_die();
	if (!child) {
		for (long i = 0; i < count; i++)
			pass_byte(there[0], back[1]);
		_exit(0);
	}
	for (long i = 0; i < count; i++) {
		if (write(there[1], "", 1) != 1)
			die("pipe");
		if (read(back[0], &(char){0}, 1) != 1)
			die("pipe");
	}
	wait_for(child);
}

WORKLOADS({"switch", 1, "N", "N round trips between two processes on one CPU", run});
