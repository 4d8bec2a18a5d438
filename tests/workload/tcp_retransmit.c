// SPDX-License-Identifier: Apache-2.0
#include "workload.h"
#include "loopback.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* A listener whose queue one connection fills: the SYNs of the others are dropped, and
 * sent again after 1 s. They are closed before the next time, at 3 s. */
static void run(char **arguments)
{
	long count = number(arguments[0]);
	int *fds = bytes_of(count * sizeof(*fds));
	struct endpoint end;
	int listener = socket_listening(AF_INET, 0, &end);
	int filler = socket_connected(SOCK_STREAM, &end);

	for (long i = 0; i < count; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (fds[i] < 0 || !connect(fds[i], &end.any, end.length) || errno != EINPROGRESS)
			die("connect");
	}
	usleep(1600000);
	for (long i = 0; i < count; i++)
		close(fds[i]);
	close(filler);
	close(listener);
	free(fds);
}

WORKLOADS({"tcp-retransmit", 1, "N", "N SYNs sent again once, given up", run});
