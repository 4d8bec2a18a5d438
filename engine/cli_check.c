// SPDX-License-Identifier: Apache-2.0
/* moonprobe check: loads scripts as run would, and attaches nothing. */
#include "check.h"
#include "command_line.h"

#include <stdio.h>

static const struct command_option option_permissions = {
	0, "permissions", NULL, "tell what each may see and do",
	.sets = offsetof(struct command_line, script.permissions)};

static int check_one(const struct script_options *given, const char *name)
{
	struct script_options options = *given;
	struct script_source source;
	struct error error;
	int status = STATUS_USAGE;

	options.name = name;
	options.check = true;
	if (script_source_find(&source, &options, &error))
		error_print("%s", error.text);
	else
		status = check_script(&options);
	if (!status && !options.permissions)
		printf("%s: ok\n", name);
	return status;
}

static int check_main(struct command_line *line)
{
	int status = STATUS_OK;

	if (!line->argc)
		return options_mistake(line, "no script given");
	for (int i = 0; i < line->argc; i++)
		if (check_one(&line->script, line->argv[i]))
			status = STATUS_USAGE;
	return status;
}

const struct subcommand check_subcommand = {
	.name = "check",
	.summary = "find mistakes in scripts without running them",
	.operands = "SCRIPT...",
	.options = {&option_permissions, &option_folder, &option_allow, &option_help},
	.about = "Loads each script without attaching anything: finds syntax errors, unknown "
		 "probes, misspelt fields and knobs, bad options; names file, line and the nearest "
		 "right name. Needs no privileges.",
	.more = "Exit status: 0 all are fine, 2 one is not.\n"
		"\n"
		"  moonprobe check execsnoop watch.lua\n"
		"\n"
		"Tests (*_test.lua) are for moonprobe test, which needs no privileges either.",
	.main = check_main,
};
