// SPDX-License-Identifier: Apache-2.0
#include "notice.h"

#include "clock.h"
#include "file_request.h"
#include "kernel_side.h"
#include "map_request.h"
#include "message.h"
#include "object_request.h"
#include "stack_request.h"
#include "type_request.h"
#include "version.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGES_PER_SECOND 5000 /* loading a script takes some fifty */
#define RESTAGES_PER_SECOND 600	 /* a worker asks every 2 ms; each takes half of one */
#define SLOW_NS 500000000	 /* for one of them */

static bool on_declare(struct version *version, struct message *message)
{
	struct declaration *all, *one;

	if (version->ready || version->count == KERNEL_SIDE_PROBES)
		return false;
	all = reallocarray(version->declarations, version->count + 1, sizeof(*all));
	if (!all)
		return false;
	version->declarations = all;
	one = &all[version->count++];
	memset(one, 0, sizeof(*one));
	return declaration_parse(one, message);
}

/* A worker must not keep the host, which others need too, busy with its filters. */
static const char *why_not_restage(struct version *version)
{
	if (version->verifies_slowly)
		return "the kernel takes too long to verify this script's stages";
	if (++version->restages > RESTAGES_PER_SECOND)
		return "stages can be replaced 600 times a second";
	return NULL;
}

/* restage INDEX (field NAME)* + fd of the plan: it reads and filters otherwise from now on */
static bool on_restage(struct version *version, struct message *message)
{
	struct declaration *one;
	uint64_t start = clock_now_ns();
	const char *why_not;
	double index;

	if (!version->started || version->options->replay || version->options->record ||
	    !message->fd_count || !message_next_number(message, &index) ||
	    !(index >= 0 && index < version->count && index == floor(index)))
		return false;
	one = &version->declarations[(int)index];
	if (!declaration_parse_fields(one, message))
		return false;
	why_not = why_not_restage(version);
	if (why_not)
		declaration_withhold_plan(one, why_not);
	else
		declaration_take_plan(one, message);
	version->events->restage(version, (int)index);
	version->verifies_slowly |= clock_now_ns() - start > SLOW_NS;
	return true;
}

static bool on_ready(struct version *version, struct message *message)
{
	(void)message;
	if (version->ready)
		return false;
	version->ready = true;
	targets_close(&version->targets); /* it can ask no more; files and types were open */
	version->events->ready(version);
	return true;
}

static bool on_running(struct version *version, struct message *message)
{
	double pause_ns;

	if (!version->ready || !message_next_number(message, &pause_ns))
		return false;
	version->events->running(version, pause_ns);
	return true;
}

/* state WHEN, POSITION + fd: it has stopped; this is what the next version inherits. */
static bool on_state(struct version *version, struct message *message)
{
	struct version_handover handover;

	if (!version->ready || !message_next_number(message, &handover.stopped_ns) ||
	    !(handover.stopped_ns > 0) || !message_next_number(message, &handover.handled_until) ||
	    !(handover.handled_until >= 0 && isfinite(handover.handled_until)))
		return false;
	handover.state_fd = message_take_fd(message, 0);
	version->unanswered = 0;
	version->events->yielded(version, &handover);
	return true;
}

static bool on_pong(struct version *version, struct message *message)
{
	(void)message;
	version->unanswered = 0;
	return true;
}

/* stuck WHERE: it was interrupted there, and ends */
static bool on_stuck(struct version *version, struct message *message)
{
	const char *where;

	if (!message_next_text(message, &where))
		return false;
	snprintf(version->stuck, sizeof(version->stuck), "hung at %s", where);
	version->condemned = version->stuck;
	return true;
}

static bool on_report(struct version *version, struct message *message)
{
	const char *line;

	if (!message_next_text(message, &line))
		return false;
	version->events->report(version, line);
	return true;
}

/* total PROBE EVENTS RECEIVED FAILED RING_FULL MAP_FULL REFUSED UNHANDLED: of a replay, where no
 * counter of the kernel says it */
static bool on_total(struct version *version, struct message *message)
{
	double numbers[7];
	char name[PROBE_NAME];

	if (!version->options->replay || !message_copy_text(message, name, sizeof(name)))
		return false;
	for (int i = 0; i < 7; i++)
		if (!message_next_number(message, &numbers[i]) ||
		    !(numbers[i] >= 0 && numbers[i] <= 0x1p53))
			return false;
	version->events->total(version, name,
			       &(struct probe_totals){
				       .events = numbers[0],
				       .received = numbers[1],
				       .failed = numbers[2],
				       .lost_ring = numbers[3],
				       .lost_map = numbers[4],
				       .refused = numbers[5],
				       .unhandled = numbers[6],
			       });
	return true;
}

/* ring NAME RECEIVED FAILED: of an own object's, since it was last told */
static bool on_ring(struct version *version, struct message *message)
{
	double numbers[2];
	const char *name;

	if (!message_next_text(message, &name))
		return false;
	for (int i = 0; i < 2; i++)
		if (!message_next_number(message, &numbers[i]) ||
		    !(numbers[i] >= 0 && numbers[i] <= 0x1p53))
			return false;
	if (version->events->ring)
		version->events->ring(version, name, numbers[0], numbers[1]);
	return true;
}

static bool on_stop(struct version *version, struct message *message)
{
	(void)message;
	version->events->wants_stop(version);
	return true;
}

void notice_take(struct version *version, struct message *message)
{
	static const struct {
		const char *name;
		bool (*take)(struct version *version, struct message *message);
	} kinds[] = {
		{"asset", file_request_asset},
		{"module", file_request_module},
		{"declare", on_declare},
		{"ready", on_ready},
		{"state", on_state},
		{"pong", on_pong},
		{"running", on_running},
		{"report", on_report},
		{"stop", on_stop},
		{"stuck", on_stuck},
		{"restage", on_restage},
		{"golden", file_request_golden},
		{"recording", file_request_recording},
		{"total", on_total},
		{"ring", on_ring},
		{"target", type_request_target},
		{"places", type_request_places},
		{"typed", type_request_typed},
		{"stacks", stack_request_stacks},
		{"resolve", stack_request_resolve},
		{"find", stack_request_find},
		{"object", object_request_object},
		{"load", object_request_load},
		{"entry", object_request_entry},
		{"map", map_request_map},
		{"inner", map_request_inner},
	};
	const char *name;

	if (++version->messages > MESSAGES_PER_SECOND) {
		version_kill(version, "it flooded its host with messages");
		return;
	}
	if (message_next_text(message, &name))
		for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
			if (!strcmp(name, kinds[i].name)) {
				if (kinds[i].take(version, message))
					return; /* which may have closed the version */
				break;
			}
	version_kill(version, "it sent a malformed message");
}

void notice_second(struct version *version)
{
	version->messages = version->restages = 0;
	version->stack_requests = version->resolves = 0;
}
