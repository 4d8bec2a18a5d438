// SPDX-License-Identifier: Apache-2.0
#include "workload.h"

#include <unistd.h>

static void run(char **arguments)
{
	_exit(number(arguments[0]));
}

WORKLOADS({"exit", 1, "CODE", "exit with CODE", run});
