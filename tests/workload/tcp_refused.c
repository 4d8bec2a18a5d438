// SPDX-License-Identifier: Apache-2.0
#include "workload.h"
#include "loopback.h"

#include <errno.h>
#include <unistd.h>

static void run(char **arguments)
{
	struct endpoint end;
	int bound = socket_bound(AF_INET, SOCK_STREAM, &end); /* never listens */

	for (long i = number(arguments[0]); i > 0; i--) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		if (fd < 0 || !connect(fd, &end.any, end.length) || errno != ECONNREFUSED)
			die("connect");
		close(fd);
	}
	close(bound);
}

WORKLOADS({"tcp-refused", 1, "N", "N refused connections", run});
