/* SPDX-License-Identifier: Apache-2.0 */
/* Binary: a program or library on disk: its segments, sections and symbols.
 *
 *   address: where the linker put it    offset: where it is in the file (what uprobes want)
 *            `--------- program headers (PT_LOAD) ---------'
 *
 * No process is needed, and it makes no difference whether the file is position independent or
 * prelinked. The file may be anybody's: only a regular file is opened (never a device or a pipe),
 * it is read and not mapped, so that who cuts it short meanwhile does not kill us, and what it
 * says is checked against its size. After the ELF specification (gABI), elf(5). */
#ifndef MOONPROBE_BINARY_H
#define MOONPROBE_BINARY_H

#include "error.h"

#include <libelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct binary_segment {
	uint64_t address, offset, bytes; /* bytes: in the file */
	bool executable;
};

struct binary {
	char *path;	    /* as it was given; for errors */
	int fd;		    /* read-only; "/proc/self/fd/N" of it is a path for the kernel */
	struct stat status; /* device, inode, size, times: which file it is */
	Elf *elf;
	uint16_t machine; /* EM_X86_64, EM_AARCH64... */
	uint8_t word;	  /* bytes of an address: 4 or 8 */
	struct binary_segment *segments;
	size_t segment_count;
};

/* Opens `path`, which with a `pid` other than 0 is as that process sees it: in its container, links
 * not leading out (openat2(2), RESOLVE_IN_ROOT). 0 or -errno with the reason: -ENOENT, -EACCES,
 * -ENOEXEC when it is no ELF file for a program or library. */
int binary_open(struct binary **binary, const char *path, int pid, struct error *error);

/* The same of an O_PATH descriptor, which stays the caller's. `path` is for errors. */
int binary_open_at(struct binary **binary, int fd, const char *path, struct error *error);

void binary_close(struct binary *binary); /* NULL is fine */

/* -ENOENT when the address is in no segment, or only in memory (bss). */
int binary_offset_of(const struct binary *binary, uint64_t address, uint64_t *offset);

/* -ENOENT when the offset is loaded nowhere. An executable segment is preferred: neighbours may
 * share a page of the file. */
int binary_address_of(const struct binary *binary, uint64_t offset, uint64_t *address);

/* The executable segment with that address, or NULL. */
const struct binary_segment *binary_code_at(const struct binary *binary, uint64_t address);

/* A function, of .symtab or .dynsym. */
struct binary_symbol {
	const char *name; /* may end in a version: readline@@8.0; valid until binary_close() */
	size_t plain;	  /* length of the name without it */
	uint64_t address, bytes;
	bool sized;	 /* else bytes goes up to the end of its section */
	uint8_t binding; /* STB_GLOBAL, ... */
	bool indirect;	 /* STT_GNU_IFUNC: chooses the function when it is loaded */
	bool old;	 /* a version kept for old programs */
	int rank;	 /* of several names of a place the one with the least is shown */
};

/* Calls `visit` with each function that is defined here and in an executable segment, .symtab
 * first; most of .dynsym comes twice so. Ends when it returns other than 0, with that. */
int binary_each_symbol(const struct binary *binary,
		       int (*visit)(void *data, const struct binary_symbol *symbol), void *data);

/* The bytes of a section, or NULL: not there, compressed, or larger than `most`. Valid until
 * binary_close(). */
const void *binary_section(const struct binary *binary, const char *name, size_t most,
			   size_t *bytes, uint64_t *address);

#endif
