// SPDX-License-Identifier: Apache-2.0
/* moonprobe explain: what of a script runs in the kernel and why the rest does not; what it
 * costs. */
#include "command_line.h"
#include "session.h"

static int take_measure(struct command_line *line, const char *value)
{
	line->script.measure = true;
	return option_for.take(line, value);
}

static const struct command_option option_measure = {
	0, "measure", "TIME",
	"run it for so long (500ms, 5s, 2m) without its output, and tell what its programs and "
	"functions cost; programs run for every process, what -p and -c leave out included; "
	"counting takes some 20 ns per run",
	.take = take_measure};

static int explain_main(struct command_line *line)
{
	line->script.explain = true;
	if ((line->session.pid || line->session.command) && !line->script.measure)
		return options_mistake(line, "%s is for --measure, nothing is traced without",
				       line->session.pid ? "-p" : "-c");
	return session_of(line);
}

const struct subcommand explain_subcommand = {
	.name = "explain",
	.summary = "tell what of a script runs in the kernel, why not the rest, what it costs",
	.operands = "SCRIPT [script options]\n-e 'LUA'",
	.stops_at_operands = true,
	.options = {&option_text, &option_measure, &option_pid, &option_command, &option_format,
		    &option_ring, &option_stacks, &option_folder, &option_allow, &option_quiet,
		    &option_verbose, &option_help},
	.instead =
		{{&option_pid, "with --measure: only this process"},
		 {&option_command,
		  "with --measure: only this command and its descendants, end with it"},
		 {&option_verbose,
		  "also the BPF instructions made of it, and the verifier's log when it refuses"}},
	.about = "Tells where each function of a script runs: in the kernel, or in the worker, and "
		 "then what in it forces that and what to write instead. The programs are loaded, "
		 "so the kernel's verifier has its say, but nothing is attached. Without "
		 "privileges only the translation is told.",
	.more = "Exit status: 0 told, 1 failed while running, 2 bad input.\n"
		"\n"
		"  moonprobe explain syscount\n"
		"  moonprobe explain --measure 5s -c 'make -j4' opensnoop -x\n"
		"  moonprobe explain -e \"probe 'syscall':count('comm', 'number')\"",
	.main = explain_main,
};
