/* SPDX-License-Identifier: Apache-2.0 */
/* Command line: the subcommands, one file each (engine/cli_NAME.c), and what they share. */
#ifndef MOONPROBE_COMMAND_LINE_H
#define MOONPROBE_COMMAND_LINE_H

#include "asset.h"
#include "error.h"

#include <stdbool.h>

/* Exit statuses. */
#define STATUS_OK 0
#define STATUS_FAILED 1 /* something went wrong while running */
#define STATUS_USAGE 2	/* bad input: nothing was run */

struct subcommand {
	const char *name;
	const char *summary;
	int (*main)(int argc, char **argv); /* argv[0] is the subcommand */
};

extern const struct subcommand run_subcommand;
extern const struct subcommand list_subcommand;
extern const struct subcommand check_subcommand;
extern const struct subcommand doctor_subcommand;

#define VERSION "0.1.0"

/* MOONPROBE_PATH and -I; sets up libbpf's messages (all of them when verbose). */
void setup_path(struct search_path *path);
void setup_libbpf(bool verbose);

/* "-f text" or "-f json": true when it is json; complains and exits with STATUS_USAGE. */
bool parse_format(const char *text);

/* Finds a script: a file, else a shipped tool of that name. `file` is set to a path or stays
 * empty, then `text` is the embedded source. 0 or -errno with the reason. */
int find_script(const struct search_path *path, const char *name, char *file, size_t size,
		const char **text, struct error *error);

/* The folder a file is in, for its modules. */
void folder_of(const char *file, char *folder, size_t size);

#endif
