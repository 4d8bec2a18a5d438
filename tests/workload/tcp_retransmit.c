// SPDX-License-Identifier: Apache-2.0
#include "workload.h"
#include "loopback.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

static bool was_sent_again(int fd)
{
	struct tcp_info info = {0};
	socklen_t length = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length))
		die("TCP_INFO");
	return info.tcpi_total_retrans > 0;
}

/* A listener whose queue one connection fills: the SYNs of the others are dropped, and
 * sent again after 1 s. They are closed before the next time, at 3 s. */
static void run(char **arguments)
{
	long count = number(arguments[0]);
	int *fds = bytes_of(count * sizeof(*fds));
	struct endpoint end;
	int listener = socket_listening(AF_INET, 0, &end);
	int filler = socket_connected(SOCK_STREAM, &end);

	/* A busy kernel puts it into the queue a while after connect(2) has returned. */
	if (poll(&(struct pollfd){.fd = listener, .events = POLLIN}, 1, -1) != 1)
		die("poll");
	for (long i = 0; i < count; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (fds[i] < 0 || !connect(fds[i], &end.any, end.length) || errno != EINPROGRESS)
			die("connect");
	}
	for (long i = 0; i < count; i++) {
		while (!was_sent_again(fds[i]))
			usleep(1000);
		close(fds[i]);
	}
	close(filler);
	close(listener);
	free(fds);
}

WORKLOADS({"tcp-retransmit", 1, "N", "N SYNs sent again once, given up", run});
