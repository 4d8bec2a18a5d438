// SPDX-License-Identifier: Apache-2.0
#include "declaration.h"

#include "message.h"
#include "plan_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool parse_knob(struct message *message, struct probe_request *request)
{
	int index = request->knob_count;

	if (index == PROBE_KNOBS || !message_copy_text(message, request->knobs[index].name,
						       sizeof(request->knobs[index].name)))
		return false;
	request->knob_count++;
	request->knobs[index].is_text = message_next_kind(message) == 's';
	if (!request->knobs[index].is_text)
		return message_next_number(message, &request->knobs[index].number);
	return message_copy_text(message, request->knobs[index].text,
				 sizeof(request->knobs[index].text));
}

static bool parse_field(struct message *message, struct probe_request *request)
{
	if (request->field_count == PROBE_FIELDS)
		return false;
	return message_copy_text(message, request->fields[request->field_count++],
				 sizeof(request->fields[0]));
}

/* WHEN: early or late */
static bool parse_typed(struct message *message, struct probe_request *request)
{
	int index = request->typed_count;
	const char *when;
	double offset;

	if (index == PROBE_TYPED ||
	    !message_copy_text(message, request->typed[index].path,
			       sizeof(request->typed[0].path)) ||
	    !message_next_number(message, &offset) || !message_next_text(message, &when) ||
	    !(offset >= 0 && offset < UINT32_MAX && offset == (uint32_t)offset) ||
	    (strcmp(when, "early") && strcmp(when, "late")))
		return false;
	request->typed[index].offset = offset;
	request->typed[index].late = !strcmp(when, "late");
	request->typed_count++;
	return true;
}

static bool parse_part(struct message *message, const char *what, struct probe_request *request)
{
	if (!strcmp(what, "field"))
		return parse_field(message, request);
	if (!strcmp(what, "typed"))
		return parse_typed(message, request);
	return !strcmp(what, "knob") && parse_knob(message, request);
}

static bool parse_request(struct message *message, struct probe_request *request)
{
	const char *what;

	while (!message_at_end(message)) {
		if (!message_next_text(message, &what))
			return false;
		if (!strcmp(what, "kernel"))
			request->insists = true;
		else if (!parse_part(message, what, request))
			return false;
	}
	return true;
}

void declaration_take_plan(struct declaration *one, struct message *message)
{
	int fd = message_take_fd(message, 0);

	plan_close(one->plan);
	one->plan = NULL;
	one->planned = fd >= 0;
	one->refusal = fd < 0 ? 0 : plan_open(&one->plan, fd, &one->refused);
	if (fd >= 0)
		close(fd);
}

bool declaration_parse(struct declaration *one, struct message *message)
{
	const char *name = one->request.name;

	if (!message_copy_text(message, one->request.name, sizeof(one->request.name)) ||
	    name[strcspn(name, ":/.")] == '/' || name[strcspn(name, ":/.")] == '.')
		return false; /* what is before a colon becomes part of a file name */
	declaration_take_plan(one, message);
	return parse_request(message, &one->request);
}

bool declaration_parse_fields(struct declaration *one, struct message *message)
{
	struct probe_request *request = &one->request, *next = malloc(sizeof(*next));
	bool understood;

	if (!next)
		return false;
	*next = *request;
	next->field_count = 0;
	understood = parse_request(message, next) && next->knob_count == request->knob_count &&
		     next->typed_count == request->typed_count;
	if (understood)
		*request = *next;
	free(next);
	return understood;
}

void declaration_withhold_plan(struct declaration *one, const char *why)
{
	plan_close(one->plan);
	one->plan = NULL;
	one->refusal = error_set(&one->refused, -EAGAIN, "%s", why);
}

void declaration_close(struct declaration *one)
{
	if (one->body)
		probe_give_back(one->probe, one->body);
	plan_close(one->plan);
}
