// SPDX-License-Identifier: Apache-2.0
/* moonprobe explain: what of a script runs in the kernel and why the rest does not; what it
 * costs. */
#include "command_line.h"
#include "duration.h"
#include "session.h"

#include <getopt.h>
#include <stdio.h>

static const char help[] =
	"usage: moonprobe explain [options] SCRIPT [script options]\n"
	"       moonprobe explain [options] -e 'LUA'\n"
	"\n"
	"Tells where each function of a script runs: in the kernel, or in the worker, and then "
	"what\n"
	"in it forces that and what to write instead. The programs are loaded, so the kernel's\n"
	"verifier has its say, but nothing is attached. Without privileges only the translation "
	"is\n"
	"told.\n"
	"\n"
	"  -e 'LUA'        the script itself\n"
	"      --measure TIME  run it for so long (500ms, 5s, 2m) without its output, and tell "
	"what\n"
	"                  its programs and functions cost; programs run for every process, what\n"
	"                  -p and -c leave out included; counting takes some 20 ns per run\n"
	"  -p PID          with --measure: only this process\n"
	"  -c 'CMD ARGS'   with --measure: only this command and its descendants, end with it\n"
	"  -f text|json    json: one object per probe\n"
	"  -I DIR          folder searched for modules, probes, stdlib files before the built-in\n"
	"                  ones; also MOONPROBE_PATH=DIR:DIR\n"
	"      --ring SIZE room for events that wait, a power of two (default 1M)\n"
	"      --allow WHAT grant a script more: ffi, debug, os.execute, io.popen,\n"
	"                  package.loadlib; with commas between\n"
	"  -q              no closing summary\n"
	"  -v              also the BPF instructions made of it, and the verifier's log when it\n"
	"                  refuses\n"
	"  -h              this help\n"
	"\n"
	"Exit status: 0 told, 1 failed while running, 2 bad input.\n"
	"\n"
	"  moonprobe explain syscount\n"
	"  moonprobe explain --measure 5s -c 'make -j4' opensnoop -x\n"
	"  moonprobe explain -e \"probe 'syscall':where(function(e) return e.pid > 1 "
	"end):count()\"\n";

static int unknown(int letter, const char *option)
{
	error_print("explain: %s %s%s; moonprobe explain --help",
		    letter == ':' ? "option" : "unknown option", option,
		    letter == ':' ? " needs a value" : "");
	return STATUS_USAGE;
}

static int explain_main(int argc, char **argv)
{
	static const struct option long_options[] = {
		{"measure", required_argument, NULL, 'M'},
		SESSION_LONG_OPTIONS,
	};
	struct script_options options = SCRIPT_OPTIONS_PRESET;
	struct session_options session = {0};
	char *one_liner = "-e", **name = &one_liner;
	int letter;

	options.explain = true;
	opterr = 0;
	setup_path(&options.path);
	while ((letter = getopt_long(argc, argv, "+:e:hp:c:f:I:qv", long_options, NULL)) != -1) {
		if (session_take(letter, optarg, &session, &options))
			continue;
		if (letter == 'e') {
			options.text = optarg;
		} else if (letter == 'M') {
			if (duration_parse(optarg, &session.for_ns) || !session.for_ns) {
				error_print("--measure %s: not a time; write 500ms, 5s, 2m or 1h",
					    optarg);
				return STATUS_USAGE;
			}
			options.measure = true;
		} else if (letter == 'h') {
			fputs(help, stdout);
			return STATUS_OK;
		} else {
			return unknown(letter, argv[optind - 1]);
		}
	}
	if ((session.pid || session.command) && !options.measure) {
		error_print("explain: %s is for --measure, nothing is traced without",
			    session.pid ? "-p" : "-c");
		return STATUS_USAGE;
	}
	if (!options.text && optind == argc) {
		error_print("explain: no script given; moonprobe explain --help");
		return STATUS_USAGE;
	}
	if (!options.text)
		name = &argv[optind++];
	options.argc = argc - optind;
	options.argv = argv + optind;
	setup_libbpf(options.verbose);
	letter = session_run(&session, &options, name, 1);
	search_path_clear(&options.path);
	return letter;
}

const struct subcommand explain_subcommand = {
	.name = "explain",
	.summary = "tell what of a script runs in the kernel, why not the rest, what it costs",
	.main = explain_main,
};
