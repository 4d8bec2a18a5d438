/* SPDX-License-Identifier: Apache-2.0 */
/* Symbols: names of addresses, and addresses of names, in the kernel and in processes.
 *
 *   kernel    /proc/kallsyms, read at the first question
 *   process   /proc/PID/maps -> file -> program headers -> .symtab, .dynsym
 *
 * What has been read is kept: the kernel's functions (42 bytes each with their names: 5 MB for
 * 122,000, read in 80 ms; later modules are not seen before symbols_forget()), the maps of the last
 * 1024 processes, and tables of files, by inode, up to SYMBOLS_BYTES. A process that has ended
 * keeps its names as long as its maps are kept: stacks are often printed when it is gone. A library
 * that is loaded later is found when an address is in no map that is known.
 *
 * Files are read through binary.h, so they may be anybody's; those in containers and those that
 * have been deleted through /proc/PID/map_files (proc(5)), else through /proc/PID/root. C++ names
 * are as the linker has them: nothing that we link with demangles. No DWARF, no separate
 * debug files, no code that was compiled at run time. */
#ifndef MOONPROBE_SYMBOLS_H
#define MOONPROBE_SYMBOLS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SYMBOLS_KERNEL 0	   /* as a pid */
#define SYMBOLS_BYTES (64ul << 20) /* of the tables of files, the one asked last not counted */

struct symbols;

struct symbol {
	const char *name; /* "" when only the file is known */
	uint64_t offset;  /* from the symbol; without a name, its address in the file's own count,
			   * or where in the file when that cannot be read */
	const char *file; /* path as the process sees it, "[vdso]", a module, "" in the kernel */
};

int symbols_open(struct symbols **symbols);
void symbols_close(struct symbols *symbols); /* NULL is fine */

/* What is at the address. 0; -ENOENT when nothing is known of it, not even a file; -ESRCH when
 * the process is unknown and has ended; -EPERM when the kernel hides its addresses
 * (kernel.kptr_restrict). The strings are valid until the next call. A return address is that of
 * the next instruction, which may be another function's: ask for the byte before it. */
int symbols_resolve(struct symbols *symbols, pid_t pid, uint64_t address, struct symbol *symbol);

/* Where functions of that name are, in order, at most `room`. How many there are, which may be
 * more, or -errno as above. In a process: in all files that it has mapped as code. */
int symbols_find(struct symbols *symbols, pid_t pid, const char *name, uint64_t *addresses,
		 size_t room);

/* Asks anew next time: a process after execve(2), the kernel after a module was loaded. */
void symbols_forget(struct symbols *symbols, pid_t pid);

/* What the kernel tells of processes while it happens (mappings.h): one that has ended before
 * anybody could read its maps has names as well. All of a process since its start must be told, or
 * nothing. */
struct symbols_mapping {
	uint64_t start, end; /* of code */
	uint64_t offset, inode;
	const char *path;
};

void symbols_mapped(struct symbols *symbols, pid_t pid, const struct symbols_mapping *mapping);
void symbols_executed(struct symbols *symbols, pid_t pid);
void symbols_forked(struct symbols *symbols, pid_t pid, pid_t parent);

/* Bytes held, of the kernel's side and of all. */
void symbols_bytes(const struct symbols *symbols, size_t *kernel, size_t *all);

#endif
