/* SPDX-License-Identifier: Apache-2.0 */
/* Script options: what to run and how, as the command line gives it. Strings are borrowed. */
#ifndef MOONPROBE_SCRIPT_OPTIONS_H
#define MOONPROBE_SCRIPT_OPTIONS_H

#include "asset.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define RING_BYTES (1 << 20)

struct script_options {
	const char *name;   /* what messages call it */
	const char *file;   /* source, or NULL: `text` */
	const char *text;   /* source that is no file */
	const char *folder; /* of the file: its modules are found there */
	struct search_path path;
	bool check;	  /* only load it: nothing is attached */
	bool permissions; /* with check: tell what it may do */
	bool test;	  /* with check: the file is a test, and runs */
	bool update;	  /* with test: golden files may be written */
	bool explain;	  /* tell what runs where; with check: without asking the kernel */
	bool measure;	  /* with explain: run it, and tell what it costs instead of its rows */
	bool record;	  /* its events go to a recording, as they are; the script handles none */
	bool replay;	  /* its events come from a recording: there is no kernel side */
	const char *recording; /* the file's name, for messages */
	int recording_fd;
	int steps_fd; /* replay: where a line for each step comes from; -1: it does not wait */
	const char *playback; /* how it is replayed: words that stdlib/replay.lua knows */
	bool json, quiet, verbose;
	const char *allow; /* what the script may do beside the usual, with commas between */
	int argc;	   /* the script's own arguments */
	char **argv;
	size_t ring_bytes; /* a power of two of at least a page */
	uint32_t stacks;   /* room for so many different ones; 0: STACKS_ENTRIES */
	pid_t target_pid;
	int targets_fd;	 /* -1: not limited to a command's processes */
	int own_pids_fd; /* map of the host's and all its workers' ids; -1: this script is alone */
	uint64_t probation_ns; /* a new version that fails so early gives way to the old one */
	int patience;	       /* seconds a handler may run; then its worker is ended */
};

#define SCRIPT_OPTIONS_PRESET                                                                      \
	{                                                                                          \
		.targets_fd = -1, .own_pids_fd = -1, .recording_fd = -1, .steps_fd = -1,           \
		.ring_bytes = RING_BYTES, .probation_ns = 10000000000, .patience = 5               \
	}

/* Nothing is loaded or attached. */
static inline bool script_is_offline(const struct script_options *options)
{
	return options->check || options->replay;
}

/* May it do that? One word of `allow`. */
bool script_allows(const struct script_options *options, const char *what);

/* Opens a file of the user's, beside the script or on the search path: as search_path_open(). */
int script_open_file(const struct script_options *options, const char *name, char *found,
		     size_t size);

#endif
