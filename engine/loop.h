/* SPDX-License-Identifier: Apache-2.0 */
/* Loop: waits on file descriptors and calls whom they belong to.
 *
 *   signalfd, pidfds, worker sockets, timers, inotify --epoll--> source->ready()
 *
 * A source is a member of the struct that owns the descriptor; ready() finds it with
 * container_of. A source must be removed before its descriptor is closed or its memory
 * is freed; removing one inside its own ready() is fine. */
#ifndef MOONPROBE_LOOP_H
#define MOONPROBE_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

struct loop;

struct loop_source {
	int fd; /* -1: not in use */
	void (*ready)(struct loop_source *source);
};

int loop_open(struct loop **loop);
int loop_add(struct loop *loop, struct loop_source *source); /* readable or hung up */
void loop_remove(struct loop *loop, struct loop_source *source);
int loop_run(struct loop *loop); /* until loop_stop(); 0 or -errno */
void loop_stop(struct loop *loop);
void loop_close(struct loop *loop); /* NULL is fine */

/* A one-shot timer as a source: timer_open() makes it idle, timer_set() arms it. */
int timer_open(struct loop *loop, struct loop_source *source);
void timer_set(struct loop_source *source, uint64_t in_ns); /* 0: disarm */
void timer_read(struct loop_source *source);		    /* call first in ready() */

#endif
