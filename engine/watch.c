// SPDX-License-Identifier: Apache-2.0
#include "watch.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define SETTLE_NS (20 * 1000000) /* an editor's several steps count as one change */

struct watched {
	struct watched *next;
	int folder; /* inotify descriptor of the directory it is in */
	char name[];
};

struct watch {
	struct loop *loop;
	struct loop_source inotify, settle;
	void (*changed)(void *context);
	void *context;
	struct watched *files;
};

static void inotify_ready(struct loop_source *source)
{
	struct watch *watch = container_of(source, struct watch, inotify);
	_Alignas(struct inotify_event) char buffer[4096];
	ssize_t got = read(source->fd, buffer, sizeof(buffer));

	for (char *at = buffer; got > 0 && at < buffer + got;) {
		const struct inotify_event *event = (void *)at;

		for (struct watched *file = watch->files; file; file = file->next)
			if (event->wd == file->folder && event->len &&
			    !strcmp(event->name, file->name))
				timer_set(&watch->settle, SETTLE_NS);
		at += sizeof(*event) + event->len;
	}
}

static void settle_ready(struct loop_source *source)
{
	struct watch *watch = container_of(source, struct watch, settle);

	timer_read(source);
	watch->changed(watch->context);
}

int watch_open(struct watch **out, struct loop *loop, void (*changed)(void *context), void *context)
{
	struct watch *watch = calloc(1, sizeof(*watch));
	int err;

	if (!watch)
		return -ENOMEM;
	watch->loop = loop;
	watch->changed = changed;
	watch->context = context;
	watch->settle.ready = settle_ready;
	watch->settle.fd = -1;
	watch->inotify.ready = inotify_ready;
	watch->inotify.fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	err = watch->inotify.fd < 0 ? -errno : loop_add(loop, &watch->inotify);
	if (!err)
		err = timer_open(loop, &watch->settle);
	if (err) {
		watch_close(watch);
		return err;
	}
	*out = watch;
	return 0;
}

int watch_add(struct watch *watch, const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	char folder[PATH_MAX] = ".";
	struct watched *file;
	int descriptor;

	if (slash) {
		size_t length = slash == path ? 1 : slash - path;

		if (length >= sizeof(folder))
			return -ENAMETOOLONG;
		memcpy(folder, path, length);
		folder[length] = 0;
	}
	descriptor = inotify_add_watch(watch->inotify.fd, folder,
				       IN_CLOSE_WRITE | IN_MOVED_TO | IN_ONLYDIR);
	if (descriptor < 0)
		return -errno;
	for (file = watch->files; file; file = file->next)
		if (file->folder == descriptor && !strcmp(file->name, name))
			return 0;
	file = malloc(sizeof(*file) + strlen(name) + 1);
	if (!file)
		return -ENOMEM;
	file->folder = descriptor;
	strcpy(file->name, name);
	file->next = watch->files;
	watch->files = file;
	return 0;
}

void watch_close(struct watch *watch)
{
	if (!watch)
		return;
	while (watch->files) {
		struct watched *next = watch->files->next;

		free(watch->files);
		watch->files = next;
	}
	loop_remove(watch->loop, &watch->inotify);
	loop_remove(watch->loop, &watch->settle);
	if (watch->inotify.fd >= 0)
		close(watch->inotify.fd);
	if (watch->settle.fd >= 0)
		close(watch->settle.fd);
	free(watch);
}
