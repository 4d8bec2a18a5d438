// SPDX-License-Identifier: Apache-2.0
#include "workload.h"

#include <unistd.h>

/* By its own path: the kernel names a program started as /proc/self/exe "exe". */
static void run(char **arguments)
{
	char own_path[4096] = "";

	if (readlink("/proc/self/exe", own_path, sizeof(own_path) - 1) < 0)
		die("/proc/self/exe");
	for (long i = number(arguments[0]); i > 0; i--) {
		pid_t child = fork_or_die();

		if (!child) {
			execl(own_path, "workload", "exit", "0", NULL);
			_exit(127);
		}
		wait_for(child);
	}
}

WORKLOADS({"exec", 1, "N", "N forks, each executes this program", run});
