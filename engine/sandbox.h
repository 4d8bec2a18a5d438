/* SPDX-License-Identifier: Apache-2.0 */
/* Sandbox: the walls around a worker, built after its privileges are gone and before it loads
 * the first byte of user code. There is no way back, and no way to widen them.
 *
 *   system calls  seccomp: what Lua, its compiler and the drain loop use; the rest is EPERM
 *   files         Landlock: reading below `folders` and a few system files; the rest is EACCES
 *   memory        RLIMIT_DATA: "not enough memory" in Lua, and not the machine's OOM killer
 *   processes     no fork, no exec, no signal to anybody else, no core dump
 *
 * Nothing kills: a script that tries is told so by an errno, and goes on. A kernel without
 * Landlock gives less: every file that nobody may read can be read; none can be written,
 * since the filter refuses that by itself. `moonprobe doctor` tells. */
#ifndef MOONPROBE_SANDBOX_H
#define MOONPROBE_SANDBOX_H

#include "error.h"

#include <stdbool.h>
#include <stddef.h>

#define SANDBOX_MEMORY_BYTES (256u << 20)
#define SANDBOX_FILES 128
#define SANDBOX_FILES_OBJECTS 256 /* a descriptor for each map */

struct sandbox_options {
	const char *const *folders; /* read-only; those that cannot be opened are left out */
	int folder_count;
	const char *state_folder; /* read and written; NULL: none */
	size_t memory_bytes;	  /* heap of everything together; 0: SANDBOX_MEMORY_BYTES */
	bool programs;	/* granted: may start programs, which need any call and file nobody has */
	bool objects;	/* granted: has BPF objects of its own, whose maps are of any kind */
	bool libraries; /* granted: may load C modules from anywhere nobody can read */
};

/* After privilege_drop(), with a single thread. 0, or -errno with the reason: then the process
 * is half walled in and must end. */
int sandbox_enter(const struct sandbox_options *options, struct error *error);

int sandbox_landlock(void); /* version of the kernel's Landlock, or -errno */

#endif
