// SPDX-License-Identifier: Apache-2.0
#include "workload.h"

#include <signal.h>
#include <unistd.h>

static void run(char **arguments)
{
	if (kill(getpid(), number(arguments[0])))
		die("kill");
}

WORKLOADS({"kill-self", 1, "SIGNAL", "send SIGNAL to itself", run});
