/* SPDX-License-Identifier: Apache-2.0 */
/* Options: what a subcommand takes on its command line is a table, and from that table come both
 * the parser and --help, so what is told and what is taken are the same.
 *
 *   struct subcommand (cli_NAME.c) --+-- words of the command line --> struct command_line --> main
 *                                    `-- -h, --help --> usage, about, options, more
 *
 * What several subcommands take is written here once; each names those it takes. */
#ifndef MOONPROBE_OPTIONS_H
#define MOONPROBE_OPTIONS_H

#include "error.h"
#include "script_options.h"
#include "session.h"

#include <stdbool.h>
#include <stddef.h>

#define OPTIONS_MOST 20

/* What was given. A subcommand that keeps more has a struct that starts with this. */
struct command_line {
	const struct subcommand *subcommand;
	struct script_options script;
	struct session_options session;
	int argc; /* the words that are no options */
	char **argv;
	char *text_name;    /* what messages call script.text; NULL: -e */
	struct error error; /* why an option's take() refused a value */
};

struct command_option {
	char letter;	   /* 0: none */
	const char *name;  /* NULL: no long one */
	const char *value; /* what --help calls its value; NULL: it has none */
	const char *help;
	/* Where it goes: the offset, from the command_line, of a bool, or with a value of a
	 * const char *. 0: take() is called, which fills line->error when it is not 0. */
	size_t sets;
	int (*take)(struct command_line *line, const char *value);
};

struct subcommand {
	const char *name;
	const char *summary;	/* for moonprobe --help */
	const char *operands;	/* what follows the options: a line for each way to write it */
	bool stops_at_operands; /* what follows the first operand is not ours: a script's options */
	const struct command_option *options[OPTIONS_MOST]; /* as --help shows them, and NULL */
	struct {
		const struct command_option *option;
		const char *help;
	} instead[4]; /* of an option's own help, where it says something else here; and NULL */
	const char *about; /* paragraphs; they are wrapped */
	const char *more;  /* after the options: exit statuses, examples */
	size_t line_bytes; /* of its struct that starts with a command_line, and is zero elsewhere;
			    * 0: a command_line is all */
	size_t ring_bytes; /* without --ring; 0: RING_BYTES */
	int (*main)(struct command_line *line); /* the exit status */
};

extern const struct command_option option_pid;	   /* -p */
extern const struct command_option option_command; /* -c */
extern const struct command_option option_text;	   /* -e */
extern const struct command_option option_for;	   /* --for */
extern const struct command_option option_format;  /* -f */
extern const struct command_option option_output;  /* -o */
extern const struct command_option option_watch;   /* -w */
extern const struct command_option option_ring;	   /* --ring */
extern const struct command_option option_stacks;  /* --stacks */
extern const struct command_option option_folder;  /* -I; then MOONPROBE_PATH counts, too */
extern const struct command_option option_allow;   /* --allow */
extern const struct command_option option_quiet;   /* -q */
extern const struct command_option option_verbose; /* -v */
extern const struct command_option option_help;	   /* -h, --help */

/* Runs a subcommand, or prints its help, or tells what is wrong with the command line: argv[0] is
 * the subcommand's name. Returns the exit status. */
int subcommand_run(const struct subcommand *subcommand, int argc, char **argv);

/* Tells what is wrong with the command line, and where help is. Returns STATUS_USAGE. */
int options_mistake(const struct command_line *line, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
