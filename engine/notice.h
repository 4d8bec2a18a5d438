/* SPDX-License-Identifier: Apache-2.0 */
/* Notice: what a version's worker tells its host. engine/README.md lists the messages.
 *
 * They are parsed here, in declaration.c and in *_request.c, and nowhere else. A worker that
 * breaks the protocol, or sends more than anybody needs, is ended. */
#ifndef MOONPROBE_NOTICE_H
#define MOONPROBE_NOTICE_H

struct message;
struct version;

/* Calls the version's events, which may close it. */
void notice_take(struct version *version, struct message *message);

/* To be called every second: the limits on messages count anew. */
void notice_second(struct version *version);

#endif
