/* SPDX-License-Identifier: Apache-2.0 */
/* Symbols: names of addresses, and addresses of names, in the kernel and in processes.
 *
 *   kernel    /proc/kallsyms, read at the first question
 *   process   processes.h: what is mapped there -> symbol_files.h: the functions of that file
 *
 * What has been read is kept, also of processes that have ended. The kernel's functions take 42
 * bytes each with their names: 5 MB for 122,000, read in 80 ms; later modules are not seen before
 * symbols_forget_kernel(). Files are read through binary.h, so they may be anybody's. No code that
 * was compiled at run time. */
#ifndef MOONPROBE_SYMBOLS_H
#define MOONPROBE_SYMBOLS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SYMBOLS_KERNEL 0 /* as a pid */

struct processes;
struct symbols;

struct symbol {
	const char *name; /* "" when only the file is known */
	uint64_t offset;  /* from the symbol; without a name, its address in the file's own count,
			   * or where in the file when that cannot be read */
	const char *file; /* path as the process sees it, "[vdso]", a module, "" in the kernel */
};

/* `processes` must live as long. */
int symbols_open(struct symbols **symbols, struct processes *processes);
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

void symbols_forget_kernel(struct symbols *symbols); /* asks anew next time: it has new modules */

/* Bytes held, of the kernel's side and of all with the processes. */
void symbols_bytes(const struct symbols *symbols, size_t *kernel, size_t *all);

#endif
