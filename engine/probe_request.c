// SPDX-License-Identifier: Apache-2.0
#include "probe_request.h"

#include <string.h>

bool probe_request_has_field(const struct probe_request *request, const char *field)
{
	for (int i = 0; i < request->field_count; i++)
		if (!strcmp(request->fields[i], field))
			return true;
	return false;
}

bool probe_request_has_stacks(const struct probe_request *request)
{
	return probe_request_has_field(request, "kstack") ||
	       probe_request_has_field(request, "ustack");
}

void probe_request_add_fields(struct probe_request *request, const struct probe_request *also)
{
	for (int i = 0; i < also->field_count && request->field_count < PROBE_FIELDS; i++)
		if (!probe_request_has_field(request, also->fields[i]))
			strcpy(request->fields[request->field_count++], also->fields[i]);
}

static bool has_knob(const struct probe_request *request, const struct probe_request *other, int at)
{
	for (int i = 0; i < request->knob_count; i++)
		if (!strcmp(request->knobs[i].name, other->knobs[at].name))
			return request->knobs[i].is_text == other->knobs[at].is_text &&
			       request->knobs[i].number == other->knobs[at].number &&
			       !strcmp(request->knobs[i].text, other->knobs[at].text);
	return false;
}

bool probe_request_is_alike(const struct probe_request *one, const struct probe_request *other)
{
	if (strcmp(one->name, other->name) || one->knob_count != other->knob_count ||
	    one->typed_count != other->typed_count)
		return false;
	for (int i = 0; i < one->typed_count; i++)
		if (strcmp(one->typed[i].path, other->typed[i].path) ||
		    one->typed[i].offset != other->typed[i].offset ||
		    one->typed[i].late != other->typed[i].late)
			return false;
	for (int i = 0; i < one->knob_count; i++)
		if (!has_knob(other, one, i))
			return false;
	return true;
}
