/* SPDX-License-Identifier: Apache-2.0 */
/* Message: what host and worker say to each other.
 *
 *   one packet of a SOCK_SEQPACKET socket = | value | value | ... |  + file descriptors
 *   value = 's' length bytes   or   'n' double
 *
 * The first value is a string, the message's name; engine/README.md lists them all. The
 * host treats what a worker sends as hostile: every read checks kind and bounds, so a
 * malformed packet is a refused packet, never a wild read. */
#ifndef MOONPROBE_MESSAGE_H
#define MOONPROBE_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MESSAGE_BYTES 65536
#define MESSAGE_FDS 64

struct message {
	size_t length; /* bytes used */
	size_t next;   /* where the next read starts */
	int fds[MESSAGE_FDS];
	int fd_count; /* received ones belong to the message until message_take_fd() */
	bool broken;  /* a value did not fit, or a read went wrong */
	unsigned char bytes[MESSAGE_BYTES];
};

/* Building. Values that do not fit set `broken`, which message_send() reports. */
void message_start(struct message *message, const char *name);
struct message *message_new(const char *name); /* to be freed; NULL: no memory */
void message_string(struct message *message, const char *bytes, size_t length);
void message_text(struct message *message, const char *text);
void message_number(struct message *message, double number);
void message_fd(struct message *message, int fd); /* stays the caller's */

/* 0 or -errno; -EAGAIN when a non-blocking peer does not read. */
int message_send(int socket, struct message *message);

/* One packet: 1, 0 when the peer has closed, or -errno (-EAGAIN: none there, -EBADMSG:
 * longer than allowed). Received descriptors are close-on-exec. */
int message_receive(int socket, struct message *message);

/* Reading, in order. False when the next value is missing or of the other kind; strings
 * point into the message and end in a zero byte that is not counted. */
bool message_next_string(struct message *message, const char **bytes, size_t *length);
bool message_next_text(struct message *message, const char **text); /* no zero byte inside */
/* As next_text; false also when it does not fit. */
bool message_copy_text(struct message *message, char *to, size_t size);
bool message_next_number(struct message *message, double *number);
bool message_at_end(const struct message *message);
char message_next_kind(const struct message *message); /* 's', 'n', or 0 at the end */

/* Hands descriptor `index` over to the caller; -1 when there is none. */
int message_take_fd(struct message *message, int index);
void message_close_fds(struct message *message); /* those not taken */

#endif
