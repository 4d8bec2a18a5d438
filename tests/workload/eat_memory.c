// SPDX-License-Identifier: Apache-2.0
#include "workload.h"

#include <stdlib.h>
#include <string.h>

static void run(char **arguments)
{
	for (long i = number(arguments[0]); i > 0; i--) {
		char *memory = malloc(1 << 20);

		if (!memory)
			die("malloc");
		memset(memory, 1, 1 << 20);
	}
}

WORKLOADS({"eat-memory", 1, "MB", "touch MB of memory and keep it", run});
