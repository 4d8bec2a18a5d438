// SPDX-License-Identifier: Apache-2.0
/* moonprobe serve: many scripts in one host, until it is told to end. */
#include "command_line.h"
#include "session.h"

#include <getopt.h>
#include <stdio.h>

static const char help[] =
	"usage: moonprobe serve [options] SCRIPT...\n"
	"\n"
	"Runs scripts side by side, each in a process of its own. One that fails is started "
	"again,\n"
	"after a pause that doubles; after five failures in a minute it is quarantined, and the\n"
	"others go on. Ends with SIGINT or SIGTERM, or when its last script has ended.\n"
	"\n"
	"  -p PID          only this process\n"
	"  -c 'CMD ARGS'   run the command, trace only it and its descendants, end with it\n"
	"  -f text|json    format of the rows\n"
	"  -w              reload a script when it or a module it uses changes on disk\n"
	"      --ring SIZE room for events that wait, per script (default 1M)\n"
	"  -I DIR          folder searched before the built-in files\n"
	"      --allow WHAT grant a script more: ffi, debug, os.execute, io.popen,\n"
	"                  package.loadlib; with commas between\n"
	"  -q              no headings, no closing summary\n"
	"  -v              messages of libbpf and the kernel's verifier\n"
	"\n"
	"  moonprobe serve -w execsnoop policies/*.lua\n";

static int serve_main(int argc, char **argv)
{
	static const struct option long_options[] = {
		SESSION_LONG_OPTIONS,
	};
	struct script_options options = SCRIPT_OPTIONS_PRESET;
	struct session_options session = {0};
	int letter;

	opterr = 0;
	setup_path(&options.path);
	while ((letter = getopt_long(argc, argv, ":h" SESSION_LETTERS, long_options, NULL)) != -1) {
		if (session_take(letter, optarg, &session, &options))
			continue;
		switch (letter) {
		case 'h':
			fputs(help, stdout);
			return STATUS_OK;
		default:
			error_print("serve: %s option %s; moonprobe serve --help",
				    letter == ':' ? "no value for" : "unknown", argv[optind - 1]);
			return STATUS_USAGE;
		}
	}
	if (optind == argc) {
		error_print("serve: no script given; moonprobe serve --help");
		return STATUS_USAGE;
	}
	setup_libbpf(options.verbose);
	letter = session_run(&session, &options, argv + optind, argc - optind);
	search_path_clear(&options.path);
	return letter;
}

const struct subcommand serve_subcommand = {
	.name = "serve",
	.summary = "run many scripts, restart those that fail",
	.main = serve_main,
};
