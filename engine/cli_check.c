// SPDX-License-Identifier: Apache-2.0
/* moonprobe check: loads scripts as run would, and attaches nothing. */
#include "command_line.h"
#include "loop.h"
#include "script.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char help[] =
	"usage: moonprobe check [--permissions] [--allow WHAT] [-I DIR] SCRIPT...\n"
	"\n"
	"Loads each script without attaching anything: finds syntax errors, unknown probes,\n"
	"misspelt fields and knobs, bad options; names file, line and the nearest right name.\n"
	"Needs no privileges. --permissions also tells what each may see and do. Exit status: 0 "
	"all are fine, 2 one is not.\n"
	"\n"
	"  moonprobe check scripts/*.lua\n";

struct check {
	struct loop *loop;
	int status;
};

static void on_running(void *context)
{
	(void)context; /* a checked script is never run */
}

static void on_ended(void *context, int status)
{
	struct check *check = context;

	check->status = status;
	loop_stop(check->loop);
}

static void on_used_file(void *context, const char *file)
{
	(void)context;
	(void)file;
}

static const struct script_events events = {
	.running = on_running,
	.ended = on_ended,
	.used_file = on_used_file,
};

static int check_one(const struct search_path *path, const char *allow, bool permissions,
		     const char *name)
{
	struct script_options options = SCRIPT_OPTIONS_PRESET;
	struct check check = {0};
	struct script *script = NULL;
	struct script_source source;
	struct error error;
	int err;

	options.name = name;
	options.check = true;
	options.allow = allow;
	options.permissions = permissions;
	options.path = *path;
	err = script_source_find(&source, &options, &error);
	if (!err) {
		err = loop_open(&check.loop);
		if (err)
			error_set(&error, err, "loop: %s", strerror(-err));
	}
	if (!err)
		err = script_open(&script, check.loop, &options, &events, &check, &error);
	if (!err)
		err = script_start(script, &error);
	if (err) {
		error_print("%s", error.text);
		check.status = STATUS_USAGE;
	} else {
		loop_run(check.loop);
	}
	script_close(script);
	loop_close(check.loop);
	if (!check.status && !permissions)
		printf("%s: ok\n", name);
	return check.status;
}

static int check_main(int argc, char **argv)
{
	static const struct option long_options[] = {
		{"allow", required_argument, NULL, 'A'},
		{"permissions", no_argument, NULL, 'P'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct search_path path = {0};
	const char *allow = NULL;
	bool permissions = false;
	int letter, status = STATUS_OK;

	opterr = 0;
	setup_path(&path);
	while ((letter = getopt_long(argc, argv, ":I:h", long_options, NULL)) != -1) {
		switch (letter) {
		case 'A':
			allow = parse_allow(optarg);
			break;
		case 'P':
			permissions = true;
			break;
		case 'I':
			if (search_path_add(&path, optarg))
				return STATUS_USAGE;
			break;
		case 'h':
			fputs(help, stdout);
			return STATUS_OK;
		default:
			error_print("check: %s option %s; moonprobe check --help",
				    letter == ':' ? "no value for" : "unknown", argv[optind - 1]);
			return STATUS_USAGE;
		}
	}
	if (optind == argc) {
		error_print("check: no script given; moonprobe check --help");
		return STATUS_USAGE;
	}
	setup_libbpf(false);
	for (int i = optind; i < argc; i++)
		if (check_one(&path, allow, permissions, argv[i]))
			status = STATUS_USAGE;
	search_path_clear(&path);
	return status;
}

const struct subcommand check_subcommand = {
	.name = "check",
	.summary = "find mistakes in scripts without running them",
	.main = check_main,
};
