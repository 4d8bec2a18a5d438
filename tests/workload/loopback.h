/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets, all on loopback. What fails ends the program. */
#ifndef MOONPROBE_WORKLOAD_LOOPBACK_H
#define MOONPROBE_WORKLOAD_LOOPBACK_H

#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>

struct endpoint {
	union {
		struct sockaddr any;
		struct sockaddr_in ipv4;
		struct sockaddr_in6 ipv6;
	};
	socklen_t length;
};

/* A socket with a free port of its own; `end` tells which. */
int socket_bound(int family, int type, struct endpoint *end);

/* The same, and connections are accepted: `waiting` at most wait for that. */
int socket_listening(int family, int waiting, struct endpoint *end);

int socket_connected(int type, const struct endpoint *to);

void send_all(int fd, const char *bytes, size_t count);
void receive_all(int fd, char *bytes, size_t count);

/* The other side closes, and sends nothing before. */
void expect_end(int fd);

#endif
