// SPDX-License-Identifier: Apache-2.0
/* moonprobe run: one script, until it, its command, its process or the user ends it. */
#include "command_line.h"
#include "session.h"

const struct subcommand run_subcommand = {
	.name = "run",
	.summary = "run a script or a shipped tool",
	.operands = "SCRIPT [script options]\n-e 'LUA'",
	.stops_at_operands = true,
	.options = {&option_pid, &option_command, &option_text, &option_for, &option_format,
		    &option_output, &option_watch, &option_ring, &option_stacks, &option_folder,
		    &option_allow, &option_quiet, &option_verbose, &option_help},
	.instead = {{&option_help, "this help; SCRIPT --help shows the script's options"}},
	.about = "Runs a script: a file, or a shipped tool by its name.",
	.more = "Rows go to stdout, everything else to stderr. Exit status: 0 ended as asked, 1 "
		"failed while running, 2 bad input.\n"
		"\n"
		"  moonprobe run execsnoop\n"
		"  moonprobe run -c 'make -j4' --for 1m -f json opensnoop\n"
		"  moonprobe run -e \"probe 'process_exec':count('comm'):every('1s')\"",
	.main = session_of,
};
