// SPDX-License-Identifier: Apache-2.0
#include "order.h"

#include "body.h"
#include "child.h"
#include "clock.h"
#include "message.h"
#include "stacks.h"
#include "symbols.h"
#include "target.h"
#include "version.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int order_dispatch(struct version *version, struct message *message)
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
	return order_dispatch(version, message);
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
	return order_dispatch(version, message);
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
	return order_dispatch(version, message);
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
			err = order_dispatch(version, message);
	}
	return err;
}

int order_run(struct version *version, const struct version_handover *handover, uint8_t newest_slot,
	      uint64_t now_ns)
{
	struct message *message = message_new("run");

	if (!message)
		return -ENOMEM;
	message_number(message, handover->state_fd >= 0 ? handover->stopped_ns : 0);
	message_number(message, handover->handled_until);
	message_number(message, now_ns);
	message_number(message, newest_slot);
	if (handover->state_fd >= 0)
		message_fd(message, handover->state_fd);
	for (int i = 0; i < version->count && !version->options->replay; i++) {
		const struct declaration *one = &version->declarations[i];

		message_number(message, one->body->slot);
		message_number(message, one->body->generation);
		message_fd(message, probe_counters_fd(one->probe));
	}
	version->unanswered = 0;
	version->started = true;
	return order_dispatch(version, message);
}

int order_yield(struct version *version)
{
	return order_dispatch(version, message_new("yield"));
}

int order_resume(struct version *version, uint8_t newest_slot)
{
	struct message *message = message_new("resume");

	if (message)
		message_number(message, newest_slot);
	version->unanswered = 0;
	return order_dispatch(version, message);
}

int order_finish(struct version *version)
{
	return order_dispatch(version, message_new("finish"));
}

int order_ping(struct version *version)
{
	return order_dispatch(version, message_new("ping"));
}

int order_file(struct version *version, const char *kind, int fd, const char *path)
{
	struct message *message = message_new(kind);

	if (message) {
		message_text(message, fd >= 0 ? path : "");
		if (fd >= 0)
			message_fd(message, fd);
	}
	return order_dispatch(version, message);
}

int order_target(struct version *version, const char *why)
{
	struct message *message = message_new("target");

	if (message) {
		message_number(message, !why);
		if (why)
			message_text(message, why);
	}
	return order_dispatch(version, message);
}

int order_places(struct version *version, const struct target *target, int from)
{
	struct message *message = message_new("places");

	for (int i = from; message && target && i < target->place_count; i++) {
		const char *name = target->places[i].name;

		if (message->length + strlen(name) > MESSAGE_BYTES / 2)
			break;
		message_text(message, name);
	}
	return order_dispatch(version, message);
}

/* The names of an enum's values; of one that has more than fit its numbers are shown. */
static void add_values(struct message *message, const struct schema_field *field)
{
	struct message *full = malloc(sizeof(*full));

	if (!full)
		return;
	*full = *message;
	for (int i = 0; i < field->value_count; i++) {
		message_number(full, field->values[i].value);
		message_text(full, field->values[i].name);
	}
	if (!full->broken)
		*message = *full;
	free(full);
}

static const char *kind_of(const struct typed *typed, char letter[2])
{
	if (typed->result == TYPED_ARRAY)
		return "array";
	if (typed->result != TYPED_VALUE)
		return typed->access.bytes ? "pointer" : "struct";
	letter[0] = typed->field.kind;
	letter[1] = 0;
	return letter;
}

int order_typed(struct version *version, const struct typed *typed, const char *why)
{
	struct message *message = message_new("typed");
	char letter[2];

	if (message && !typed) {
		message_text(message, "error");
		message_text(message, why);
	} else if (message) {
		const struct schema_field *field = &typed->field;

		message_text(message, kind_of(typed, letter));
		message_number(message, field->element_bytes);
		message_number(message, field->elements);
		message_number(message, field->bytes);
		message_text(message, field->type);
		message_text(message, field->doc);
		add_values(message, field);
	}
	/* The worker waits for an answer, whatever a file has for names. */
	if (message && message->broken) {
		message_start(message, "typed");
		message_text(message, "error");
		message_text(message, "its type has a name that is too long");
	}
	return order_dispatch(version, message);
}

/* `where`: without a name. */
static void add_symbol(struct message *message, const struct symbol *symbol, uint64_t where)
{
	char text[32];

	if (*symbol->name)
		snprintf(text, sizeof(text), "+%" PRIu64, symbol->offset);
	else
		snprintf(text, sizeof(text), "0x%" PRIx64, where);
	message_text(message, symbol->name);
	message_text(message, text);
	message_text(message, symbol->file);
}

/* Of what is only known which file it is in, the file's own address is told: the same in all
 * processes. */
static void add_frame(struct message *message, struct stacks *stacks, const struct stack *stack,
		      int frame)
{
	struct symbol symbol;

	if (stacks_name(stacks, stack, frame, &symbol))
		symbol = (struct symbol){.name = "", .file = ""};
	add_symbol(message, &symbol, *symbol.file ? symbol.offset : stack->addresses[frame]);
}

int order_stacks(struct version *version, struct stacks *stacks, bool of_kernel,
		 const uint64_t *numbers, int count)
{
	struct message *message = message_new("stacks");
	struct stack stack;

	for (int i = 0; message && i < count; i++) {
		size_t before = message->length;

		if (!stacks || stacks_read(stacks, numbers[i], of_kernel, &stack)) {
			message_number(message, -1);
		} else {
			message_number(message, stack.count);
			for (int frame = 0; frame < stack.count && !message->broken; frame++)
				add_frame(message, stacks, &stack, frame);
		}
		if (!message->broken)
			continue;
		/* The first that does not fit: the worker asks again for it. One alone that does
		 * not fit has no names. */
		message->length = before;
		message->broken = false;
		if (!i)
			message_number(message, -1);
		break;
	}
	return order_dispatch(version, message);
}

int order_symbol(struct version *version, const struct symbol *symbol)
{
	struct message *message = message_new("resolve");

	if (message && symbol)
		add_symbol(message, symbol, symbol->offset);
	return order_dispatch(version, message);
}

int order_found(struct version *version, const uint64_t *addresses, int count)
{
	struct message *message = message_new("find");
	char text[32];

	for (int i = 0; message && i < count; i++) {
		snprintf(text, sizeof(text), "0x%" PRIx64, addresses[i]);
		message_text(message, text);
	}
	return order_dispatch(version, message);
}
