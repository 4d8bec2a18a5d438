// SPDX-License-Identifier: Apache-2.0
/* moonprobe run: one script, until it, its command, its process or the user ends it. */
#include "command_line.h"
#include "duration.h"
#include "session.h"

#include <getopt.h>
#include <stdio.h>

static const char help[] =
	"usage: moonprobe run [options] SCRIPT [script options]\n"
	"       moonprobe run [options] -e 'LUA'\n"
	"\n"
	"Runs a script: a file, or a shipped tool by its name.\n"
	"\n"
	"  -p PID          only this process\n"
	"  -c 'CMD ARGS'   run the command, trace only it and its descendants, end with it\n"
	"  -e 'LUA'        the script itself; the functions of moonprobe are globals in it\n"
	"      --for TIME  end by itself after 500ms, 5s, 2m, 1h\n"
	"  -f text|json    format of the rows, json: one object a line\n"
	"  -o FILE         write the rows there instead of to stdout\n"
	"  -w              reload when the script or a module it uses changes on disk\n"
	"      --ring SIZE room for events that wait, a power of two (default 1M)\n"
	"  -I DIR          folder searched for modules, probes, stdlib files before the built-in\n"
	"                  ones; also MOONPROBE_PATH=DIR:DIR\n"
	"      --allow WHAT grant a script more: ffi, debug, os.execute, io.popen,\n"
	"                  package.loadlib; with commas between\n"
	"  -q              no headings, no closing summary\n"
	"  -v              messages of libbpf and the kernel's verifier\n"
	"  -h              this help; SCRIPT --help shows the script's options\n"
	"\n"
	"Rows go to stdout, everything else to stderr. Exit status: 0 ended as asked, 1 failed\n"
	"while running, 2 bad input.\n"
	"\n"
	"  moonprobe run execsnoop\n"
	"  moonprobe run -c 'make -j4' --for 1m -f json opensnoop\n"
	"  moonprobe run -e \"probe 'process_exec':count('comm'):every('1s')\"\n";

static int run_main(int argc, char **argv)
{
	static const struct option long_options[] = {
		{"for", required_argument, NULL, 'F'},
		SESSION_LONG_OPTIONS,
	};
	struct script_options options = SCRIPT_OPTIONS_PRESET;
	struct session_options session = {0};
	char *one_liner = "-e", **name = &one_liner;
	int letter;

	opterr = 0;
	setup_path(&options.path);
	while ((letter = getopt_long(argc, argv, "+:e:o:h" SESSION_LETTERS, long_options, NULL)) !=
	       -1) {
		if (session_take(letter, optarg, &session, &options))
			continue;
		switch (letter) {
		case 'e':
			options.text = optarg;
			break;
		case 'o':
			session.output = optarg;
			break;
		case 'F':
			if (duration_parse(optarg, &session.for_ns) || !session.for_ns) {
				error_print("--for %s: not a time; write 500ms, 5s, 2m or 1h",
					    optarg);
				return STATUS_USAGE;
			}
			break;
		case 'h':
			fputs(help, stdout);
			return STATUS_OK;
		case ':':
			error_print("run: option %s needs a value; moonprobe run --help",
				    argv[optind - 1]);
			return STATUS_USAGE;
		default:
			error_print("run: unknown option %s; moonprobe run --help",
				    argv[optind - 1]);
			return STATUS_USAGE;
		}
	}
	if (!options.text && optind == argc) {
		error_print("run: no script given; moonprobe run --help");
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

const struct subcommand run_subcommand = {
	.name = "run",
	.summary = "run a script or a shipped tool",
	.main = run_main,
};
