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

static bool parse_request(struct message *message, struct probe_request *request)
{
	const char *what;

	while (!message_at_end(message)) {
		if (!message_next_text(message, &what))
			return false;
		if (!strcmp(what, "kernel"))
			request->insists = true;
		else if (!strcmp(what, "field")
				 ? !parse_field(message, request)
				 : strcmp(what, "knob") || !parse_knob(message, request))
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
	if (!message_copy_text(message, one->request.name, sizeof(one->request.name)) ||
	    strpbrk(one->request.name, "/.")) /* it becomes part of a file name */
		return false;
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
	understood = parse_request(message, next) && next->knob_count == request->knob_count;
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
