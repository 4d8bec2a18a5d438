// SPDX-License-Identifier: Apache-2.0
#include "workload.h"
#include "loopback.h"

#include <unistd.h>

static void udp_connected(int family, char **arguments)
{
	long count = number(arguments[0]), size = number_or(arguments, 1, 64);
	struct endpoint end, client_end;
	int server = socket_bound(family, SOCK_DGRAM, &end);
	int client = socket_bound(family, SOCK_DGRAM, &client_end);
	char *bytes = bytes_of(size);

	if (connect(client, &end.any, end.length) ||
	    connect(server, &client_end.any, client_end.length))
		die("connect");
	for (long i = 0; i < count; i++) {
		if (send(client, bytes, size, 0) != size)
			die("send");
		if (recv(server, bytes, size, 0) != size)
			die("recv");
	}
	close(client);
	close(server);
}

static void run_udp_connected(char **arguments)
{
	udp_connected(AF_INET, arguments);
}

static void run_udp6_connected(char **arguments)
{
	udp_connected(AF_INET6, arguments);
}

WORKLOADS({"udp-connected", 1, "N [BYTES]", "as udp, between connected sockets", run_udp_connected},
	  {"udp6-connected", 1, "N [BYTES]", "as udp-connected, over IPv6", run_udp6_connected});
