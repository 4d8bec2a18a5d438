// SPDX-License-Identifier: Apache-2.0
#include "order.h"

#include "body.h"
#include "child.h"
#include "message.h"
#include "version.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>

static struct message *message_new(const char *name)
{
	struct message *message = malloc(sizeof(*message));

	if (message)
		message_start(message, name);
	return message;
}

/* Sends and frees. */
static int dispatch(struct version *version, struct message *message)
{
	int err = message ? child_send(version->child, message) : -ENOMEM;

	free(message);
	return err;
}

/* What the worker is for, see stdlib/boot.lua. */
static int mode_of(const struct script_options *options)
{
	if (options->explain)
		return options->measure ? 4 : 3;
	if (options->record)
		return 5;
	if (options->replay)
		return 6;
	if (options->test)
		return 7;
	return options->check + options->permissions;
}

int order_start(struct version *version, int ring_fd)
{
	const struct script_options *options = version->options;
	struct message *message = message_new("start");

	if (!message)
		return -ENOMEM;
	message_text(message, options->name);
	message_text(message, options->file ? options->file : "");
	message_text(message, options->json ? "json" : "text");
	message_number(message, mode_of(options));
	message_number(message, options->quiet);
	message_number(message, options->verbose);
	message_number(message, options->path.count);
	message_number(message, options->ring_bytes);
	message_number(message, libbpf_num_possible_cpus());
	message_text(message, options->allow ? options->allow : "");
	message_text(message, options->recording ? options->recording : "");
	message_text(message, options->playback ? options->playback : "");
	message_number(message, options->path.count + !!options->folder);
	if (options->folder)
		message_text(message, options->folder);
	for (int i = 0; i < options->path.count; i++)
		message_text(message, options->path.dirs[i]);
	for (int i = 0; i < options->argc; i++)
		message_text(message, options->argv[i]);
	message_fd(message, version->source_fd);
	if (ring_fd >= 0)
		message_fd(message, ring_fd);
	if (options->recording_fd >= 0)
		message_fd(message, options->recording_fd);
	if (options->steps_fd >= 0)
		message_fd(message, options->steps_fd);
	return dispatch(version, message);
}

/* The descriptors of its stages' maps, in the plan's order. */
static void add_maps(struct message *message, const struct declaration *one)
{
	for (int i = 0; i < one->body->maps.count; i++)
		message_fd(message, one->body->maps.fds[i]);
}

int order_staged(struct version *version, int index, const char *why)
{
	struct message *message = message_new("stage");

	if (message) {
		message_number(message, index);
		message_number(message, !why);
		message_text(message, why ? why : "");
		if (!why)
			add_maps(message, &version->declarations[index]);
	}
	return dispatch(version, message);
}

int order_restaged(struct version *version, int index, const char *why)
{
	struct message *message = message_new("restaged");
	const struct declaration *one = &version->declarations[index];

	if (message) {
		message_number(message, index);
		message_number(message, why ? -1 : one->body->generation);
		message_text(message, why ? why : "");
		if (!why)
			add_maps(message, one);
	}
	return dispatch(version, message);
}

/* None, for one that no probe serves: the kernel was not asked. */
static int add_programs(struct message *message, const struct declaration *one)
{
	struct probe_program program;
	int got = one->probe ? 0 : -ENOENT;

	for (int i = 0; got >= 0; i++) {
		got = probe_program(one->probe, i, one->body, &program);
		if (got <= 0)
			continue;
		message_text(message, program.section);
		message_number(message, program.instructions);
		message_number(message, program.bytes);
		message_number(message, program.runs);
		message_number(message, program.ns);
	}
	return got == -ENOENT ? 0 : got;
}

int order_hooks(struct version *version, uint64_t measured_ns)
{
	int err = 0;

	for (int i = 0; i < version->count && !err; i++) {
		struct message *message = message_new("hooks");

		if (message) {
			message_number(message, i);
			message_number(message, measured_ns);
			err = add_programs(message, &version->declarations[i]);
		}
		if (err)
			free(message);
		else
			err = dispatch(version, message);
	}
	return err;
}

int order_run(struct version *version, const struct version_handover *handover)
{
	struct message *message = message_new("run");

	if (!message)
		return -ENOMEM;
	message_number(message, handover->state_fd >= 0 ? handover->stopped_ns : 0);
	message_number(message, handover->handled_until);
	if (handover->state_fd >= 0)
		message_fd(message, handover->state_fd);
	for (int i = 0; i < version->count && !version->options->replay; i++) {
		const struct declaration *one = &version->declarations[i];

		message_number(message, probe_slot(one->probe));
		message_number(message, one->body->generation);
		message_fd(message, probe_counters_fd(one->probe));
	}
	version->unanswered = 0;
	version->started = true;
	return dispatch(version, message);
}

int order_yield(struct version *version)
{
	return dispatch(version, message_new("yield"));
}

int order_resume(struct version *version)
{
	version->unanswered = 0;
	return dispatch(version, message_new("resume"));
}

int order_finish(struct version *version)
{
	return dispatch(version, message_new("finish"));
}

int order_ping(struct version *version)
{
	return dispatch(version, message_new("ping"));
}

int order_file(struct version *version, const char *kind, int fd, const char *path)
{
	struct message *message = message_new(kind);

	if (message) {
		message_text(message, fd >= 0 ? path : "");
		if (fd >= 0)
			message_fd(message, fd);
	}
	return dispatch(version, message);
}
