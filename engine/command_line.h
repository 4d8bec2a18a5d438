/* SPDX-License-Identifier: Apache-2.0 */
/* Command line: the subcommands, one file each (engine/cli_NAME.c), and what they share. */
#ifndef MOONPROBE_COMMAND_LINE_H
#define MOONPROBE_COMMAND_LINE_H

#include "asset.h"
#include "error.h"
#include "options.h"

#include <stdbool.h>

/* Exit statuses. */
#define STATUS_OK 0
#define STATUS_FAILED 1 /* something went wrong while running */
#define STATUS_USAGE 2	/* bad input: nothing was run */

extern const struct subcommand run_subcommand;
extern const struct subcommand list_subcommand;
extern const struct subcommand serve_subcommand;
extern const struct subcommand check_subcommand;
extern const struct subcommand explain_subcommand;
extern const struct subcommand test_subcommand;
extern const struct subcommand doctor_subcommand;
extern const struct subcommand types_subcommand;
extern const struct subcommand new_subcommand;
extern const struct subcommand record_subcommand;
extern const struct subcommand replay_subcommand;
extern const struct subcommand show_subcommand;

#define VERSION "0.1.0"

/* Messages of libbpf: none, or all but debugging. */
void setup_libbpf(bool verbose);

/* Where a script's source was found; the strings its options then point to. */
struct script_source {
	char file[4096], folder[4096];
};

/* Finds options->name: a file, else a shipped tool of that name; sets file, text and folder of
 * the options. With options->text set already there is nothing to find. 0 or -errno with the
 * reason. */
int script_source_find(struct script_source *source, struct script_options *options,
		       struct error *error);

/* Loading and attaching need privileges and BTF; better said before something fails in a
 * stranger way. */
int check_kernel(struct error *error);

#endif
