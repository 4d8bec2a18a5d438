/* SPDX-License-Identifier: Apache-2.0 */
/* Schema: what a probe is, read from its object's BTF.
 *
 *   bpf/probes/NAME.bpf.c --clang--> BTF --schema_open()--> about, fields, knobs, programs
 *
 * The event struct is the argument of the function stage_early; docs are decl tags
 * (bpf/include/moonprobe.bpf.h). So the C file and everything that shows or reads its
 * events cannot drift apart. Strings live as long as the schema. */
#ifndef MOONPROBE_SCHEMA_H
#define MOONPROBE_SCHEMA_H

#include "error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bpf_map;
struct bpf_object;
struct btf;

struct schema_value { /* of an enum */
	const char *name;
	int64_t value;
};

enum schema_kind {
	SCHEMA_UNSIGNED = 'u',
	SCHEMA_SIGNED = 'i',
	SCHEMA_BOOL = 'b',
	SCHEMA_TEXT = 'c',   /* char array */
	SCHEMA_STRUCT = 's', /* opaque to the schema; Lua knows it by type */
};

struct schema_field {
	const char *name;
	enum schema_kind kind;
	uint32_t offset;	/* from the start of the event, in bytes */
	uint32_t bytes;		/* whole field */
	uint32_t element_bytes; /* of one element */
	uint32_t elements;	/* 0: not an array (text counts as none) */
	const char *type;	/* name of its typedef, enum or struct, else "" */
	const char *doc;	/* "" when it has none */
	const struct schema_value *values;
	int value_count;
	bool switchable; /* has a FIELD_SWITCH or FIELD_LATE: left out when nobody reads it */
	bool late;	 /* FIELD_LATE: filled between the stages, the others before them */
};

struct schema_knob {
	const char *name;
	const char *doc;
	enum schema_kind kind;
	uint32_t offset; /* in .rodata */
	uint32_t bytes;
	double preset; /* its default; for text see preset_text */
	const char *preset_text;
};

struct schema_program {
	const char *name;
	const char *section;   /* without the leading `?` */
	bool optional;	       /* left out where the kernel lacks the hook */
	const char *only_with; /* knob that must not be 0, or NULL */
};

struct schema {
	char name[64];
	const char *about;
	const char *blind; /* what it cannot see */
	uint32_t event_bytes;
	struct schema_field *fields;
	int field_count;
	struct schema_knob *knobs;
	int knob_count;
	struct schema_program *programs;
	int program_count;
	struct bpf_object *object; /* opened, not loaded */
	struct schema_value *values;
	int value_count;
};

/* Opens and reads an object. 0 or -errno with the reason. */
int schema_open(struct schema **schema, const char *name, const void *bytes, size_t size,
		struct error *error);
void schema_close(struct schema *schema); /* NULL is fine */

const struct schema_field *schema_field(const struct schema *schema, const char *name);
const struct schema_knob *schema_knob(const struct schema *schema, const char *name);

/* "ns" for latency_ns, "bytes" for sent_bytes, "" when the name has no unit. */
const char *schema_unit(const char *field_name);

/* The map of its constants; NULL when it has none. */
struct bpf_map *schema_rodata_map(const struct bpf_object *object);

/* Where a rodata variable lies: offset in .rodata, or -ENOENT. */
int schema_rodata(const struct bpf_object *object, const char *variable, uint32_t *offset,
		  uint32_t *bytes);

#endif
