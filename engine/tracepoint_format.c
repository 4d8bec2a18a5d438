// SPDX-License-Identifier: Apache-2.0
#include "tracepoint_format.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* Cuts blanks off its end. */
static void trim(char *text)
{
	size_t length = strlen(text);

	while (length && isspace((unsigned char)text[length - 1]))
		text[--length] = 0;
}

/* Takes a word and the blanks behind it off the start. */
static bool take_word(char *text, const char *word)
{
	size_t length = strlen(word);

	if (strncmp(text, word, length) || !isspace((unsigned char)text[length]))
		return false;
	length += strspn(text + length, " \t");
	memmove(text, text + length, strlen(text + length) + 1);
	return true;
}

/* Takes "[16]" off the end. */
static bool take_brackets(char *text)
{
	char *open = strrchr(text, '[');

	if (!open || text[strlen(text) - 1] != ']')
		return false;
	*open = 0;
	trim(text);
	return true;
}

/* "const char * filename", "__data_loc char[] name": the name is the last word. */
static bool parse_declaration(struct tracepoint_field *field, char *text)
{
	size_t start, end;

	trim(text);
	if (take_word(text, "__data_loc"))
		field->where = TRACEPOINT_AT;
	else if (take_word(text, "__rel_loc"))
		field->where = TRACEPOINT_BEHIND;
	field->is_array = take_brackets(text);
	end = start = strlen(text);
	while (start && is_word(text[start - 1]))
		start--;
	if (start == end || !start || end - start >= TRACEPOINT_NAME ||
	    isdigit((unsigned char)text[start]))
		return false;
	memcpy(field->name, text + start, end - start + 1);
	text[start] = 0;
	trim(text);
	field->is_array |= take_brackets(text);
	if (!*text || strlen(text) >= TRACEPOINT_TYPE)
		return false;
	strcpy(field->type, text);
	return true;
}

/* What is behind "field:" in a line. False: not understood, or of no use. */
static bool parse_field(struct tracepoint_field *field, const char *line, size_t length)
{
	char text[512], *rest;
	int is_signed;

	if (length >= sizeof(text))
		return false;
	memcpy(text, line, length);
	text[length] = 0;
	*field = (struct tracepoint_field){0};
	rest = strchr(text, ';');
	if (!rest)
		return false;
	*rest++ = 0;
	if (sscanf(rest, " offset:%u; size:%u; signed:%d;", &field->offset, &field->bytes,
		   &is_signed) != 3)
		return false;
	field->is_signed = is_signed;
	return parse_declaration(field, text) && strncmp(field->name, "common_", 7) &&
	       field->bytes && field->bytes <= TRACEPOINT_RECORD &&
	       field->offset <= TRACEPOINT_RECORD - field->bytes &&
	       (field->where == TRACEPOINT_HERE || field->bytes == sizeof(uint32_t));
}

/* "{ 1, "TCP_ESTABLISHED" }": past it, NULL when there is none. A number that is no number but a
 * name of the kernel's leaves `name` NULL. */
static const char *parse_value(const char *at, int64_t *value, const char **name, int *length)
{
	const char *quote;
	char *end;

	at += strspn(at, " ,\t");
	if (*at != '{')
		return NULL;
	at++;
	errno = 0;
	*value = strtoll(at, &end, 0);
	quote = strchr(at, '"');
	*name = NULL;
	if (!quote)
		return NULL;
	*length = strcspn(quote + 1, "\"");
	end += strspn(end, "ULul");
	if (!errno && end > at && *end == ',' && end + 1 + strspn(end + 1, " ") == quote)
		*name = quote + 1;
	at = quote + 1 + *length;
	return *at ? strchr(at, '}') : NULL;
}

static void add_value(struct tracepoint_field *field, int64_t value, const char *name, int length)
{
	struct schema_value *values;

	for (int i = 0; i < field->value_count; i++)
		if (field->values[i].value == value)
			return;
	values = reallocarray(field->values, field->value_count + 1, sizeof(*values));
	if (!values)
		return;
	field->values = values;
	values[field->value_count].value = value;
	values[field->value_count].name = strndup(name, length);
	field->value_count += values[field->value_count].name != NULL;
}

/* What the kernel prints for a field's numbers: __print_symbolic(REC->newstate, { 1, "NAME" }..).
 */
static void find_values(struct tracepoint_field *field, const char *print)
{
	static const char call[] = "__print_symbolic(REC->";
	size_t length = strlen(field->name);
	const char *at = print, *name;
	int64_t value;
	int bytes;

	while ((at = strstr(at, call))) {
		at += sizeof(call) - 1;
		if (strncmp(at, field->name, length) || at[length] != ',')
			continue;
		at += length;
		while (field->value_count < TRACEPOINT_VALUES &&
		       (at = parse_value(at, &value, &name, &bytes))) {
			at++;
			if (name && bytes)
				add_value(field, value, name, bytes);
		}
		return;
	}
}

int tracepoint_format_parse(struct tracepoint_format *format, const char *text, struct error *error)
{
	const char *line = strstr(text, "format:\n"), *print;

	*format = (struct tracepoint_format){0};
	if (!line)
		return error_set(error, -EINVAL, "not the format of a tracepoint");
	format->fields = calloc(TRACEPOINT_FIELDS, sizeof(*format->fields));
	if (!format->fields)
		return error_set(error, -ENOMEM, "no memory");
	for (; *line && format->count < TRACEPOINT_FIELDS; line += *line == '\n') {
		size_t length = strcspn(line, "\n"), skip = strspn(line, " \t");

		if (!strncmp(line + skip, "field:", 6) &&
		    parse_field(&format->fields[format->count], line + skip + 6, length - skip - 6))
			format->count++;
		line += length;
	}
	print = strstr(text, "\nprint fmt:");
	for (int i = 0; print && i < format->count; i++)
		if (!format->fields[i].is_array && format->fields[i].where == TRACEPOINT_HERE)
			find_values(&format->fields[i], print);
	return 0;
}

static void free_values(struct tracepoint_field *field)
{
	for (int i = 0; i < field->value_count; i++)
		free((void *)field->values[i].name);
	free(field->values);
	field->values = NULL;
	field->value_count = 0;
}

static bool has(const struct tracepoint_format *format, const struct tracepoint_field *field)
{
	for (int i = 0; i < format->count; i++) {
		const struct tracepoint_field *one = &format->fields[i];

		if (!strcmp(one->name, field->name))
			return !strcmp(one->type, field->type) && one->where == field->where &&
			       one->is_array == field->is_array && one->offset == field->offset &&
			       one->bytes == field->bytes;
	}
	return false;
}

void tracepoint_format_share(struct tracepoint_format *format,
			     const struct tracepoint_format *other)
{
	int kept = 0;

	for (int i = 0; i < format->count; i++) {
		if (has(other, &format->fields[i]))
			format->fields[kept++] = format->fields[i];
		else
			free_values(&format->fields[i]);
	}
	format->count = kept;
}

void tracepoint_format_free(struct tracepoint_format *format)
{
	for (int i = 0; i < format->count; i++)
		free_values(&format->fields[i]);
	free(format->fields);
	*format = (struct tracepoint_format){0};
}
