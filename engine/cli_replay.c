// SPDX-License-Identifier: Apache-2.0
/* moonprobe replay: a script on the events of a recording. */
#include "command_line.h"
#include "deterministic.h"
#include "session.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct replay {
	struct command_line line;
	char words[512]; /* how it is replayed, for stdlib/replay.lua */
};

static int add_word(struct command_line *line, const char *name, const char *value)
{
	struct replay *replay = (struct replay *)line;
	size_t length = strlen(replay->words), left = sizeof(replay->words) - length;

	if ((size_t)snprintf(replay->words + length, left, "%s%s%s", length ? "," : "", name,
			     value) >= left)
		return error_set(&line->error, -E2BIG, "too long");
	return 0;
}

static int take_speed(struct command_line *line, const char *value)
{
	return add_word(line, "speed=", value);
}

static int take_inject(struct command_line *line, const char *value)
{
	return add_word(line, "", value);
}

static int take_seed(struct command_line *line, const char *value)
{
	return add_word(line, "seed=", value);
}

static int take_step(struct command_line *line, const char *value)
{
	(void)value;
	line->script.steps_fd = STDIN_FILENO;
	return 0;
}

static const struct command_option
	option_speed = {0, "speed", "N",
			"1: as fast as it was, 2: twice; without: as fast as it goes",
			.take = take_speed},
	option_step = {0, "step", NULL,
		       "one event at a time: waits for Enter (or a number, or q) after each",
		       .take = take_step},
	option_inject = {0, "inject", "WHAT",
			 "what may happen to events, with commas between:\n"
			 "loss=1%      so many are lost\n"
			 "burst=50     so many at a time\n"
			 "reorder=5ms  each comes up to so much later than it did\n"
			 "and tells the script's completeness beside the truth",
			 .take = take_inject},
	option_seed = {0, "seed", "N",
		       "which of them: the same number, the same events (default 1)",
		       .take = take_seed};

static int replay_main(struct command_line *line)
{
	line->script.replay = true;
	line->script.playback = ((struct replay *)line)->words;
	if (!line->argc)
		return options_mistake(line, "no recording given");
	line->script.recording = *line->argv++;
	line->argc--;
	if (!line->script.text && line->argc && **line->argv == '-')
		return options_mistake(line, "%s: options come before the recording", *line->argv);
	deterministic_children();
	return session_of(line);
}

const struct subcommand replay_subcommand = {
	.name = "replay",
	.summary = "run a script on a recording",
	.operands = "FILE SCRIPT [script options]\n-e 'LUA' FILE",
	.stops_at_operands = true,
	.options = {&option_text, &option_speed, &option_step, &option_inject, &option_seed,
		    &option_format, &option_output, &option_folder, &option_allow, &option_quiet,
		    &option_verbose, &option_help},
	.about = "Runs a script on a recording (moonprobe record), without privileges and on any "
		 "machine of the same byte order. The clock is the recording's: timers fire "
		 "between the events they fell between. The same file and script print the same, "
		 "byte for byte, every time.",
	.more = "Exit status: 0 replayed to its end, 1 failed while running or the file is "
		"damaged, 2 bad input. A file that was cut off is replayed up to the cut, which is "
		"told.\n"
		"\n"
		"  moonprobe replay build.rec execsnoop\n"
		"  moonprobe replay --inject loss=1%,burst=20 build.rec watch.lua",
	.line_bytes = sizeof(struct replay),
	.main = replay_main,
};
