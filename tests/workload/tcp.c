// SPDX-License-Identifier: Apache-2.0
#include "workload.h"
#include "loopback.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

struct tcp_server {
	int fd;
	long count;
	size_t bytes;
};

/* Answers with as much as it got. The client always closes first. */
static void *serve_tcp(void *argument)
{
	const struct tcp_server *server = argument;
	char *bytes = bytes_of(server->bytes);

	for (long i = 0; i < server->count; i++) {
		int fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			die("accept");
		receive_all(fd, bytes, server->bytes);
		send_all(fd, bytes, server->bytes);
		expect_end(fd);
		close(fd);
	}
	free(bytes);
	return NULL;
}

static void tcp(int family, char **arguments)
{
	struct tcp_server server = {.count = number(arguments[0])};
	struct endpoint end;
	pthread_t thread;
	char *bytes;

	server.bytes = number_or(arguments, 1, 0);
	server.fd = socket_listening(family, SOMAXCONN, &end);
	errno = pthread_create(&thread, NULL, serve_tcp, &server);
	if (errno)
		die("pthread_create");
	bytes = bytes_of(server.bytes);
	for (long i = 0; i < server.count; i++) {
		int fd = socket_connected(SOCK_STREAM, &end);

		send_all(fd, bytes, server.bytes);
		receive_all(fd, bytes, server.bytes);
		close(fd);
	}
	pthread_join(thread, NULL);
	close(server.fd);
}

static void run_tcp(char **arguments)
{
	tcp(AF_INET, arguments);
}

static void run_tcp6(char **arguments)
{
	tcp(AF_INET6, arguments);
}

WORKLOADS({"tcp", 1, "N [BYTES]", "N IPv4 connections, BYTES there and back", run_tcp},
	  {"tcp6", 1, "N [BYTES]", "as tcp, over IPv6", run_tcp6});
