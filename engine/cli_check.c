// SPDX-License-Identifier: Apache-2.0
/* moonprobe check: loads scripts as run would, and attaches nothing. */
#include "check.h"
#include "command_line.h"

#include <getopt.h>
#include <stdio.h>

static const char help[] =
	"usage: moonprobe check [--permissions] [--allow WHAT] [-I DIR] SCRIPT...\n"
	"\n"
	"Loads each script without attaching anything: finds syntax errors, unknown probes,\n"
	"misspelt fields and knobs, bad options; names file, line and the nearest right name.\n"
	"Needs no privileges. --permissions also tells what each may see and do. Exit status: 0 "
	"all are fine, 2 one is not.\n"
	"\n"
	"  moonprobe check scripts/*.lua\n";

static int check_one(const struct search_path *path, const char *allow, bool permissions,
		     const char *name)
{
	struct script_options options = SCRIPT_OPTIONS_PRESET;
	struct script_source source;
	struct error error;
	int status = STATUS_USAGE;

	options.name = name;
	options.check = true;
	options.allow = allow;
	options.permissions = permissions;
	options.path = *path;
	if (script_source_find(&source, &options, &error))
		error_print("%s", error.text);
	else
		status = check_script(&options);
	if (!status && !permissions)
		printf("%s: ok\n", name);
	return status;
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
