// SPDX-License-Identifier: Apache-2.0
/* moonprobe types: declarations for editors and language servers. */
#include "command_line.h"
#include "stubs.h"

#include <getopt.h>
#include <stdio.h>

static const char help[] =
	"usage: moonprobe types [-o FOLDER] [-I DIR]\n"
	"\n"
	"Writes LuaCATS declarations of every probe's events and knobs, of streams, aggregates "
	"and\n"
	"the whole library, as this executable has them, into FOLDER (default " STUBS_FOLDER ").\n"
	"With them lua-language-server completes and checks fields and arguments. Needs no\n"
	"privileges. Names in -I DIR are included. An editor finds them by .luarc.json:\n"
	"\n"
	"  { \"runtime.version\": \"LuaJIT\", \"workspace.library\": [\"" STUBS_FOLDER "\"] }\n"
	"\n"
	"`moonprobe new` writes that file, too.\n"
	"\n"
	"  moonprobe types\n"
	"  moonprobe types -o ~/.local/share/moonprobe/types\n";

static int types_main(int argc, char **argv)
{
	static const struct option long_options[] = {{"help", no_argument, NULL, 'h'}, {0}};
	struct search_path path = {0};
	const char *folder = STUBS_FOLDER;
	struct error error;
	int letter, count;

	opterr = 0;
	setup_path(&path);
	while ((letter = getopt_long(argc, argv, ":o:I:h", long_options, NULL)) != -1) {
		switch (letter) {
		case 'o':
			folder = optarg;
			break;
		case 'I':
			if (search_path_add(&path, optarg))
				return STATUS_USAGE;
			break;
		case 'h':
			fputs(help, stdout);
			return STATUS_OK;
		default:
			error_print("types: %s option %s; moonprobe types --help",
				    letter == ':' ? "no value for" : "unknown", argv[optind - 1]);
			return STATUS_USAGE;
		}
	}
	if (optind < argc || !*folder) {
		error_print("types: takes no arguments; moonprobe types --help");
		return STATUS_USAGE;
	}
	setup_libbpf(false);
	count = stubs_write(&path, folder, &error);
	search_path_clear(&path);
	if (count < 0) {
		error_print("%s", error.text);
		return STATUS_FAILED;
	}
	printf("%s: %d files\n", folder, count);
	return STATUS_OK;
}

const struct subcommand types_subcommand = {
	.name = "types",
	.summary = "write type declarations of the API, for editors",
	.main = types_main,
};
