// SPDX-License-Identifier: Apache-2.0
#include "workload.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* mknod(2), because open(2) creates a file without asking vfs_create(). */
static void run(char **arguments)
{
	char path[4096];

	for (long i = number(arguments[0]); i > 0; i--) {
		snprintf(path, sizeof(path), "%s/made-%d-%ld", arguments[1], (int)getpid(), i);
		if (mknod(path, S_IFREG | 0600, 0) || unlink(path))
			die("%s", path);
		if (mkdir(path, 0700) || rmdir(path))
			die("%s", path);
	}
}

WORKLOADS({"make-files", 2, "N PATH", "in PATH N times mknod, unlink, mkdir, rmdir", run});
