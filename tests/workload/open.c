// SPDX-License-Identifier: Apache-2.0
#include "workload.h"

#include <fcntl.h>
#include <unistd.h>

static void run(char **arguments)
{
	for (long i = number(arguments[0]); i > 0; i--)
		close(open_or_die(arguments[1], O_RDONLY));
}

WORKLOADS({"open", 2, "N PATH", "N opens of PATH", run});
