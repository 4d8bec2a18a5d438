/* SPDX-License-Identifier: Apache-2.0 */
/* Processes: what they have mapped as code.
 *
 *   processes_get() <-- /proc/PID/maps, when it is asked for first
 *                   <-- processes_mapped(), _executed(), _forked(): the kernel tells (mappings.h)
 *
 * The maps of the last 1024 processes are kept, also when they have ended: stacks are often printed
 * when theirs is gone. A library that is loaded later is found when an address is in no map that is
 * known. */
#ifndef MOONPROBE_PROCESSES_H
#define MOONPROBE_PROCESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct binary;
struct process;
struct processes;

/* Code in a process's memory. */
struct process_map {
	uint64_t start, end;
	uint64_t offset, inode; /* in its file; inode 0: [vdso], code made at run time */
	size_t path;		/* see process_path() */
	/* For who asks what is there (symbols.c), 0 and false in a new one. */
	uint64_t file;
	bool unreadable;
};

int processes_open(struct processes **processes);
void processes_close(struct processes *processes); /* NULL is fine */

/* The process that has this number now, else the last that had it. NULL and errno: ESRCH when it
 * has ended and nobody told of it. Valid until the next call. */
struct process *processes_get(struct processes *processes, pid_t pid);

/* Its maps anew, as after dlopen(3); when it has ended the old ones stay. 0 or -errno. */
int process_read(struct process *process);

/* The map with the address, or NULL. For one that is in none they are read anew, not too often. */
struct process_map *process_map_at(struct process *process, uint64_t address);

/* The map at `index`, by their addresses; NULL after the last. */
struct process_map *process_map(struct process *process, size_t index);

/* The path of its file as the process sees it, or "[vdso]". Valid until its maps change. */
const char *process_path(const struct process *process, const struct process_map *map);

/* Opens what is mapped there: the very file, also one that was deleted or is in a container,
 * through /proc/PID/map_files (proc(5)), else /proc/PID/root. NULL: it cannot be had. */
struct binary *process_open_file(const struct process *process, const struct process_map *map);

/* Asks anew next time, as after execve(2). */
void processes_forget(struct processes *processes, pid_t pid);

/* What the kernel tells of processes while it happens: of one that has ended before anybody could
 * read its maps they are known as well. All of a process since its start must be told, or
 * nothing. */
struct process_mapping {
	uint64_t start, end; /* of code */
	uint64_t offset, inode;
	const char *path;
};

void processes_mapped(struct processes *processes, pid_t pid,
		      const struct process_mapping *mapping);
void processes_executed(struct processes *processes, pid_t pid);
void processes_forked(struct processes *processes, pid_t pid, pid_t parent);

size_t processes_bytes(const struct processes *processes); /* held */

#endif
