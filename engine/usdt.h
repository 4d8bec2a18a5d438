/* SPDX-License-Identifier: Apache-2.0 */
/* USDT: the probes a program's author has put into it (<sys/sdt.h>), read from its notes.
 *
 * Each use of the macro is a site: a nop, and a note in .note.stapsdt that says where it is and
 * where the arguments are there: "-4@%eax 8@-16(%rbp)". The compiler copies code, so one
 * provider:name has many sites, each with places of its own. Format:
 * https://sourceware.org/systemtap/wiki/UserSpaceProbeImplementation and sys/sdt.h. */
#ifndef MOONPROBE_USDT_H
#define MOONPROBE_USDT_H

#include "error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct binary;

#define USDT_ARGUMENTS 12 /* as many as sys/sdt.h has macros for */

enum usdt_kind {
	USDT_CONSTANT,	 /* value */
	USDT_REGISTER,	 /* base >> shift */
	USDT_MEMORY,	 /* *(base + index * scale + value) */
	USDT_UNREADABLE, /* by no program in the kernel: floating point, relative to a symbol */
};

#define USDT_NO_REGISTER (-1)

struct usdt_argument {
	enum usdt_kind kind;
	uint8_t bytes; /* 1, 2, 4 or 8 */
	bool is_signed;
	uint8_t shift; /* bits: 8 for %ah, %bh, %ch, %dh, else 0 */
	/* Bytes into what a BPF program on a uprobe gets: struct pt_regs of x86-64
	 * (arch/x86/include/asm/ptrace.h), struct user_pt_regs of arm64. */
	int16_t base, index; /* USDT_NO_REGISTER: none */
	uint8_t scale;
	int64_t value;
};

struct usdt_site {
	const char *provider, *name, *text; /* text: the arguments as in the note */
	uint64_t offset;		    /* of the nop in the file */
	uint64_t semaphore;		    /* where in the file its counter is; 0: it has none */
	int argument_count; /* or -errno: they cannot be read; usdt_parse() says why */
	struct usdt_argument arguments[USDT_ARGUMENTS];
};

struct usdt_sites {
	struct usdt_site *list; /* by provider, name, offset */
	size_t count;
};

/* The sites of PROVIDER:NAME, both wildcards as of file names; "*:*" lists all, "NAME" is of any
 * provider. -ENOENT when there are none; the error names the nearest. The names are in
 * the binary: sites are valid until binary_close(). */
int usdt_find(const struct binary *binary, const char *probe, struct usdt_sites *sites,
	      struct error *error);
void usdt_sites_free(struct usdt_sites *sites);

/* Reads a note's arguments for a processor (EM_X86_64, EM_AARCH64) with addresses of `word`
 * bytes. How many they are, those that cannot be read included; -EINVAL; -EOPNOTSUPP for another
 * processor. */
int usdt_parse(const char *text, uint16_t machine, uint8_t word,
	       struct usdt_argument arguments[USDT_ARGUMENTS], struct error *error);

#endif
