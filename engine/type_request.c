// SPDX-License-Identifier: Apache-2.0
#include "type_request.h"

#include "message.h"
#include "order.h"
#include "version.h"

static const struct target *find_target(struct version *version, const char *name,
					struct error *error)
{
	const struct target_setting setting = {.pid = version->options->target_pid};

	return targets_find(&version->targets, &version->options->path, name, &setting, error);
}

bool type_request_target(struct version *version, struct message *message)
{
	const struct target *target;
	struct error why;
	const char *name;

	if (version->ready || !message_next_text(message, &name))
		return false;
	target = find_target(version, name, &why);
	order_target(version, target ? NULL : why.text);
	return true;
}

bool type_request_places(struct version *version, struct message *message)
{
	const struct target *target;
	struct error why;
	const char *name;
	double from;

	if (version->ready || !message_next_text(message, &name) ||
	    !message_next_number(message, &from) || !(from >= 0 && from <= INT32_MAX))
		return false;
	target = find_target(version, name, &why);
	order_places(version, target, from);
	return true;
}

bool type_request_typed(struct version *version, struct message *message)
{
	const struct target *target;
	const char *name, *path;
	struct typed *typed = NULL;
	struct error why;

	if (version->ready || !message_next_text(message, &name) ||
	    !message_next_text(message, &path))
		return false;
	target = find_target(version, name, &why);
	if (target)
		typed_resolve(&typed, &target->types, path, &why);
	order_typed(version, typed, why.text);
	typed_free(typed);
	return true;
}
