// SPDX-License-Identifier: Apache-2.0
/* moonprobe show: what is in a recording. */
#include "command_line.h"
#include "deterministic.h"
#include "session.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static const char help[] =
	"usage: moonprobe show [-f text|json] [-n COUNT] FILE\n"
	"\n"
	"Tells what is in a recording: the machine it was made on, the probes with their knobs,\n"
	"its events and losses, and the events themselves.\n"
	"\n"
	"  -f text|json    json: one object a line\n"
	"  -n COUNT        only so many of the events; 0: none\n"
	"  -h              this help\n"
	"\n"
	"  moonprobe show -n 10 build.rec\n"
	"  moonprobe show -f json build.rec | grep '\"probe\":\"process_exec\"'\n";

static int show_main(int argc, char **argv)
{
	static const struct option long_options[] = {
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	const struct asset *script = asset_embedded("stdlib/show.lua");
	struct script_options options = SCRIPT_OPTIONS_PRESET;
	struct session_options session = {0};
	char *name = "show", *count = NULL, *end;
	int letter;

	options.replay = true;
	session.silent = true;
	options.quiet = true;
	options.allow = "stdlib";
	options.text = (const char *)script->bytes;
	opterr = 0;
	while ((letter = getopt_long(argc, argv, "+:f:n:h", long_options, NULL)) != -1) {
		switch (letter) {
		case 'f':
			options.json = parse_format(optarg);
			break;
		case 'n':
			count = optarg;
			if (strtoul(count, &end, 10) > 1ul << 40 || *end || *count < '0' ||
			    *count > '9') {
				error_print("-n %s: not a number of events", count);
				return STATUS_USAGE;
			}
			break;
		case 'h':
			fputs(help, stdout);
			return STATUS_OK;
		default:
			error_print("show: %s option %s; moonprobe show --help",
				    letter == ':' ? "no value for" : "unknown", argv[optind - 1]);
			return STATUS_USAGE;
		}
	}
	if (optind + 1 != argc) {
		error_print("show: %s; moonprobe show --help",
			    optind == argc ? "no recording given" : "one recording at a time");
		return STATUS_USAGE;
	}
	options.recording = argv[optind];
	options.argc = count != NULL;
	options.argv = &count;
	setup_libbpf(false);
	deterministic_children();
	return session_run(&session, &options, &name, 1);
}

const struct subcommand show_subcommand = {
	.name = "show",
	.summary = "tell what is in a recording",
	.main = show_main,
};
