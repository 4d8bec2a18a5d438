// SPDX-License-Identifier: Apache-2.0
/* moonprobe show: what is in a recording. */
#include "command_line.h"
#include "deterministic.h"
#include "session.h"

#include <errno.h>
#include <stdlib.h>

struct show {
	struct command_line line;
	const char *count; /* of events, for stdlib/show.lua; NULL: all */
};

static int take_count(struct command_line *line, const char *value)
{
	char *end;

	if (strtoul(value, &end, 10) > 1ul << 40 || *end || *value < '0' || *value > '9')
		return error_set(&line->error, -EINVAL, "not a number of events");
	((struct show *)line)->count = value;
	return 0;
}

static const struct command_option option_count = {
	'n', NULL, "COUNT", "only so many of the events; 0: none", .take = take_count};

static int show_main(struct command_line *line)
{
	struct show *show = (struct show *)line;
	struct script_options *script = &line->script;

	if (line->argc != 1)
		return options_mistake(line, line->argc ? "one recording at a time"
							: "no recording given");
	script->recording = *line->argv;
	line->argc = show->count != NULL;
	line->argv = (char **)&show->count;
	line->session.silent = true;
	script->replay = true;
	script->quiet = true;
	script->allow = "stdlib";
	line->text_name = "show";
	script->text = (const char *)asset_embedded("stdlib/show.lua")->bytes;
	deterministic_children();
	return session_of(line);
}

const struct subcommand show_subcommand = {
	.name = "show",
	.summary = "tell what is in a recording",
	.operands = "FILE",
	.stops_at_operands = true,
	.options = {&option_format, &option_count, &option_help},
	.about = "Tells what is in a recording: the machine it was made on, the probes with their "
		 "knobs, its events and losses, and the events themselves.",
	.more = "  moonprobe show -n 10 build.rec\n"
		"  moonprobe show -f json build.rec | grep '\"probe\":\"process_exec\"'",
	.line_bytes = sizeof(struct show),
	.main = show_main,
};
