// SPDX-License-Identifier: Apache-2.0
#include "message.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void message_start(struct message *message, const char *name)
{
	message->length = 0;
	message->next = 0;
	message->fd_count = 0;
	message->broken = false;
	message_text(message, name);
}

struct message *message_new(const char *name)
{
	struct message *message = malloc(sizeof(*message));

	if (message)
		message_start(message, name);
	return message;
}

void message_string(struct message *message, const char *bytes, size_t length)
{
	uint32_t size = length;
	unsigned char *at = message->bytes + message->length;

	if (length > MESSAGE_BYTES ||
	    message->length + 1 + sizeof(size) + length + 1 > MESSAGE_BYTES) {
		message->broken = true;
		return;
	}
	*at++ = 's';
	memcpy(at, &size, sizeof(size));
	at += sizeof(size);
	memcpy(at, bytes, length);
	at[length] = 0;
	message->length += 1 + sizeof(size) + length + 1;
}

void message_text(struct message *message, const char *text)
{
	message_string(message, text, strlen(text));
}

void message_number(struct message *message, double number)
{
	if (message->length + 1 + sizeof(number) > MESSAGE_BYTES) {
		message->broken = true;
		return;
	}
	message->bytes[message->length] = 'n';
	memcpy(message->bytes + message->length + 1, &number, sizeof(number));
	message->length += 1 + sizeof(number);
}

void message_fd(struct message *message, int fd)
{
	if (message->fd_count == MESSAGE_FDS)
		message->broken = true;
	else
		message->fds[message->fd_count++] = fd;
}

int message_send(int socket, struct message *message)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * MESSAGE_FDS)] = {0};
	struct iovec part = {.iov_base = message->bytes, .iov_len = message->length};
	struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};

	if (message->broken)
		return -EMSGSIZE;
	if (message->fd_count) {
		size_t size = sizeof(int) * message->fd_count;
		struct cmsghdr *rights;

		header.msg_control = control;
		header.msg_controllen = CMSG_SPACE(size);
		rights = CMSG_FIRSTHDR(&header);
		rights->cmsg_level = SOL_SOCKET;
		rights->cmsg_type = SCM_RIGHTS;
		rights->cmsg_len = CMSG_LEN(size);
		memcpy(CMSG_DATA(rights), message->fds, size);
	}
	while (sendmsg(socket, &header, MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

static void take_rights(struct message *message, struct msghdr *header)
{
	for (struct cmsghdr *part = CMSG_FIRSTHDR(header); part; part = CMSG_NXTHDR(header, part)) {
		int count;

		if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
			continue;
		count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (int i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof(fd));
			if (message->fd_count < MESSAGE_FDS)
				message->fds[message->fd_count++] = fd;
			else
				close(fd);
		}
	}
}

int message_receive(int socket, struct message *message)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * MESSAGE_FDS)];
	struct iovec part = {.iov_base = message->bytes, .iov_len = MESSAGE_BYTES};
	struct msghdr header = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t got;

	message->length = 0;
	message->next = 0;
	message->fd_count = 0;
	message->broken = false;
	do
		got = recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return errno == ECONNRESET ? 0 : -errno;
	take_rights(message, &header);
	if (!got || header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
		message_close_fds(message); /* an empty packet can have some too */
		return got ? -EBADMSG : 0;
	}
	message->length = got;
	return 1;
}

char message_next_kind(const struct message *message)
{
	return message->broken || message->next >= message->length ? 0
								   : message->bytes[message->next];
}

bool message_next_string(struct message *message, const char **bytes, size_t *length)
{
	size_t left;
	uint32_t size;

	if (message_next_kind(message) != 's')
		goto broken;
	left = message->length - message->next;
	if (left < 1 + sizeof(size) + 1)
		goto broken;
	memcpy(&size, message->bytes + message->next + 1, sizeof(size));
	if (size > left - 1 - sizeof(size) - 1)
		goto broken;
	*bytes = (const char *)message->bytes + message->next + 1 + sizeof(size);
	if ((*bytes)[size])
		goto broken;
	*length = size;
	message->next += 1 + sizeof(size) + size + 1;
	return true;
broken:
	message->broken = true;
	return false;
}

bool message_next_text(struct message *message, const char **text)
{
	size_t length;

	if (!message_next_string(message, text, &length))
		return false;
	if (strlen(*text) == length)
		return true;
	message->broken = true;
	return false;
}

bool message_copy_text(struct message *message, char *to, size_t size)
{
	const char *text;

	return message_next_text(message, &text) && (size_t)snprintf(to, size, "%s", text) < size;
}

bool message_next_number(struct message *message, double *number)
{
	if (message_next_kind(message) != 'n' ||
	    message->length - message->next < 1 + sizeof(*number)) {
		message->broken = true;
		return false;
	}
	memcpy(number, message->bytes + message->next + 1, sizeof(*number));
	message->next += 1 + sizeof(*number);
	return true;
}

bool message_at_end(const struct message *message)
{
	return !message->broken && message->next == message->length;
}

int message_take_fd(struct message *message, int index)
{
	int fd;

	if (index < 0 || index >= message->fd_count)
		return -1;
	fd = message->fds[index];
	message->fds[index] = -1;
	return fd;
}

void message_close_fds(struct message *message)
{
	for (int i = 0; i < message->fd_count; i++)
		if (message->fds[i] >= 0)
			close(message->fds[i]);
	message->fd_count = 0;
}
