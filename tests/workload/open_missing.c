// SPDX-License-Identifier: Apache-2.0
#include "workload.h"

#include <errno.h>
#include <fcntl.h>

static void run(char **arguments)
{
	for (long i = number(arguments[0]); i > 0; i--)
		if (open("/nonexistent/moonprobe", O_RDONLY) >= 0 || errno != ENOENT)
			die("open");
}

WORKLOADS({"open-missing", 1, "N", "N opens of a missing file (ENOENT)", run});
