// SPDX-License-Identifier: Apache-2.0
#include "workload.h"

#include <unistd.h>

/* To where the root is: nothing changes, but the kernel asks for CAP_SYS_CHROOT. Not having it is
 * fine. */
static void run(char **arguments)
{
	for (long i = number(arguments[0]); i > 0; i--)
		if (chroot("/"))
			continue;
}

WORKLOADS({"chroot", 1, "N", "N checks of a privilege, by chroot", run});
