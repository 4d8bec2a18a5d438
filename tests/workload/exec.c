// SPDX-License-Identifier: Apache-2.0
#include "workload.h"

#include <unistd.h>

/* By its own path: the kernel names a program started as /proc/self/exe "exe". */
static void run(char **arguments)
{
	/* On the stack, for a probe of execve reads no page that nobody has touched yet. */
	char own_path[4096] = "", name[] = "workload", what[] = "exit", status[] = "0";

	if (readlink("/proc/self/exe", own_path, sizeof(own_path) - 1) < 0)
		die("/proc/self/exe");
	for (long i = number(arguments[0]); i > 0; i--) {
		pid_t child = fork_or_die();

		if (!child) {
			execl(own_path, name, what, status, NULL);
			_exit(127);
		}
		wait_for(child);
	}
}

WORKLOADS({"exec", 1, "N", "N forks, each executes this program", run});
