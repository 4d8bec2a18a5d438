// SPDX-License-Identifier: Apache-2.0
/* moonprobe types: declarations for editors and language servers. */
#include "command_line.h"
#include "stubs.h"

#include <stdio.h>

static const struct command_option option_into = {
	'o', NULL, "FOLDER", "where to, instead of " STUBS_FOLDER,
	.sets = offsetof(struct command_line, session.output)};

static int types_main(struct command_line *line)
{
	const char *folder = line->session.output ? line->session.output : STUBS_FOLDER;
	int count;

	if (line->argc || !*folder)
		return options_mistake(line, "takes no arguments");
	count = stubs_write(&line->script.path, folder, &line->error);
	if (count < 0) {
		error_print("%s", line->error.text);
		return STATUS_FAILED;
	}
	printf("%s: %d files\n", folder, count);
	return STATUS_OK;
}

const struct subcommand types_subcommand = {
	.name = "types",
	.summary = "write type declarations of the API, for editors",
	.operands = "",
	.options = {&option_into, &option_folder, &option_help},
	.about = "Writes LuaCATS declarations of every probe's events and knobs, of streams, "
		 "aggregates and the whole library, as this executable has them, into a folder. "
		 "With them lua-language-server completes and checks fields and arguments. Needs "
		 "no privileges. An editor finds them by .luarc.json:\n"
		 "\n"
		 "  { \"runtime.version\": \"LuaJIT\", \"workspace.library\": [\"" STUBS_FOLDER
		 "\"] }\n"
		 "\n"
		 "`moonprobe new` writes that file, too.",
	.more = "  moonprobe types\n"
		"  moonprobe types -o ~/.local/share/moonprobe/types",
	.main = types_main,
};
