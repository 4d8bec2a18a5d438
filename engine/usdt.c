// SPDX-License-Identifier: Apache-2.0
#include "usdt.h"

#include "binary.h"
#include "nearest.h"

#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOTES_BYTES (64u << 20)
#define SITES_MOST 1000000
#define NOTE_TYPE 3 /* _SDT_NOTE_TYPE */

/* Where struct pt_regs of x86-64 has what: r15 first. */
static const struct x86_register {
	const char *names[5]; /* 8, 4, 2, 1 bytes, and the second byte */
	int16_t at;
} x86_registers[] = {
	{{"r15", "r15d", "r15w", "r15b"}, 0},	{{"r14", "r14d", "r14w", "r14b"}, 8},
	{{"r13", "r13d", "r13w", "r13b"}, 16},	{{"r12", "r12d", "r12w", "r12b"}, 24},
	{{"rbp", "ebp", "bp", "bpl"}, 32},	{{"rbx", "ebx", "bx", "bl", "bh"}, 40},
	{{"r11", "r11d", "r11w", "r11b"}, 48},	{{"r10", "r10d", "r10w", "r10b"}, 56},
	{{"r9", "r9d", "r9w", "r9b"}, 64},	{{"r8", "r8d", "r8w", "r8b"}, 72},
	{{"rax", "eax", "ax", "al", "ah"}, 80}, {{"rcx", "ecx", "cx", "cl", "ch"}, 88},
	{{"rdx", "edx", "dx", "dl", "dh"}, 96}, {{"rsi", "esi", "si", "sil"}, 104},
	{{"rdi", "edi", "di", "dil"}, 112},	{{"rsp", "esp", "sp", "spl"}, 152},
};

static void skip_spaces(const char **at)
{
	while (**at == ' ' || **at == '\t')
		(*at)++;
}

static bool accept(const char **at, char wanted)
{
	if (**at != wanted)
		return false;
	(*at)++;
	return true;
}

/* -12, 0x10, and what a compiler leaves to the assembler: 16+8. */
static bool accept_number(const char **at, int64_t *value)
{
	bool any = false;

	*value = 0;
	while (isdigit((unsigned char)**at) ||
	       ((**at == '-' || **at == '+') && isdigit((unsigned char)(*at)[1]))) {
		bool minus = **at == '-';
		uint64_t part;
		char *end;

		if (**at == '-' || **at == '+')
			(*at)++;
		errno = 0;
		part = strtoull(*at, &end, 0);
		if (errno)
			return false;
		*at = end;
		*value = (int64_t)((uint64_t)*value + (minus ? -part : part));
		any = true;
	}
	return any;
}

/* A word of letters, digits and what else is in names. */
static size_t word_length(const char *at)
{
	size_t length = 0;

	while (isalnum((unsigned char)at[length]) || at[length] == '_' || at[length] == '.')
		length++;
	return length;
}

static bool is_word(const char *word, size_t length, const char *wanted)
{
	return wanted && strlen(wanted) == length && !memcmp(word, wanted, length);
}

/* "%rax". -EOPNOTSUPP: another register than those of integers. */
static int x86_register(const char **at, int16_t *offset, uint8_t *shift)
{
	size_t length;

	if (!accept(at, '%'))
		return -EINVAL;
	length = word_length(*at);
	for (size_t i = 0; i < sizeof(x86_registers) / sizeof(*x86_registers); i++)
		for (int j = 0; j < 5; j++)
			if (is_word(*at, length, x86_registers[i].names[j])) {
				*offset = x86_registers[i].at;
				*shift = j == 4 ? 8 : 0;
				*at += length;
				return 0;
			}
	return length ? -EOPNOTSUPP : -EINVAL;
}

/* "(%rax,%rbx,4)"; each part may be missing. */
static int x86_memory(const char **at, struct usdt_argument *argument)
{
	uint8_t shift = 0;
	int64_t scale;
	int err;

	argument->kind = USDT_MEMORY;
	argument->scale = 1;
	if (**at == '%') {
		err = x86_register(at, &argument->base, &shift);
		/* Of %rip it is only right with what the linker would have put before it. */
		if (err || shift)
			return err ? err : -EINVAL;
	}
	if (accept(at, ',')) {
		err = x86_register(at, &argument->index, &shift);
		if (err || shift)
			return err ? err : -EINVAL;
		if (accept(at, ',')) {
			if (!accept_number(at, &scale) ||
			    (scale != 1 && scale != 2 && scale != 4 && scale != 8))
				return -EINVAL;
			argument->scale = scale;
		}
	}
	if (argument->base == USDT_NO_REGISTER && argument->index == USDT_NO_REGISTER)
		return -EINVAL;
	return accept(at, ')') ? 0 : -EINVAL;
}

static int x86_argument(const char **at, struct usdt_argument *argument)
{
	bool number;

	if (accept(at, '$')) {
		argument->kind = USDT_CONSTANT;
		if (accept_number(at, &argument->value))
			return 0;
		return word_length(*at) ? -EOPNOTSUPP : -EINVAL; /* $symbol */
	}
	if (**at == '%') {
		argument->kind = USDT_REGISTER;
		return x86_register(at, &argument->base, &argument->shift);
	}
	number = accept_number(at, &argument->value);
	if (accept(at, '('))
		return x86_memory(at, argument);
	/* foo(%rip), foo+4, %fs:16 */
	return number || !word_length(*at) ? -EINVAL : -EOPNOTSUPP;
}

/* x0, w0, sp. The zero register has no place: USDT_NO_REGISTER. */
static int arm64_register(const char **at, int16_t *offset)
{
	size_t length = word_length(*at);
	const char *word = *at;
	char *end;
	long number;

	*at += length;
	if (is_word(word, length, "sp") || is_word(word, length, "wsp")) {
		*offset = 31 * 8;
		return 0;
	}
	if (is_word(word, length, "xzr") || is_word(word, length, "wzr")) {
		*offset = USDT_NO_REGISTER;
		return 0;
	}
	if ((*word != 'x' && *word != 'w') || !isdigit((unsigned char)word[1]))
		return length ? -EOPNOTSUPP : -EINVAL;
	number = strtol(word + 1, &end, 10);
	if (end != word + length || number > 30)
		return -EINVAL;
	*offset = (int16_t)(8 * number);
	return 0;
}

/* "sp, 16]", "x0]", "x0, x1, lsl 3]" */
static int arm64_memory(const char **at, struct usdt_argument *argument)
{
	int64_t shift;
	int err;

	argument->kind = USDT_MEMORY;
	argument->scale = 1;
	skip_spaces(at);
	err = arm64_register(at, &argument->base);
	if (err)
		return err;
	if (argument->base == USDT_NO_REGISTER)
		return -EINVAL;
	skip_spaces(at);
	if (accept(at, ',')) {
		skip_spaces(at);
		accept(at, '#');
		if (!accept_number(at, &argument->value)) {
			err = arm64_register(at, &argument->index);
			if (err)
				return err;
			skip_spaces(at);
			if (accept(at, ',')) {
				skip_spaces(at);
				/* A 32-bit index that is extended first has no place in ours. */
				if (strncmp(*at, "lsl", 3))
					return -EOPNOTSUPP;
				*at += 3;
				skip_spaces(at);
				accept(at, '#');
				if (!accept_number(at, &shift) || shift < 0 || shift > 4)
					return -EINVAL;
				argument->scale = 1 << shift;
			}
		}
	}
	skip_spaces(at);
	return accept(at, ']') ? 0 : -EINVAL;
}

static int arm64_argument(const char **at, struct usdt_argument *argument)
{
	int err;

	if (accept(at, '['))
		return arm64_memory(at, argument);
	accept(at, '#');
	argument->kind = USDT_CONSTANT;
	if (accept_number(at, &argument->value))
		return 0;
	argument->kind = USDT_REGISTER;
	err = arm64_register(at, &argument->base);
	if (!err && argument->base == USDT_NO_REGISTER)
		argument->kind = USDT_CONSTANT; /* 0 */
	return err;
}

/* "-4@": 4 bytes, signed. "4f@" is floating point. */
static int read_size(const char **at, uint8_t word, struct usdt_argument *argument)
{
	const char *sign = strchr(*at, '@'), *space = strpbrk(*at, " \t");
	int64_t bytes;

	if (!sign || (space && space < sign)) { /* the assembler did not know it */
		argument->bytes = word;
		return 0;
	}
	if (!accept_number(at, &bytes))
		return -EINVAL;
	if (**at == 'f')
		return -EOPNOTSUPP;
	argument->is_signed = bytes < 0;
	bytes = bytes < 0 ? -bytes : bytes;
	if (bytes != 1 && bytes != 2 && bytes != 4 && bytes != 8)
		return bytes == 16 || bytes == 32 ? -EOPNOTSUPP : -EINVAL;
	argument->bytes = bytes;
	return accept(at, '@') ? 0 : -EINVAL;
}

/* Where one that is not understood ends: those of arm64 have spaces between brackets. */
static const char *after_operand(const char *at)
{
	size_t length = strcspn(at, " \t[");

	if (at[length] == '[')
		length += strcspn(at + length, "]");
	return at + length + strcspn(at + length, " \t");
}

int usdt_parse(const char *text, uint16_t machine, uint8_t word,
	       struct usdt_argument arguments[USDT_ARGUMENTS], struct error *error)
{
	const char *at = text;
	int count = 0;

	if (machine != EM_X86_64 && machine != EM_386 && machine != EM_AARCH64)
		return error_set(error, -EOPNOTSUPP,
				 "arguments of USDT probes are read on x86-64 and arm64 only");
	for (skip_spaces(&at); *at; skip_spaces(&at)) {
		struct usdt_argument argument = {.base = USDT_NO_REGISTER,
						 .index = USDT_NO_REGISTER};
		const char *start = at;
		int err, length;

		if (count == USDT_ARGUMENTS)
			return error_set(error, -EINVAL, "more than %d arguments: %s",
					 USDT_ARGUMENTS, text);
		err = read_size(&at, word, &argument);
		if (!err)
			err = machine == EM_AARCH64 ? arm64_argument(&at, &argument)
						    : x86_argument(&at, &argument);
		if (!err && *at && *at != ' ' && *at != '\t')
			err = -EINVAL;
		length = (int)strcspn(start, " \t");
		if (err == -EOPNOTSUPP) {
			at = after_operand(start);
			argument.kind = USDT_UNREADABLE;
		} else if (err) {
			return error_set(error, err, "argument %d, %.*s, is not understood", count,
					 length, start);
		}
		arguments[count++] = argument;
	}
	return count;
}

/* The notes, read in the byte order of the machine that reads them. */
struct notes {
	const struct binary *binary;
	const unsigned char *bytes;
	size_t size;
	uint64_t base; /* where .stapsdt.base is now; 0: the section is not there */
};

static uint64_t word_at(const struct notes *notes, size_t at)
{
	uint64_t wide;
	uint32_t narrow;

	if (notes->binary->word == 8) {
		memcpy(&wide, notes->bytes + at, sizeof(wide));
		return wide;
	}
	memcpy(&narrow, notes->bytes + at, sizeof(narrow));
	return narrow;
}

/* The string at *at, before `end`; *at goes past it. */
static const char *string_at(const struct notes *notes, size_t *at, size_t end)
{
	const char *string = (const char *)notes->bytes + *at;
	size_t length = strnlen(string, end - *at);

	if (length == end - *at)
		return NULL;
	*at += length + 1;
	return string;
}

/* A note's description: three words (nop, base, semaphore) and three strings. */
static int read_site(const struct notes *notes, size_t at, size_t end, struct usdt_site *site)
{
	size_t strings = at + 3 * (size_t)notes->binary->word;
	uint64_t address, base, semaphore;
	struct error error;

	if (strings > end)
		return -EINVAL;
	address = word_at(notes, at);
	base = word_at(notes, at + notes->binary->word);
	semaphore = word_at(notes, at + 2 * (size_t)notes->binary->word);
	site->provider = string_at(notes, &strings, end);
	site->name = site->provider ? string_at(notes, &strings, end) : NULL;
	site->text = site->name ? string_at(notes, &strings, end) : NULL;
	if (!site->text)
		return -EINVAL;
	/* prelink(8) has moved the code but does not know notes. */
	if (notes->base && base) {
		address += notes->base - base;
		semaphore += semaphore ? notes->base - base : 0;
	}
	if (binary_offset_of(notes->binary, address, &site->offset))
		return -EINVAL;
	site->semaphore = 0;
	if (semaphore && binary_offset_of(notes->binary, semaphore, &site->semaphore))
		return -EINVAL;
	site->argument_count = usdt_parse(site->text, notes->binary->machine, notes->binary->word,
					  site->arguments, &error);
	return 0;
}

/* Finds the next of our notes from *at on: true, and where its description is. */
static bool next_note(const struct notes *notes, size_t *at, size_t *start, size_t *end)
{
	while (notes->size - *at >= 12) {
		uint32_t head[3]; /* bytes of name, of description, type */
		size_t name = *at + 12, description;

		memcpy(head, notes->bytes + *at, sizeof(head));
		description = name + (((size_t)head[0] + 3) & ~(size_t)3);
		if (head[0] > notes->size - name || description > notes->size ||
		    head[1] > notes->size - description)
			return false;
		*start = description;
		*end = description + head[1];
		*at = (*end + 3) & ~(size_t)3;
		if (*at > notes->size)
			*at = notes->size;
		if (head[2] == NOTE_TYPE && head[0] == 8 &&
		    !memcmp(notes->bytes + name, "stapsdt", 8))
			return true;
	}
	return false;
}

static int by_name(const void *a, const void *b)
{
	const struct usdt_site *left = a, *right = b;
	int order = strcmp(left->provider, right->provider);

	order = order ? order : strcmp(left->name, right->name);
	if (order || left->offset == right->offset)
		return order;
	return left->offset < right->offset ? -1 : 1;
}

/* What is asked for, cut at its colon. */
struct wanted {
	char provider[256], name[256];
};

static int parse_wanted(const char *probe, struct wanted *wanted)
{
	const char *colon = strchr(probe, ':'), *name = colon ? colon + 1 : probe;
	size_t length = colon ? (size_t)(colon - probe) : 0;

	if (!*name || strlen(name) >= sizeof(wanted->name) || length >= sizeof(wanted->provider))
		return -EINVAL;
	strcpy(wanted->name, name);
	memcpy(wanted->provider, probe, length);
	wanted->provider[length] = 0;
	if (!length)
		strcpy(wanted->provider, "*");
	return 0;
}

static bool is_wanted(const struct wanted *wanted, const struct usdt_site *site)
{
	/* Longer names are nobody's, and fnmatch() would take long. */
	return strnlen(site->provider, 256) < 256 && strnlen(site->name, 256) < 256 &&
	       !fnmatch(wanted->provider, site->provider, 0) &&
	       !fnmatch(wanted->name, site->name, 0);
}

static int add(struct usdt_sites *sites, const struct usdt_site *site)
{
	/* Room is there for any power of two. */
	if (!(sites->count & (sites->count - 1))) {
		size_t room = sites->count ? 2 * sites->count : 1;
		struct usdt_site *larger = realloc(sites->list, room * sizeof(*larger));

		if (!larger)
			return -ENOMEM;
		sites->list = larger;
	}
	sites->list[sites->count++] = *site;
	return 0;
}

static void sort_each_once(struct usdt_sites *sites)
{
	size_t kept = 0;

	if (sites->count)
		qsort(sites->list, sites->count, sizeof(*sites->list), by_name);
	for (size_t i = 0; i < sites->count; i++)
		if (!kept || by_name(&sites->list[kept - 1], &sites->list[i]))
			sites->list[kept++] = sites->list[i];
	sites->count = kept;
}

int usdt_find(const struct binary *binary, const char *probe, struct usdt_sites *sites,
	      struct error *error)
{
	struct notes notes = {.binary = binary};
	size_t at = 0, start, end, base_bytes, seen = 0;
	struct nearest nearest;
	struct wanted wanted;
	uint64_t address;
	int err = 0;

	memset(sites, 0, sizeof(*sites));
	if (parse_wanted(probe, &wanted))
		return error_set(error, -EINVAL, "'%s' is no PROVIDER:NAME", probe);
	notes.bytes = binary_section(binary, ".note.stapsdt", NOTES_BYTES, &notes.size, &address);
	if (!notes.bytes)
		return error_set(error, -ENOENT, "%s has no USDT probes", binary->path);
	notes.base = 0;
	binary_section(binary, ".stapsdt.base", NOTES_BYTES, &base_bytes, &notes.base);
	nearest_start(&nearest, strchr(probe, ':') ? probe : wanted.name);
	while (!err && seen < SITES_MOST && next_note(&notes, &at, &start, &end)) {
		struct usdt_site site;
		char name[NEAREST_NAME];

		if (read_site(&notes, start, end, &site))
			continue;
		seen++;
		snprintf(name, sizeof(name), "%s:%s", site.provider, site.name);
		nearest_offer(&nearest, strchr(probe, ':') ? name : site.name);
		if (is_wanted(&wanted, &site))
			err = add(sites, &site);
	}
	if (err) {
		usdt_sites_free(sites);
		return error_set(error, err, "%s: out of memory", binary->path);
	}
	sort_each_once(sites);
	if (sites->count)
		return 0;
	usdt_sites_free(sites);
	return error_set(error, -ENOENT, "%s has no USDT probe %s%s%s%s", binary->path, probe,
			 *nearest_name(&nearest) ? "; did you mean " : "", nearest_name(&nearest),
			 *nearest_name(&nearest) ? "?" : "");
}

void usdt_sites_free(struct usdt_sites *sites)
{
	free(sites->list);
	memset(sites, 0, sizeof(*sites));
}
