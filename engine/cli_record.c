// SPDX-License-Identifier: Apache-2.0
/* moonprobe record: the events of a script's probes to a file, for moonprobe replay. */
#include "command_line.h"
#include "session.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

struct record {
	struct command_line line;
	char text[4096]; /* a script that uses the probes of --probe */
	size_t length;
};

static int take_probe(struct command_line *line, const char *name)
{
	struct record *record = (struct record *)line;
	size_t left = sizeof(record->text) - record->length;
	int length;

	for (const char *at = name; *at; at++)
		if (iscntrl((unsigned char)*at) || *at == '\'' || *at == '\\')
			return error_set(&line->error, -EINVAL, "no probe is called so");
	length = snprintf(record->text + record->length, left,
			  "require 'moonprobe'.probe '%s':each(function() end)\n", name);
	if (length < 0 || (size_t)length >= left)
		return error_set(&line->error, -E2BIG, "too many probes");
	record->length += length;
	return 0;
}

static const struct command_option option_probe = {
	0, "probe", "NAME", "this probe, with its preset knobs; more names may follow",
	.take = take_probe};
static const struct command_option option_recording = {
	'o', NULL, "FILE", "the recording; what was there is replaced",
	.sets = offsetof(struct command_line, script.recording)};

static int record_main(struct command_line *line)
{
	const struct record *record = (struct record *)line;

	line->script.record = true;
	if (record->length && line->script.text)
		return options_mistake(line, "a script or --probe, not both");
	/* All names behind the first are probes, too. */
	for (; record->length && line->argc; line->argc--, line->argv++)
		if (**line->argv == '-' || take_probe(line, *line->argv))
			return options_mistake(line, "--probe %s: %s", *line->argv,
					       **line->argv == '-' ? "options come before the names"
								   : line->error.text);
	if (!record->length && !line->argc && !line->script.text)
		return options_mistake(line, "no script given, and no --probe");
	if (!line->script.recording)
		return options_mistake(line, "-o FILE says where to");
	if (record->length) {
		line->script.text = record->text;
		line->text_name = "--probe";
	}
	return session_of(line);
}

const struct subcommand record_subcommand = {
	.name = "record",
	.summary = "write the events of a script's probes to a file",
	.operands = "-o FILE SCRIPT [script options]\n-o FILE --probe NAME...",
	.stops_at_operands = true,
	.options = {&option_recording, &option_probe, &option_text, &option_pid, &option_command,
		    &option_for, &option_ring, &option_format, &option_folder, &option_allow,
		    &option_quiet, &option_verbose, &option_help},
	.instead = {{&option_ring, "room for events that wait, a power of two (default 4M)"},
		    {&option_format, "format of the closing summary"}},
	.about = "Writes what the probes of a script tell to a file: every event with all its "
		 "fields (of e.args, e.ret and e.string what the script reads), what was lost, and "
		 "what devices and system calls are called here. The script declares its probes "
		 "and knobs; its handlers, filters and timers do not run. moonprobe replay runs "
		 "any script on the file, without privileges. A file "
		 "that was cut off is good up to the cut.",
	.more = "The file has in it what was traced: names of files, arguments, addresses.\n"
		"\n"
		"  moonprobe record -o build.rec -c 'make -j4' execsnoop\n"
		"  moonprobe record -o net.rec --for 10s --probe tcp_connect tcp_close",
	.line_bytes = sizeof(struct record),
	.ring_bytes = 4 * RING_BYTES, /* a disk may let us wait */
	.main = record_main,
};
