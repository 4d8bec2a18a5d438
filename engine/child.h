/* SPDX-License-Identifier: Apache-2.0 */
/* Child: a worker process as its host holds it.
 *
 *   child_start() --fork, exec--> worker      messages <-> socket      its end -> pidfd
 *
 * All messages that a worker sent are delivered before its end is; none after child_kill(). */
#ifndef MOONPROBE_CHILD_H
#define MOONPROBE_CHILD_H

#include "error.h"
#include "loop.h"
#include "message.h"

#include <sys/types.h>

struct child;

struct child_events {
	/* The message is valid during the call; descriptors not taken are closed after it. */
	void (*message)(struct child *child, struct message *message);
	/* `status` as of waitpid(2). The child may be closed here, and must be some time. */
	void (*ended)(struct child *child, int status);
};

int child_start(struct child **child, struct loop *loop, const struct child_events *events,
		void *owner, struct error *error);
void *child_owner(const struct child *child);
pid_t child_pid(const struct child *child);

/* Never waits: a worker that does not read its messages gets -EAGAIN and is the caller's
 * to end. */
int child_send(struct child *child, struct message *message);

void child_kill(struct child *child);  /* SIGKILL; ended() follows */
void child_close(struct child *child); /* kills and reaps one that runs; NULL is fine */

#endif
