/* SPDX-License-Identifier: Apache-2.0 */
/* Functions: the kernel functions that a name or a wildcard means.
 *
 *   vfs_read          that one
 *   tcp_*             all that match; *, ? and [a-z] as in file names
 *   ext4:ext4_*       those of the module ext4
 *   vmlinux:tcp_*     those of the kernel itself, of no module
 *
 * A name is looked up in the kernel's BTF, then in /proc/kallsyms. A wildcard is looked up in
 * what ftrace can attach to, tracefs available_filter_functions (kernel/trace/ftrace.c), or,
 * where that cannot be read or is empty, among the functions in /proc/kallsyms (any of these may
 * turn out to be one the kernel refuses). Left out of a wildcard: what is in the kernel's list
 * of forbidden kprobes (debugfs kprobes/blacklist, if it can be read), compiled BPF programs,
 * padding (__pfx_, __cfi_), and pieces the compiler cut off a function (NAME.cold, NAME.part.0),
 * unless the wildcard itself has a dot. */
#ifndef MOONPROBE_FUNCTIONS_H
#define MOONPROBE_FUNCTIONS_H

#include "error.h"

#include <stdbool.h>
#include <stddef.h>

struct function {
	const char *name;
	const char *module; /* "" in the kernel itself */
};

struct functions {
	struct function *list; /* by name, then module; each once */
	size_t count;
	bool traceable; /* the list is ftrace's: kprobe.multi takes all of it */
	char *text;	/* holds the names */
};

/* Where the lists are read from: descriptors at their start, -1 for what is not there. */
struct functions_source {
	int available, kallsyms, blacklist;
};

bool functions_is_wildcard(const char *pattern);

/* Fills `functions`, at least one. A pattern with "+0x10" is not understood: the caller cuts that
 * off. -ENOENT when nothing matches; the error names the nearest function. Free with
 * functions_free(), also after an error. */
int functions_match(const char *pattern, struct functions *functions, struct error *error);

/* The same from these lists, without BTF. Descriptors stay the caller's. */
int functions_match_in(const struct functions_source *source, const char *pattern,
		       struct functions *functions, struct error *error);

void functions_free(struct functions *functions);

#endif
