// SPDX-License-Identifier: Apache-2.0
#include "workload.h"

#include <fcntl.h>
#include <unistd.h>

/* Always from the start of the file, so any file of BYTES will do. */
static void run(char **arguments)
{
	long count = number(arguments[0]), size = number(arguments[1]);
	int fd = open_or_die(arguments[2], O_RDONLY);
	char *bytes = bytes_of(size);

	for (long i = 0; i < count; i++) {
		if (read(fd, bytes, size) < 0)
			die("read");
		if (lseek(fd, 0, SEEK_SET) < 0)
			die("lseek");
	}
	close(fd);
}

WORKLOADS({"read", 3, "N BYTES PATH", "N reads from the start of PATH", run});
