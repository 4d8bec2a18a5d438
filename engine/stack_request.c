// SPDX-License-Identifier: Apache-2.0
#include "stack_request.h"

#include "message.h"
#include "order.h"
#include "stacks.h"
#include "symbols.h"
#include "version.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define STACKS_PER_SECOND 400 /* messages; the worker keeps to half of it (stdlib/stack.lua) */
#define RESOLVES_PER_SECOND 4000
#define ASKED_MOST 256 /* stacks of a message */
#define FOUND_MOST 64

/* NULL: there is no kernel side. */
static struct stacks *stacks_of(struct version *version)
{
	return version->events->stacks ? version->events->stacks(version) : NULL;
}

/* Each takes the host's time, which others need too. True: it has asked too often, and is ended. */
static bool is_flood(struct version *version, int *asked, int most)
{
	if (++*asked <= most)
		return false;
	version_kill(version, "it flooded its host with questions");
	return true;
}

static bool next_integer(struct message *message, double most, uint64_t *number)
{
	double value;

	if (!message_next_number(message, &value) || !(value >= 0 && value <= most) ||
	    value != floor(value))
		return false;
	*number = value;
	return true;
}

bool stack_request_stacks(struct version *version, struct message *message)
{
	uint64_t numbers[ASKED_MOST];
	const char *kind;
	int count = 0;

	if (is_flood(version, &version->stack_requests, STACKS_PER_SECOND))
		return true;
	if (!message_next_text(message, &kind) || (strcmp(kind, "kernel") && strcmp(kind, "user")))
		return false;
	while (!message_at_end(message))
		if (count == ASKED_MOST || !next_integer(message, 0x1p47, &numbers[count++]))
			return false;
	order_stacks(version, stacks_of(version), *kind == 'k', numbers, count);
	return true;
}

bool stack_request_resolve(struct version *version, struct message *message)
{
	struct stacks *stacks = stacks_of(version);
	struct symbol symbol;
	uint64_t pid, address;
	const char *text;
	char *end;

	if (is_flood(version, &version->resolves, RESOLVES_PER_SECOND))
		return true;
	if (!next_integer(message, 0x1p30, &pid) || !message_next_text(message, &text))
		return false;
	address = strtoull(text, &end, 16);
	if (end == text || *end)
		return false;
	if (stacks && !stacks_resolve(stacks, pid, address, &symbol))
		order_symbol(version, &symbol);
	else
		order_symbol(version, NULL);
	return true;
}

bool stack_request_find(struct version *version, struct message *message)
{
	struct stacks *stacks = stacks_of(version);
	uint64_t addresses[FOUND_MOST];
	const char *name;
	int count;

	if (is_flood(version, &version->resolves, RESOLVES_PER_SECOND))
		return true;
	if (!message_next_text(message, &name))
		return false;
	count = stacks ? stacks_find(stacks, name, addresses, FOUND_MOST) : 0;
	order_found(version, addresses, count < 0 ? 0 : count < FOUND_MOST ? count : FOUND_MOST);
	return true;
}
