// SPDX-License-Identifier: Apache-2.0
#include "workload.h"

#include <errno.h>
#include <unistd.h>

static void run(char **arguments)
{
	for (long i = number(arguments[0]); i > 0; i--) {
		execl("/nonexistent/moonprobe", "moonprobe", "--argument", NULL);
		if (errno != ENOENT)
			die("execve");
	}
}

WORKLOADS({"exec-fail", 1, "N", "N execve of a missing file (ENOENT)", run});
