// SPDX-License-Identifier: Apache-2.0
/* moonprobe record: the events of a script's probes to a file, for moonprobe replay. */
#include "command_line.h"
#include "duration.h"
#include "session.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
	"usage: moonprobe record -o FILE [options] SCRIPT [script options]\n"
	"       moonprobe record -o FILE [options] --probe NAME...\n"
	"\n"
	"Writes what the probes of a script tell to a file: every event with all its fields, what\n"
	"was lost, and what devices and system calls are called here. The script declares its\n"
	"probes and knobs; its handlers, filters and timers do not run. moonprobe replay runs any\n"
	"script on the file, without privileges. A file that was cut off is good up to the cut.\n"
	"\n"
	"  -o FILE         the recording; what was there is replaced\n"
	"      --probe NAME this probe, with its preset knobs; may be given again\n"
	"  -e 'LUA'        the script itself\n"
	"  -p PID          only this process\n"
	"  -c 'CMD ARGS'   run the command, record only it and its descendants, end with it\n"
	"      --for TIME  end by itself after 500ms, 5s, 2m, 1h\n"
	"      --ring SIZE room for events that wait, a power of two (default 4M)\n"
	"  -f text|json    format of the closing summary\n"
	"  -I DIR          folder searched before the built-in files\n"
	"  -q -v           no closing summary; messages of libbpf and the kernel's verifier\n"
	"  -h              this help\n"
	"\n"
	"The file has in it what was traced: names of files, arguments, addresses.\n"
	"\n"
	"  moonprobe record -o build.rec -c 'make -j4' execsnoop\n"
	"  moonprobe record -o net.rec --for 10s --probe tcp_connect --probe tcp_close\n";

struct probes {
	char text[4096]; /* a script that uses them */
	size_t length;
};

static bool add_probe(struct probes *probes, const char *name)
{
	size_t left = sizeof(probes->text) - probes->length;
	int length;

	for (const char *at = name; *at; at++)
		if (!isalnum((unsigned char)*at) && *at != '_')
			return false;
	length = snprintf(probes->text + probes->length, left,
			  "mp.probe '%s':each(function() end)\n", name);
	if (length < 0 || (size_t)length >= left)
		return false;
	probes->length += length;
	return true;
}

static int unknown(int letter, const char *option)
{
	error_print("record: %s option %s%s; moonprobe record --help",
		    letter == ':' ? "the" : "unknown", option,
		    letter == ':' ? " needs a value" : "");
	return STATUS_USAGE;
}

static int record_main(int argc, char **argv)
{
	static const struct option long_options[] = {
		{"for", required_argument, NULL, 'F'},
		{"probe", required_argument, NULL, 'P'},
		SESSION_LONG_OPTIONS,
	};
	struct probes probes = {0};
	struct script_options options = SCRIPT_OPTIONS_PRESET;
	struct session_options session = {0};
	char *given = "-e", **name = &given;
	int letter;

	probes.length =
		snprintf(probes.text, sizeof(probes.text), "local mp = require 'moonprobe'\n");
	options.record = true;
	options.ring_bytes = 4 * RING_BYTES; /* a disk may let us wait */
	opterr = 0;
	setup_path(&options.path);
	while ((letter = getopt_long(argc, argv, "+:e:o:hp:c:f:I:qv", long_options, NULL)) != -1) {
		if (session_take(letter, optarg, &session, &options))
			continue;
		if (letter == 'e') {
			options.text = optarg;
		} else if (letter == 'o') {
			options.recording = optarg;
		} else if (letter == 'P') {
			if (!add_probe(&probes, optarg)) {
				error_print("--probe %.60s: no probe is called so", optarg);
				return STATUS_USAGE;
			}
			options.text = probes.text;
			given = "record";
		} else if (letter == 'F') {
			if (duration_parse(optarg, &session.for_ns) || !session.for_ns) {
				error_print("--for %s: not a time; write 500ms, 5s, 2m or 1h",
					    optarg);
				return STATUS_USAGE;
			}
		} else if (letter == 'h') {
			fputs(help, stdout);
			return STATUS_OK;
		} else {
			return unknown(letter, argv[optind - 1]);
		}
	}
	if (!options.text && optind == argc) {
		error_print("record: no script given, and no --probe; moonprobe record --help");
		return STATUS_USAGE;
	}
	if (options.text == probes.text && optind < argc) {
		error_print("record: a script or --probe, not both; moonprobe record --help");
		return STATUS_USAGE;
	}
	if (!options.recording) {
		error_print("record: -o FILE says where to; moonprobe record --help");
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

const struct subcommand record_subcommand = {
	.name = "record",
	.summary = "write the events of a script's probes to a file",
	.main = record_main,
};
