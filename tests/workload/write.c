// SPDX-License-Identifier: Apache-2.0
#include "workload.h"

#include <fcntl.h>
#include <unistd.h>

static void run(char **arguments)
{
	long count = number(arguments[0]), size = number(arguments[1]);
	int fd = open_or_die(arguments[2], O_WRONLY | O_CREAT | O_TRUNC);
	char *bytes = bytes_of(size);

	for (long i = 0; i < count; i++)
		if (write(fd, bytes, size) != size)
			die("write");
	close(fd);
}

WORKLOADS({"write", 3, "N BYTES PATH", "N writes", run});
