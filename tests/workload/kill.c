// SPDX-License-Identifier: Apache-2.0
#include "workload.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Signal 0 only asks whether one could be sent, so it does no harm. */
static void run(char **arguments)
{
	pid_t own = getpid();

	for (long i = number(arguments[0]); i > 0; i--)
		if (kill(own, 0) || syscall(SYS_tkill, own, 0) || syscall(SYS_tgkill, own, own, 0))
			die("kill");
}

/* To a process that is gone: it was this one's child, so nobody else can have been meant. */
static void run_missing(char **arguments)
{
	pid_t child = fork_or_die();

	if (!child)
		_exit(0);
	wait_for(child);
	for (long i = number(arguments[0]); i > 0; i--)
		if (!kill(child, SIGTERM))
			die("kill");
}

WORKLOADS({"kill", 1, "N", "N times kill, tkill and tgkill of itself with 0", run},
	  {"kill-missing", 1, "N", "N times SIGTERM to a child that is gone", run_missing});
