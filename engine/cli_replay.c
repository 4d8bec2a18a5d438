// SPDX-License-Identifier: Apache-2.0
/* moonprobe replay: a script on the events of a recording. */
#include "command_line.h"
#include "deterministic.h"
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
	"usage: moonprobe replay [options] FILE SCRIPT [script options]\n"
	"       moonprobe replay [options] -e 'LUA' FILE\n"
	"\n"
	"Runs a script on a recording (moonprobe record), without privileges and on any machine "
	"of\n"
	"the same byte order. The clock is the recording's: timers fire between the events they\n"
	"fell between. The same file and script print the same, byte for byte, every time.\n"
	"\n"
	"  -e 'LUA'        the script itself\n"
	"      --speed N   1: as fast as it was, 2: twice; without: as fast as it goes\n"
	"      --step      one event at a time: waits for Enter (or a number, or q) after each\n"
	"      --inject WHAT\n"
	"                  what may happen to events, with commas between:\n"
	"                  loss=1%      so many are lost\n"
	"                  burst=50     so many at a time\n"
	"                  reorder=5ms  each comes up to so much later than it did\n"
	"                  and tells the script's completeness beside the truth\n"
	"      --seed N    which of them: the same number, the same events (default 1)\n"
	"  -f text|json    format of the rows, json: one object a line\n"
	"  -o FILE         write the rows there instead of to stdout\n"
	"  -I DIR          folder searched before the built-in files\n"
	"      --allow WHAT grant a script more, see moonprobe run --help\n"
	"  -q -v           no headings, no closing summary\n"
	"  -h              this help\n"
	"\n"
	"Exit status: 0 replayed to its end, 1 failed while running or the file is damaged, 2 bad\n"
	"input. A file that was cut off is replayed up to the cut, which is told.\n"
	"\n"
	"  moonprobe replay build.rec execsnoop\n"
	"  moonprobe replay --inject loss=1%,burst=20 build.rec watch.lua\n";

static int unknown(int letter, const char *option)
{
	error_print("replay: %s option %s%s; moonprobe replay --help",
		    letter == ':' ? "the" : "unknown", option,
		    letter == ':' ? " needs a value" : "");
	return STATUS_USAGE;
}

static void add_word(char *words, size_t size, const char *name, const char *value)
{
	size_t length = strlen(words);

	snprintf(words + length, size - length, "%s%s%s", length ? "," : "", name, value);
}

static int replay_main(int argc, char **argv)
{
	static const struct option long_options[] = {
		{"speed", required_argument, NULL, 'S'},
		{"step", no_argument, NULL, 'P'},
		{"inject", required_argument, NULL, 'J'},
		{"seed", required_argument, NULL, 'E'},
		SESSION_LONG_OPTIONS,
	};
	char words[512] = "";
	struct script_options options = SCRIPT_OPTIONS_PRESET;
	struct session_options session = {0};
	char *one_liner = "-e", **name = &one_liner;
	int letter;

	options.replay = true;
	options.playback = words;
	opterr = 0;
	setup_path(&options.path);
	while ((letter = getopt_long(argc, argv, "+:e:o:hf:I:qv", long_options, NULL)) != -1) {
		if (letter != 'R' && session_take(letter, optarg, &session, &options))
			continue;
		if (letter == 'e') {
			options.text = optarg;
		} else if (letter == 'o') {
			session.output = optarg;
		} else if (letter == 'S') {
			add_word(words, sizeof(words), "speed=", optarg);
		} else if (letter == 'P') {
			options.steps_fd = STDIN_FILENO;
		} else if (letter == 'J') {
			add_word(words, sizeof(words), "", optarg);
		} else if (letter == 'E') {
			add_word(words, sizeof(words), "seed=", optarg);
		} else if (letter == 'h') {
			fputs(help, stdout);
			return STATUS_OK;
		} else {
			return unknown(letter, argv[optind - 1]);
		}
	}
	if (optind == argc) {
		error_print("replay: no recording given; moonprobe replay --help");
		return STATUS_USAGE;
	}
	options.recording = argv[optind++];
	if (!options.text && optind == argc) {
		error_print("replay: no script given; moonprobe replay --help");
		return STATUS_USAGE;
	}
	if (!options.text)
		name = &argv[optind++];
	options.argc = argc - optind;
	options.argv = argv + optind;
	setup_libbpf(options.verbose);
	deterministic_children();
	letter = session_run(&session, &options, name, 1);
	search_path_clear(&options.path);
	return letter;
}

const struct subcommand replay_subcommand = {
	.name = "replay",
	.summary = "run a script on a recording",
	.main = replay_main,
};
