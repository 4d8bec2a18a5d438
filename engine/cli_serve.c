// SPDX-License-Identifier: Apache-2.0
/* moonprobe serve: many scripts in one host, until it is told to end. */
#include "command_line.h"
#include "session.h"

static int serve_main(struct command_line *line)
{
	if (!line->argc)
		return options_mistake(line, "no script given");
	return session_run(&line->session, &line->script, line->argv, line->argc);
}

const struct subcommand serve_subcommand = {
	.name = "serve",
	.summary = "run many scripts, restart those that fail",
	.operands = "SCRIPT...",
	.options = {&option_pid, &option_command, &option_format, &option_watch, &option_ring,
		    &option_stacks, &option_folder, &option_allow, &option_quiet, &option_verbose,
		    &option_help},
	.about = "Runs scripts side by side, each in a process of its own. One that fails is "
		 "started again, after a pause that doubles; after five failures in a minute it is "
		 "quarantined, and the others go on. Ends with SIGINT or SIGTERM, or when its last "
		 "script has ended.",
	.more = "  moonprobe serve -w execsnoop policies/*.lua",
	.main = serve_main,
};
