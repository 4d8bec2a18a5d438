// SPDX-License-Identifier: Apache-2.0
#include "tracepoint_types.h"

#include "argument_types.h"

#include <bpf/btf.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IPV6_BYTES 16

static const char unknown[] = "has a type that this kernel's BTF does not have";
static const char is_list[] = "is a list whose length changes, which cannot be read";
static const char not_there[] = "is no part of what a program gets";

/* A type as C writes it. */
struct spelled {
	char name[TRACEPOINT_TYPE]; /* without struct and the like */
	int kind;		    /* BTF_KIND_ of struct, union, enum; else UNKN */
	int stars;
	int longs;
	bool is_short, is_unsigned, is_signed, is_char, is_integer;
};

static bool is_one_of(const char *word, const char *const *words)
{
	while (*words && strcmp(*words, word))
		words++;
	return *words;
}

static bool take_one(struct spelled *spelled, const char *word)
{
	static const char *const nothing[] = {
		"const",   "volatile", "restrict", "__restrict", "__user",   "__kernel",  "__rcu",
		"__iomem", "__percpu", "__force",  "__seg_gs",	 "__seg_fs", "__bitwise", NULL};
	static const char *const integers[] = {"unsigned", "signed", "long", "short",
					       "int",	   "char",   NULL};

	if (is_one_of(word, nothing))
		return true;
	if (is_one_of(word, integers)) {
		spelled->is_integer = true;
		spelled->longs += !strcmp(word, "long");
		spelled->is_unsigned |= !strcmp(word, "unsigned");
		spelled->is_signed |= !strcmp(word, "signed");
		spelled->is_short |= !strcmp(word, "short");
		spelled->is_char |= !strcmp(word, "char");
		return true;
	}
	if (!strcmp(word, "struct"))
		spelled->kind = BTF_KIND_STRUCT;
	else if (!strcmp(word, "union"))
		spelled->kind = BTF_KIND_UNION;
	else if (!strcmp(word, "enum"))
		spelled->kind = BTF_KIND_ENUM;
	else if (*spelled->name)
		return false;
	else
		strcpy(spelled->name, word);
	return true;
}

/* false: it is more than names and stars. */
static bool spell(struct spelled *spelled, const char *text)
{
	*spelled = (struct spelled){0};
	while (*text) {
		char word[TRACEPOINT_TYPE];
		size_t length = 0;

		while (isalnum((unsigned char)text[length]) || text[length] == '_')
			length++;
		if (!length) {
			if (*text == '*')
				spelled->stars++;
			else if (!isspace((unsigned char)*text))
				return false;
			text++;
			continue;
		}
		memcpy(word, text, length);
		word[length] = 0;
		text += length;
		if (!take_one(spelled, word))
			return false;
	}
	return spelled->is_integer != (*spelled->name != 0) && spelled->stars < 4;
}

struct maker {
	struct btf *kernel; /* NULL: it has none */
	struct btf *own;
	bool is_call;
};

static int find_named(const struct maker *maker, const char *name, int kind)
{
	int id = maker->kernel ? btf__find_by_name_kind(maker->kernel, name, kind) : -ENOENT;

	return id > 0 ? id : 0;
}

/* An integer, as gcc or clang calls it in BTF. */
static int find_integer(const struct maker *maker, bool is_signed, uint32_t bytes)
{
	static const char *const names[][2][2] = {
		[1] = {{"unsigned char", "unsigned char"}, {"signed char", "signed char"}},
		[2] = {{"short unsigned int", "unsigned short"}, {"short int", "short"}},
		[4] = {{"unsigned int", "unsigned int"}, {"int", "int"}},
		[8] = {{"long unsigned int", "unsigned long"}, {"long int", "long"}},
	};
	int id;

	if (bytes >= sizeof(names) / sizeof(*names) || !names[bytes][0][0])
		return 0;
	id = find_named(maker, names[bytes][is_signed][0], BTF_KIND_INT);
	if (!id)
		id = find_named(maker, names[bytes][is_signed][1], BTF_KIND_INT);
	/* A kernel without BTF, or one that has no such number. */
	if (!id)
		id = btf__add_int(maker->own, names[bytes][is_signed][0], bytes,
				  is_signed ? BTF_INT_SIGNED : 0);
	return id > 0 ? id : 0;
}

static int find_base(const struct maker *maker, const struct spelled *spelled)
{
	int id;

	if (spelled->is_char && !spelled->is_unsigned && !spelled->is_signed) {
		id = find_named(maker, "char", BTF_KIND_INT);
		return id ? id : btf__add_int(maker->own, "char", 1, BTF_INT_SIGNED);
	}
	if (spelled->is_integer)
		return find_integer(maker, !spelled->is_unsigned,
				    spelled->is_char	? 1
				    : spelled->is_short ? 2
				    : spelled->longs	? 8
							: 4);
	if (spelled->kind == BTF_KIND_ENUM) {
		id = find_named(maker, spelled->name, BTF_KIND_ENUM);
		return id ? id : find_named(maker, spelled->name, BTF_KIND_ENUM64);
	}
	if (spelled->kind)
		return find_named(maker, spelled->name, spelled->kind);
	return find_named(maker, spelled->name, BTF_KIND_TYPEDEF);
}

/* The type that C's text means, 0: not known. */
static int find_type(const struct maker *maker, const char *text)
{
	struct spelled spelled;
	int id;

	if (!spell(&spelled, text))
		return 0;
	id = find_base(maker, &spelled);
	if (id <= 0 && !spelled.stars)
		return 0;
	/* A pointer to what nobody knows is one to void: an address. */
	id = id > 0 ? id : 0;
	for (int i = 0; i < spelled.stars && id >= 0; i++)
		id = btf__add_ptr(maker->own, id);
	return id > 0 ? id : 0;
}

/* IPv6 addresses are arrays by their type, and addresses by their name. */
static bool is_address(const struct tracepoint_field *field)
{
	size_t length = strlen(field->name);

	return field->is_array && field->bytes == IPV6_BYTES && length > 3 &&
	       !strcmp(field->name + length - 3, "_v6");
}

static int array_type(const struct maker *maker, const struct tracepoint_field *field, int element)
{
	int64_t bytes = element ? btf__resolve_size(maker->own, element) : 0;
	int id = is_address(field) ? find_named(maker, "in6_addr", BTF_KIND_STRUCT) : 0;

	if (id)
		return id;
	if (bytes <= 0 || field->bytes % bytes)
		return 0;
	/* (The type of its index is any integer.) */
	id = btf__add_array(maker->own, element, element, field->bytes / bytes);
	return id > 0 ? id : 0;
}

static void set_type(const struct maker *maker, struct typed_root *root,
		     const struct tracepoint_field *field)
{
	int id = find_type(maker, field->type);
	int64_t bytes;

	if (field->is_array) {
		root->type = array_type(maker, field, id);
	} else {
		bytes = id ? btf__resolve_size(maker->own, id) : 0;
		/* A system call has words of 64 bits, of which it takes as many as its type has. */
		if (bytes > 0 &&
		    (bytes == field->bytes || (maker->is_call && bytes < field->bytes)))
			root->type = id;
		else
			root->type = find_integer(maker, field->is_signed, field->bytes);
	}
	if (!root->type)
		root->refused = unknown;
}

static void set_dynamic(const struct maker *maker, struct typed_root *root,
			const struct tracepoint_field *field)
{
	root->is_dynamic = true;
	root->is_behind = field->where == TRACEPOINT_BEHIND;
	if (maker->is_call) /* perf hands over the arguments and nothing else */
		root->refused = not_there;
	else if (strcmp(field->type, "char"))
		root->refused = is_list;
}

static int add(struct typed_source *source, const char *name, const char *suffix,
	       const struct typed_root *like)
{
	struct typed_root *root = &source->roots[source->root_count];
	char *text;

	if (asprintf(&text, "args.%s%s", name, suffix) < 0)
		return -ENOMEM;
	*root = *like;
	root->name = text;
	source->root_count++;
	return 0;
}

static bool has_field(const struct tracepoint_format *format, const char *name, const char *suffix)
{
	char whole[TRACEPOINT_NAME + 8];

	snprintf(whole, sizeof(whole), "%s%s", name, suffix);
	for (int i = 0; i < format->count; i++)
		if (!strcmp(format->fields[i].name, whole))
			return true;
	return false;
}

static int add_field(const struct maker *maker, struct typed_source *source,
		     const struct tracepoint_format *format, int index, const char *called)
{
	static const char bits[] = "_bits";
	const struct tracepoint_field *field = &format->fields[index];
	struct typed_root root = {.in_memory = true,
				  .is_context = true,
				  .offset = field->offset,
				  .values = field->values,
				  .value_count = field->value_count};
	int err;

	if (field->where == TRACEPOINT_HERE)
		set_type(maker, &root, field);
	else
		set_dynamic(maker, &root, field);
	if (called && argument_is_bits(called) && !has_field(format, field->name, bits)) {
		err = add(source, field->name, bits, &root);
		if (err)
			return err;
	}
	root.called = called;
	return add(source, field->name, "", &root);
}

int typed_tracepoint(struct typed_source *source, struct btf *kernel,
		     const struct tracepoint_format *format, const char *category,
		     const char *event, struct error *error)
{
	struct maker maker = {.kernel = kernel, .is_call = !strcmp(category, "syscalls")};
	int err = 0;

	*source = (struct typed_source){.user = maker.is_call};
	snprintf(source->name, sizeof(source->name), "%s", event);
	maker.own = kernel ? btf__new_empty_split(kernel) : btf__new_empty();
	if (!maker.own)
		return error_set(error, -errno, "%s: types: %s", event, strerror(errno));
	btf__set_pointer_size(maker.own, sizeof(uint64_t));
	source->btf = source->own = maker.own;
	/* Two for each: what is made of bits is there twice. */
	source->roots = calloc(2 * format->count + 1, sizeof(*source->roots));
	if (!source->roots)
		err = -ENOMEM;
	for (int i = 0; i < format->count && !err; i++) {
		const struct tracepoint_field *field = &format->fields[i];

		err = add_field(&maker, source, format, i,
				argument_type(category, event, field->name, field->type));
	}
	if (!err)
		return 0;
	typed_source_free(source);
	return error_set(error, err, "%s: no memory", event);
}
