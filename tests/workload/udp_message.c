// SPDX-License-Identifier: Apache-2.0
#include "workload.h"
#include "loopback.h"

#include <unistd.h>

static void run(char **arguments)
{
	long count = number(arguments[0]), size = number_or(arguments, 1, 64);
	struct endpoint end, from;
	int server = socket_bound(AF_INET, SOCK_DGRAM, &end);
	int client = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct iovec part = {.iov_base = bytes_of(size), .iov_len = size};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	for (long i = 0; i < count; i++) {
		message.msg_name = &end.any;
		message.msg_namelen = end.length;
		if (sendmsg(client, &message, 0) != size)
			die("sendmsg");
		message.msg_name = &from.any;
		message.msg_namelen = sizeof(from.ipv6);
		if (recvmsg(server, &message, 0) != size)
			die("recvmsg");
	}
	close(client);
	close(server);
}

WORKLOADS({"udp-message", 1, "N [BYTES]", "N datagrams, sendmsg and recvmsg", run});
