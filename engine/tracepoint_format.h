/* SPDX-License-Identifier: Apache-2.0 */
/* Tracepoint format: the fields of a tracepoint's record, from its format file in tracefs.
 *
 *   field:__data_loc char[] filename;  offset:8;  size:4;  signed:0;
 *
 * The fields all records have (common_*) are left out, and so is what cannot be understood: a later
 * kernel may write what this one does not. */
#ifndef MOONPROBE_TRACEPOINT_FORMAT_H
#define MOONPROBE_TRACEPOINT_FORMAT_H

#include "error.h"
#include "schema.h"

#include <stdbool.h>
#include <stdint.h>

#define TRACEPOINT_NAME 64
#define TRACEPOINT_TYPE 96
#define TRACEPOINT_FIELDS 128
#define TRACEPOINT_RECORD 8192 /* bytes of a record at most (PERF_MAX_TRACE_SIZE) */
#define TRACEPOINT_VALUES 64   /* names of a field's numbers */

enum tracepoint_where {
	TRACEPOINT_HERE,
	TRACEPOINT_AT,	   /* __data_loc: 16 bits say where in the record */
	TRACEPOINT_BEHIND, /* __rel_loc: how far behind the field */
};

struct tracepoint_field {
	char name[TRACEPOINT_NAME];
	char type[TRACEPOINT_TYPE]; /* as in C, "const char *"; of an array: of one element */
	enum tracepoint_where where;
	bool is_array;
	bool is_signed;
	uint32_t offset, bytes;
	struct schema_value *values; /* where its numbers have names; NULL: nowhere */
	int value_count;
};

struct tracepoint_format {
	struct tracepoint_field *fields;
	int count;
};

/* 0, -EINVAL (it is no format file) or -ENOMEM, with the reason. */
int tracepoint_format_parse(struct tracepoint_format *format, const char *text,
			    struct error *error);

/* Leaves of `format` what `other` has as well, at the same place and of the same type. */
void tracepoint_format_share(struct tracepoint_format *format,
			     const struct tracepoint_format *other);

void tracepoint_format_free(struct tracepoint_format *format); /* all zeros are fine */

#endif
