// SPDX-License-Identifier: Apache-2.0
#include "version.h"

#include "child.h"
#include "notice.h"
#include "order.h"
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void on_message(struct child *child, struct message *message)
{
	notice_take(child_owner(child), message);
}

static void on_ended(struct child *child, int status)
{
	struct version *version = child_owner(child);
	char how[300];

	if (WIFEXITED(status) && !version->condemned) {
		version->events->ended(version, WEXITSTATUS(status), NULL);
		return;
	}
	if (version->condemned)
		snprintf(how, sizeof(how), "%s", version->condemned);
	else
		snprintf(how, sizeof(how), "ended by signal %d, %s", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	version->events->ended(version, 1, how);
}

static const struct child_events child_events = {.message = on_message, .ended = on_ended};

int version_start(struct version **out, struct loop *loop, const struct script_options *options,
		  int source_fd, int ring_fd, const struct version_events *events, void *owner,
		  struct error *error)
{
	struct version *version = calloc(1, sizeof(*version));
	int err;

	if (!version)
		return error_set(error, -ENOMEM, "%s: no memory", options->name);
	version->owner = owner;
	version->events = events;
	version->options = options;
	if (source_fd < 0) {
		version->source_fd = source_open(options, error);
		if (options->file)
			events->used_file(version, options->file);
	} else {
		version->source_fd = fcntl(source_fd, F_DUPFD_CLOEXEC, 0);
		if (version->source_fd < 0)
			error_set(error, -errno, "%s: %s", options->name, strerror(errno));
	}
	err = version->source_fd < 0 ? -EIO : 0;
	if (!err)
		err = child_start(&version->child, loop, &child_events, version, error);
	if (!err) {
		version->pid = child_pid(version->child);
		err = order_start(version, ring_fd);
		if (err)
			error_set(error, err, "%s: its worker: %s", options->name, strerror(-err));
	}
	if (err)
		version_close(version);
	else
		*out = version;
	return err;
}

int version_take_source(struct version *version)
{
	int fd = version->source_fd;

	version->source_fd = -1;
	return fd;
}

pid_t version_pid(const struct version *version)
{
	return version->pid;
}

bool version_uses(const struct version *version, const struct probe *probe)
{
	for (int i = 0; version && i < version->count; i++)
		if (version->declarations[i].probe == probe)
			return true;
	return false;
}

void version_add_fields(const struct version *version, const struct probe *probe,
			struct probe_request *sum)
{
	for (int i = 0; version && i < version->count; i++)
		if (version->declarations[i].probe == probe)
			probe_request_add_fields(sum, &version->declarations[i].request);
}

void version_kill(struct version *version, const char *why)
{
	if (!version->condemned)
		version->condemned = why;
	child_kill(version->child);
}

void version_close(struct version *version)
{
	if (!version)
		return;
	child_close(version->child);
	if (version->source_fd >= 0)
		close(version->source_fd);
	for (int i = 0; i < version->count; i++)
		declaration_close(&version->declarations[i]);
	own_objects_close(&version->own);
	free(version->declarations);
	targets_close(&version->targets);
	free(version);
}
