// SPDX-License-Identifier: Apache-2.0
#include "workload.h"
#include "loopback.h"

#include <errno.h>
#include <unistd.h>

/* The client resets each connection; the server only sees it go. */
static void run(char **arguments)
{
	struct linger at_once = {.l_onoff = 1, .l_linger = 0};
	struct endpoint end;
	int listener = socket_listening(AF_INET, 16, &end);

	for (long i = number(arguments[0]); i > 0; i--) {
		int client = socket_connected(SOCK_STREAM, &end);
		int server = accept(listener, NULL, NULL);

		if (server < 0)
			die("accept");
		send_all(client, "x", 1);
		receive_all(server, &(char){0}, 1);
		setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
		close(client);
		if (recv(server, &(char){0}, 1, 0) >= 0 || errno != ECONNRESET)
			die("recv");
		close(server);
	}
	close(listener);
}

WORKLOADS({"tcp-reset", 1, "N", "N connections the client resets after a byte", run});
