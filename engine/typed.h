/* SPDX-License-Identifier: Apache-2.0 */
/* Typed: a path over a program's types, as `args.sk.__sk_common.skc_dport` or `args.argv[0]`, made
 * into an access.
 *
 *   FUNC tcp_connect --typed_function()--> source: args.sk in slot 0, ret in slot 6
 *   source + path --typed_resolve()--> access (how to read it: typed_code.h), field (what it is)
 *
 * What the hook hands over stands in slots of 64 bits, of a function eight; from there on a path
 * leads through memory. Pointers are followed by themselves, members of anonymous structs and
 * unions count as their owner's, typedefs and qualifiers are looked through, and a number in
 * brackets is an element, counted from 0 as in C, of an array or of what a pointer points to. Of an
 * array none is read that it has not; what a pointer points to, and an array without a length, has
 * no end that is known.
 *
 * Paths may come from a worker and types from any file: both are read as if they were hostile.
 * Little-endian, 64-bit programs only, as all of the engine. */
#ifndef MOONPROBE_TYPED_H
#define MOONPROBE_TYPED_H

#include "error.h"
#include "schema.h"

#include <stdbool.h>
#include <stdint.h>

struct btf;

#define TYPED_SLOTS 12	       /* at most */
#define TYPED_ARGS 6	       /* of a function, in slots 0 to 5 */
#define TYPED_RET_SLOT 6       /* the slot of what a function returned */
#define TYPED_PATH 256	       /* bytes a path may have, its end included */
#define TYPED_DEPTH 16	       /* reads of memory, one after the other */
#define TYPED_TEXT_BYTES 256   /* of an array kept at most: its first ones */
#define TYPED_STRING_BYTES 64  /* room for what a `char *` points to, its end included */
#define TYPED_RAW_BYTES 128    /* room for what string.arg0 leads to */
#define TYPED_INDEX_MAX 0xffff /* of an element: farther lies nothing that one would name */

/* Where a path may begin. */
struct typed_root {
	const char *name; /* "args.sk", "ret"; "": a path begins with a member of it */
	uint32_t type;	  /* BTF id; 0: 64 bits nothing is known about */
	int slot;
	bool in_memory;	 /* it lies in kernel memory, at slots[slot] + offset, */
	uint32_t offset; /* else it is the value of the slot */
	bool is_context; /* in_memory: the slot is the program's context, which it may load from */
	bool is_dynamic; /* in_memory: text elsewhere in the record, see TYPED_DYNAMIC, */
	bool is_behind;	 /* whose distance counts from behind the root, not from the slot */
	const char
		*called; /* its type's name in the field, as "open_flags"; NULL: as the type says */
	const struct schema_value *values; /* the names of its numbers; NULL: as the type says */
	int value_count;
	const char *refused; /* why it cannot be read, as "is passed on the stack"; else NULL */
};

/* What a hook hands over. One may be put together by hand: then its roots are the caller's, and
 * typed_source_free() is not for it. */
struct typed_source {
	const struct btf *btf; /* the caller's; outlives the source and what is resolved with it */
	bool user;	       /* what pointers lead to is user memory */
	bool is_raw;	       /* slots 0 to 6 hold registers: string.arg0 to arg5, string.retval */
	int raw_arguments; /* of a raw one that is no function's: so many, and no result; else 0 */
	char name[128];	   /* the function or event, for errors */
	struct typed_root *roots;
	int root_count;
	struct btf *own; /* types that were made for it, freed with it; NULL: there are none */
};

/* The arguments and the result of the function that a FUNC describes. Six integers or pointers
 * come in registers; those after them, structs passed by value and what follows these are roots
 * that refuse, and say why. An argument without a name is args.N, from 1.
 * 0, -EINVAL with the reason (not a FUNC) or -ENOMEM. */
int typed_function(struct typed_source *source, const struct btf *btf, uint32_t func,
		   struct error *error);

/* The arguments of a raw tracepoint, args.NAME in slots 0 to 5; `name` as in sched_switch. Their
 * names are those of the kernel's own function that calls the probes (__traceiter_NAME, v5.10 on),
 * and numbers where there is none. -ENOENT: the BTF has no such tracepoint. */
int typed_raw_tracepoint(struct typed_source *source, const struct btf *btf, const char *name,
			 struct error *error);

/* The members of a struct that lies in kernel memory at slots[slot], as the record of a perf
 * tracepoint (trace_event_raw_NAME). A path is PREFIX.MEMBER; prefix "": MEMBER. */
int typed_struct(struct typed_source *source, const struct btf *btf, uint32_t type, int slot,
		 const char *prefix, struct error *error);

/* From now on `ret` is refused: a call has not returned yet. */
void typed_source_of_call(struct typed_source *source);

void typed_source_free(struct typed_source *source); /* all zeros are fine */

enum typed_result {
	TYPED_VALUE,  /* `access` and `field` are all there is to know */
	TYPED_STRUCT, /* of members: a path may go on. By pointer: see below */
	TYPED_ARRAY,  /* of what is no integer: a path may go on with an element */
};

enum typed_read {
	TYPED_NUMBER,  /* 1, 2, 4 or 8 bytes */
	TYPED_BITS,    /* a bitfield */
	TYPED_BYTES,   /* several bytes as they are */
	TYPED_TEXT,    /* up to a NUL or `bytes` - 1 */
	TYPED_STRING,  /* the same, by a pointer to what may also be user memory */
	TYPED_DYNAMIC, /* the same, at slots[slot] + low 16 bits of the 32 at at[0]; one step */
};

/* How to get at a value: at = slots[slot]; steps - 1 times at = *(at + at[i]), and what is at
 * at + at[steps - 1] is read. No steps: the value of the slot is it. */
struct typed_access {
	uint8_t slot;
	uint8_t steps;
	uint8_t shift, width; /* TYPED_BITS: the lowest bit, and how many */
	uint8_t unit_bytes;   /* TYPED_BITS: what is read to have them, 1 to 8 */
	bool is_signed;
	bool is_big_endian;	  /* a number: turned round */
	bool is_context;	  /* the slot is the program's context */
	bool is_behind;		  /* TYPED_DYNAMIC: + at[0] + 4 */
	enum typed_read read;	  /* the last step; no steps: TYPED_NUMBER */
	uint32_t bytes;		  /* of the value in the event */
	uint32_t align;		  /* which its offset there must be a multiple of */
	uint32_t user;		  /* bit i: at[i] leads into user memory */
	uint32_t at[TYPED_DEPTH]; /* bytes, less than 2^28 */
};

/* A path resolved. The field describes the value as schema.h does a probe's: its name is the path,
 * `offset` is 0 until the caller lays out an event, `doc` is "".
 *   integers, enums (with values), bool     as they are; a bitfield has its type's size
 *   __be16, __be32, __be64                  unsigned, in host order, type ""
 *   char[n]                                 text, n bytes at most; of char[]: TYPED_STRING_BYTES
 *   char *, unsigned char *                 text
 *   a dynamic root                          text
 *   arrays of integers (but of __be)        elements, those of the first 256 bytes
 *   struct in6_addr, or a pointer to one    struct "ip_address"
 *   other pointers                          unsigned, 8 bytes
 * Text ends in NUL: of a char[n] without one the last character is lost.
 * TYPED_STRUCT: by pointer they are the pointer's as a number; else field.bytes is 0. */
struct typed {
	enum typed_result result;
	struct typed_access access;
	struct schema_field field; /* names: this struct's, or the BTF's */
	struct schema_value *values;
	char path[TYPED_PATH];
};

/* Of a raw source also `string.arg0` and so on: text that an argument points to whose type is not
 * known, or is not told by it.
 * 0, or -errno and one line: -ENOENT: nothing of that name; -EINVAL: no path for what is there;
 * -EOPNOTSUPP: it is there, but cannot be read; -ENOMEM. */
int typed_resolve(struct typed **typed, const struct typed_source *source, const char *path,
		  struct error *error);
void typed_free(struct typed *typed); /* NULL is fine */

#endif
