// SPDX-License-Identifier: Apache-2.0
#include "loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define BATCH 32

struct loop {
	int epoll_fd;
	bool stopped;
	struct epoll_event batch[BATCH];
	int batch_count;
};

int loop_open(struct loop **out)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return -ENOMEM;
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0) {
		int err = -errno;

		free(loop);
		return err;
	}
	*out = loop;
	return 0;
}

int loop_add(struct loop *loop, struct loop_source *source)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = source};

	return epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, source->fd, &event) ? -errno : 0;
}

void loop_remove(struct loop *loop, struct loop_source *source)
{
	if (source->fd < 0)
		return;
	epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
	/* It may wait in the batch that is being worked on. */
	for (int i = 0; i < loop->batch_count; i++)
		if (loop->batch[i].data.ptr == source)
			loop->batch[i].data.ptr = NULL;
}

int loop_run(struct loop *loop)
{
	while (!loop->stopped) {
		loop->batch_count = epoll_wait(loop->epoll_fd, loop->batch, BATCH, -1);
		if (loop->batch_count < 0 && errno != EINTR)
			return -errno;
		for (int i = 0; i < loop->batch_count && !loop->stopped; i++) {
			struct loop_source *source = loop->batch[i].data.ptr;

			if (source)
				source->ready(source);
		}
	}
	return 0;
}

void loop_stop(struct loop *loop)
{
	loop->stopped = true;
}

void loop_close(struct loop *loop)
{
	if (!loop)
		return;
	close(loop->epoll_fd);
	free(loop);
}

int timer_open(struct loop *loop, struct loop_source *source)
{
	source->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (source->fd < 0)
		return -errno;
	return loop_add(loop, source);
}

void timer_set(struct loop_source *source, uint64_t in_ns)
{
	struct itimerspec when = {
		.it_value = {.tv_sec = in_ns / 1000000000, .tv_nsec = in_ns % 1000000000},
	};

	timerfd_settime(source->fd, 0, &when, NULL);
}

void timer_read(struct loop_source *source)
{
	uint64_t expirations;
	ssize_t got = read(source->fd, &expirations, sizeof(expirations));

	(void)got; /* nothing to read: somebody re-armed it meanwhile */
}
