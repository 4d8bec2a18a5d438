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
	char *bytes = bytes_of(size);

	for (long i = 0; i < count; i++) {
		from.length = sizeof(from.ipv6);
		if (sendto(client, bytes, size, 0, &end.any, end.length) != size)
			die("sendto");
		if (recvfrom(server, bytes, size, 0, &from.any, &from.length) != size)
			die("recvfrom");
	}
	close(client);
	close(server);
}

WORKLOADS({"udp", 1, "N [BYTES]", "N datagrams, sendto and recvfrom", run});
