// SPDX-License-Identifier: Apache-2.0
#include "workload.h"

#include <sys/syscall.h>
#include <unistd.h>

static void run(char **arguments)
{
	for (long i = number(arguments[0]); i > 0; i--)
		syscall(SYS_getppid);
}

WORKLOADS({"syscall", 1, "N", "N times getppid", run});
