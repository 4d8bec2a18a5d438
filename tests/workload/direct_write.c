// SPDX-License-Identifier: Apache-2.0
#include "workload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One request to the device each, as long as BYTES is within its limits and PATH is a
 * device or has its blocks side by side. */
static void run(char **arguments)
{
	long count = number(arguments[0]), size = number(arguments[1]);
	int fd = open_or_die(arguments[2], O_WRONLY | O_CREAT | O_DIRECT);
	void *bytes;

	errno = posix_memalign(&bytes, 4096, size);
	if (errno)
		die("posix_memalign");
	memset(bytes, 0, size);
	for (long i = 0; i < count; i++)
		if (pwrite(fd, bytes, size, i * size) != size)
			die("pwrite");
	close(fd);
}

WORKLOADS({"direct-write", 3, "N BYTES PATH", "N O_DIRECT writes", run});
