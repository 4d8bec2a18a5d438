// SPDX-License-Identifier: Apache-2.0
#include "options.h"

#include "command_line.h"
#include "duration.h"
#include "nearest.h"
#include "stacks.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int take_time(struct command_line *line, const char *value)
{
	if (duration_parse(value, &line->session.for_ns) || !line->session.for_ns)
		return error_set(&line->error, -EINVAL, "not a time; write 500ms, 5s, 2m or 1h");
	return 0;
}

static int take_format(struct command_line *line, const char *value)
{
	line->script.json = !strcmp(value, "json");
	if (!line->script.json && strcmp(value, "text"))
		return error_set(&line->error, -EINVAL, "unknown format; text and json are known");
	return 0;
}

static int take_ring(struct command_line *line, const char *value)
{
	size_t bytes;

	if (size_parse(value, &bytes) || bytes < 4096 || bytes > 1u << 30 || bytes & (bytes - 1))
		return error_set(&line->error, -EINVAL, "not a power of two from 4K to 1G");
	line->script.ring_bytes = bytes;
	return 0;
}

static int take_stacks(struct command_line *line, const char *value)
{
	size_t count;

	if (size_parse(value, &count) || count < 16 || count > STACKS_MOST)
		return error_set(&line->error, -EINVAL, "not a number from 16 to 4M");
	line->script.stacks = count;
	return 0;
}

static int take_folder(struct command_line *line, const char *value)
{
	int err = search_path_add(&line->script.path, value);

	return err ? error_set(&line->error, err, "more than %d folders", SEARCH_DIRS) : 0;
}

static int take_allow(struct command_line *line, const char *value)
{
	/* What each opens: stdlib/environment.lua. */
	static const char *const grants[] = {
		"ffi", "debug", "os.execute", "io.popen", "package.loadlib", "object", "stdlib"};

	for (const char *word = value; *word;) {
		size_t length = strcspn(word, ","), i = 0;

		while (i < 7 && (strlen(grants[i]) != length || strncmp(word, grants[i], length)))
			i++;
		if (i == 7)
			return error_set(&line->error, -EINVAL,
					 "'%.*s' is nothing that can be granted; ffi, debug, "
					 "os.execute, io.popen, package.loadlib and object can",
					 (int)length, word);
		word += length + (word[length] == ',');
	}
	if (line->script.allow)
		return error_set(&line->error, -EINVAL, "is a second one; write --allow %s,%s",
				 line->script.allow, value);
	line->script.allow = value;
	return 0;
}

const struct command_option option_pid = {'p', NULL, "PID", "only this process",
					  .sets = offsetof(struct command_line, session.pid)};
const struct command_option option_command = {
	'c', NULL, "'CMD ARGS'", "run it, trace only it and its descendants, end with it",
	.sets = offsetof(struct command_line, session.command)};
const struct command_option option_text = {
	'e', NULL, "'LUA'", "the script itself; moonprobe's functions are globals in it",
	.sets = offsetof(struct command_line, script.text)};
const struct command_option option_for = {0, "for", "TIME", "end by itself after 500ms, 5s, 2m, 1h",
					  .take = take_time};
const struct command_option option_format = {'f', NULL, "text|json",
					     "format of what is printed, json: one object a line",
					     .take = take_format};
const struct command_option option_output = {'o', NULL, "FILE",
					     "write the rows there instead of to stdout",
					     .sets = offsetof(struct command_line, session.output)};
const struct command_option option_watch = {
	'w', NULL, NULL, "reload a script when it or a module it uses changes on disk",
	.sets = offsetof(struct command_line, session.watching)};
const struct command_option option_ring = {
	0, "ring", "SIZE", "room for events that wait, per script, a power of two (1M)",
	.take = take_ring};
const struct command_option option_stacks = {
	0, "stacks", "N", "room for so many different stacks, per script, 1 KiB each (16K)",
	.take = take_stacks};
const struct command_option option_folder = {
	'I', NULL, "DIR",
	"folder searched for scripts, modules, probes, stdlib files before the built-in ones; "
	"also MOONPROBE_PATH=DIR:DIR",
	.take = take_folder};
const struct command_option option_allow = {0, "allow", "WHAT",
					    "grant a script more: ffi, debug, os.execute, "
					    "io.popen, package.loadlib, object; with commas "
					    "between",
					    .take = take_allow};
const struct command_option option_quiet = {'q', NULL, NULL, "no headings, no closing summary",
					    .sets = offsetof(struct command_line, script.quiet)};
const struct command_option option_verbose = {
	'v', NULL, NULL, "messages of libbpf and the kernel's verifier",
	.sets = offsetof(struct command_line, script.verbose)};
const struct command_option option_help = {'h', "help", NULL, "this help"};

/* Prints text and a newline, in lines that end before column 80; all but the first are indented,
 * for the caller is there already. A newline in the text is one. */
static void print_text(const char *text, int indent)
{
	const size_t width = 79 - indent;

	do {
		size_t length = strcspn(text, "\n");

		while (length > width) {
			length = width;
			while (length && text[length] != ' ')
				length--;
		}
		if (!length) /* an empty line, or a word that does not fit */
			length = strcspn(text, " \n");
		printf("%.*s\n", (int)length, text);
		text += length + (text[length] != 0);
		if (*text)
			printf("%*s", *text == '\n' ? 0 : indent, "");
	} while (*text);
}

static const char *help_of(const struct subcommand *subcommand, const struct command_option *option)
{
	for (int i = 0; subcommand->instead[i].option; i++)
		if (subcommand->instead[i].option == option)
			return subcommand->instead[i].help;
	return option->help;
}

static void print_help(const struct subcommand *subcommand)
{
	const char *operands = subcommand->operands, *usage = "usage:";
	size_t length;

	do {
		length = strcspn(operands, "\n");
		printf("%-6s moonprobe %s [options]%s%.*s\n", usage, subcommand->name,
		       length ? " " : "", (int)length, operands);
		operands += length + (operands[length] == '\n');
		usage = "";
	} while (*operands);
	printf("\n");
	print_text(subcommand->about, 0);
	printf("\n");
	for (size_t i = 0; subcommand->options[i]; i++) {
		const struct command_option *option = subcommand->options[i];
		int at = printf(" ");

		if (option->letter)
			at += printf(" -%c%s", option->letter, option->name ? "," : "");
		if (option->name)
			at += printf(" --%s", option->name);
		if (option->value)
			at += printf(" %s", option->value);
		printf("%*s", 18 - at, "");
		print_text(help_of(subcommand, option), 18);
	}
	printf("\n");
	print_text(subcommand->more, 0);
}

/* getopt's number of an option without a letter: where it stands, beyond all letters. */
#define UNLETTERED 256

/* The table as getopt_long wants it. */
static void describe(const struct subcommand *subcommand, char *letters, struct option *names)
{
	/* ':': a missing value is told apart from an unknown option. */
	letters += sprintf(letters, "%s:", subcommand->stops_at_operands ? "+" : "");
	for (int i = 0; subcommand->options[i]; i++) {
		const struct command_option *option = subcommand->options[i];

		if (option->letter)
			letters +=
				sprintf(letters, "%c%s", option->letter, option->value ? ":" : "");
		if (option->name)
			*names++ = (struct option){
				option->name, option->value ? required_argument : no_argument, NULL,
				option->letter ? option->letter : UNLETTERED + i};
	}
	*names = (struct option){0};
}

static const struct command_option *find(const struct subcommand *subcommand, int number)
{
	if (number >= UNLETTERED)
		return subcommand->options[number - UNLETTERED];
	for (int i = 0; subcommand->options[i]; i++)
		if (number && subcommand->options[i]->letter == number)
			return subcommand->options[i];
	return NULL;
}

/* As it is written: -f or --for. */
static const char *spelling(const struct command_option *option, char text[64])
{
	if (option->name)
		snprintf(text, 64, "--%s", option->name);
	else
		snprintf(text, 64, "-%c", option->letter);
	return text;
}

/* What getopt could make nothing of: `word`, or in it the letter optopt. */
static int refuse(const struct command_line *line, bool valueless, const char *word)
{
	const struct subcommand *subcommand = line->subcommand;
	const struct command_option *known = find(subcommand, optopt);
	struct nearest near;
	char name[64];

	if (known)
		return options_mistake(line, "option %s %s", spelling(known, name),
				       valueless ? "needs a value" : "takes no value");
	if (optopt)
		return options_mistake(line, "unknown option -%c", optopt);
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(word, "="), word);
	nearest_start(&near, name + 2);
	for (int i = 0; subcommand->options[i]; i++)
		if (subcommand->options[i]->name)
			nearest_offer(&near, subcommand->options[i]->name);
	return options_mistake(line, "unknown option %s%s%s", name,
			       *nearest_name(&near) ? "; did you mean --" : "",
			       nearest_name(&near));
}

int options_mistake(const struct command_line *line, const char *format, ...)
{
	const char *name = line->subcommand->name;
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	error_print("%s: %s; moonprobe %s --help", name, text, name);
	return STATUS_USAGE;
}

/* 0 or -errno with the reason. */
static int put(struct command_line *line, const struct command_option *option, const char *value)
{
	if (!option->sets)
		return option->take(line, value);
	if (option->value)
		*(const char **)((char *)line + option->sets) = value;
	else
		*(bool *)((char *)line + option->sets) = true;
	return 0;
}

/* False when there is nothing more to do than to end with the status. */
static bool take_options(struct command_line *line, int argc, char **argv, int *status)
{
	const struct subcommand *subcommand = line->subcommand;
	struct option names[OPTIONS_MOST + 1];
	char letters[3 + 2 * OPTIONS_MOST], name[64];
	int number;

	describe(subcommand, letters, names);
	opterr = 0;
	while ((number = getopt_long(argc, argv, letters, names, NULL)) != -1) {
		const struct command_option *option = find(subcommand, number);

		if (!option) {
			*status = refuse(line, number == ':', argv[optind - 1]);
			return false;
		}
		if (option == &option_help) {
			print_help(subcommand);
			return false;
		}
		if (put(line, option, optarg)) {
			error_print("%s %.60s: %s", spelling(option, name), optarg,
				    line->error.text);
			*status = STATUS_USAGE;
			return false;
		}
	}
	line->argc = argc - optind;
	line->argv = argv + optind;
	return true;
}

static bool takes(const struct subcommand *subcommand, const struct command_option *option)
{
	int i = 0;

	while (subcommand->options[i] && subcommand->options[i] != option)
		i++;
	return subcommand->options[i];
}

int subcommand_run(const struct subcommand *subcommand, int argc, char **argv)
{
	size_t bytes = subcommand->line_bytes;
	struct command_line *line = calloc(1, bytes ? bytes : sizeof(*line));
	int status = STATUS_OK;

	if (!line) {
		error_print("%s", strerror(ENOMEM));
		return STATUS_FAILED;
	}
	line->subcommand = subcommand;
	line->script = (struct script_options)SCRIPT_OPTIONS_PRESET;
	if (subcommand->ring_bytes)
		line->script.ring_bytes = subcommand->ring_bytes;
	if (takes(subcommand, &option_folder) &&
	    search_path_add(&line->script.path, secure_getenv("MOONPROBE_PATH")))
		error_print("MOONPROBE_PATH: more than %d folders; the rest is not used",
			    SEARCH_DIRS);
	if (take_options(line, argc, argv, &status)) {
		setup_libbpf(line->script.verbose);
		status = subcommand->main(line);
	}
	search_path_clear(&line->script.path);
	free(line);
	return status;
}
