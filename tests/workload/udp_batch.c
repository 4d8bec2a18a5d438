// SPDX-License-Identifier: Apache-2.0
#include "workload.h"
#include "loopback.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The i-th message is i bytes long, from 1 on. */
static void run(char **arguments)
{
	long count = number(arguments[0]);
	struct mmsghdr *messages = bytes_of(count * sizeof(*messages));
	struct iovec *parts = bytes_of(count * sizeof(*parts));
	struct endpoint end, from;
	int server = socket_bound(AF_INET, SOCK_DGRAM, &end);
	int client = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (count > 128) { /* what a socket's buffer surely holds */
		fputs("workload: at most 128 messages\n", stderr);
		exit(2);
	}
	for (long i = 0; i < count; i++) {
		parts[i].iov_base = bytes_of(count);
		parts[i].iov_len = i + 1;
		messages[i].msg_hdr.msg_iov = &parts[i];
		messages[i].msg_hdr.msg_iovlen = 1;
		messages[i].msg_hdr.msg_name = &end.any;
		messages[i].msg_hdr.msg_namelen = end.length;
	}
	if (sendmmsg(client, messages, count, 0) != count)
		die("sendmmsg");
	for (long i = 0; i < count; i++) {
		messages[i].msg_hdr.msg_name = &from.any;
		messages[i].msg_hdr.msg_namelen = sizeof(from.ipv6);
	}
	if (recvmmsg(server, messages, count, MSG_WAITFORONE, NULL) != count)
		die("recvmmsg");
	close(client);
	close(server);
}

WORKLOADS({"udp-batch", 1, "N", "one sendmmsg and recvmmsg of 1 to N bytes", run});
