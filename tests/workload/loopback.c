// SPDX-License-Identifier: Apache-2.0
#include "loopback.h"

#include "workload.h"

#include <arpa/inet.h>

static struct endpoint loopback(int family)
{
	struct endpoint end = {.any.sa_family = family};

	if (family == AF_INET6) {
		end.ipv6.sin6_addr = in6addr_loopback;
		end.length = sizeof(end.ipv6);
	} else {
		end.ipv4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		end.length = sizeof(end.ipv4);
	}
	return end;
}

int socket_bound(int family, int type, struct endpoint *end)
{
	int fd = socket(family, type | SOCK_CLOEXEC, 0);

	*end = loopback(family);
	if (fd < 0 || bind(fd, &end->any, end->length) || getsockname(fd, &end->any, &end->length))
		die("socket on loopback");
	return fd;
}

int socket_listening(int family, int waiting, struct endpoint *end)
{
	int fd = socket_bound(family, SOCK_STREAM, end);

	if (listen(fd, waiting))
		die("listen");
	return fd;
}

int socket_connected(int type, const struct endpoint *to)
{
	int fd = socket(to->any.sa_family, type | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, &to->any, to->length))
		die("connect");
	return fd;
}

void send_all(int fd, const char *bytes, size_t count)
{
	while (count) {
		ssize_t sent = send(fd, bytes, count, MSG_NOSIGNAL);

		if (sent <= 0)
			die("send");
		bytes += sent;
		count -= sent;
	}
}

void receive_all(int fd, char *bytes, size_t count)
{
	while (count) {
		ssize_t got = recv(fd, bytes, count, 0);

		if (got <= 0)
			die("recv");
		bytes += got;
		count -= got;
	}
}

void expect_end(int fd)
{
	if (recv(fd, &(char){0}, 1, 0))
		die("the end of the connection");
}
