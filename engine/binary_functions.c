// SPDX-License-Identifier: Apache-2.0
#include "binary_functions.h"

#include "binary.h"
#include "clock.h"
#include "nearest.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_BYTES 4096 /* fnmatch() of several * takes very long on very long names */
#define NEAREST_NS 60000000

static bool is_named(const struct binary_symbol *symbol, const char *name)
{
	return !strncmp(symbol->name, name, symbol->plain) && !name[symbol->plain];
}

struct search {
	const char *name;
	struct binary_symbol best; /* address 0 and no name: none */
	int rank;
	int equals; /* others at another address that are as good */
	struct nearest nearest;
	unsigned int offered;
	uint64_t until_ns; /* for the nearest */
};

static int seek(void *data, const struct binary_symbol *symbol)
{
	struct search *search = data;

	if (!is_named(symbol, search->name))
		return 0;
	if (search->best.name && symbol->rank == search->rank &&
	    symbol->address != search->best.address)
		search->equals++;
	if (!search->best.name || symbol->rank < search->rank) {
		search->best = *symbol;
		search->rank = symbol->rank;
		search->equals = 0;
	}
	return 0;
}

static int offer(void *data, const struct binary_symbol *symbol)
{
	struct search *search = data;
	char name[NEAREST_NAME];

	if (symbol->plain >= sizeof(name))
		return 0;
	memcpy(name, symbol->name, symbol->plain);
	name[symbol->plain] = 0;
	if (!strchr(name, '.'))
		nearest_offer(&search->nearest, name);
	return ++search->offered % 256 == 0 && clock_now_ns() > search->until_ns;
}

static int not_found(const struct binary *binary, const char *what, const char *name,
		     struct error *error)
{
	struct search search = {0};
	const char *nearest;
	char plain[NEAREST_NAME];
	size_t length = 0;

	for (const char *at = name; *at && length < sizeof(plain) - 1; at++)
		if (!strchr("*?[]", *at))
			plain[length++] = *at;
	plain[length] = 0;
	nearest_start(&search.nearest, plain);
	search.until_ns = clock_now_ns() + NEAREST_NS;
	binary_each_symbol(binary, offer, &search);
	nearest = nearest_name(&search.nearest);
	if (!search.offered)
		return error_set(error, -ENOENT, "%s has no symbols (stripped?): no %s %s",
				 binary->path, what, name);
	return error_set(error, -ENOENT, "%s has no %s %s%s%s%s", binary->path, what, name,
			 *nearest ? "; did you mean " : "", nearest, *nearest ? "?" : "");
}

static int read_number(const char *text, uint64_t *number)
{
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	*number = strtoull(text, &end, 0);
	return *end || errno ? -EINVAL : 0;
}

static int offset_of_name(const struct binary *binary, const char *name, uint64_t into,
			  uint64_t *offset, struct error *error)
{
	struct search search = {.name = name};

	binary_each_symbol(binary, seek, &search);
	if (!search.best.name)
		return not_found(binary, "function", name, error);
	if (search.equals)
		return error_set(error, -ENOTUNIQ,
				 "%s has %d functions %s; say which by its address (nm)",
				 binary->path, search.equals + 1, name);
	if (search.best.indirect)
		return error_set(error, -EOPNOTSUPP,
				 "%s: %s is only called to choose the function for this processor "
				 "(IFUNC); name one of its kinds",
				 binary->path, name);
	if (into && into >= search.best.bytes)
		return error_set(error, -ERANGE, "%s: %s has only %llu bytes", binary->path, name,
				 (unsigned long long)search.best.bytes);
	if (binary_offset_of(binary, search.best.address + into, offset))
		return error_set(error, -ERANGE, "%s: %s+0x%llx is not in the file", binary->path,
				 name, (unsigned long long)into);
	return 0;
}

int binary_offset(const struct binary *binary, const char *place, uint64_t *offset,
		  struct error *error)
{
	const char *plus = strchr(place, '+');
	uint64_t into = 0;
	char name[1024];
	int err;

	if (*place >= '0' && *place <= '9') {
		const struct binary_segment *segment;

		if (read_number(place, &into))
			return error_set(error, -EINVAL, "'%s' is no address", place);
		segment = binary_code_at(binary, into);
		if (!segment)
			return error_set(error, -ERANGE, "%s has no code at %s", binary->path,
					 place);
		*offset = into - segment->address + segment->offset;
		return 0;
	}
	if (plus && read_number(plus + 1, &into))
		return error_set(error, -EINVAL, "'%s': after + there must be a number", place);
	if (!*place || plus == place ||
	    (plus ? (size_t)(plus - place) : strlen(place)) >= sizeof(name))
		return error_set(error, -EINVAL, "'%s' is no name of a function", place);
	snprintf(name, sizeof(name), "%.*s", (int)(plus ? plus - place : (long)strlen(place)),
		 place);
	err = offset_of_name(binary, name, into, offset, error);
	return err;
}

/* What matches, before each is there once. Names are offsets: the text moves as it grows. */
struct match {
	size_t name;
	uint64_t address, bytes;
	int rank;
};

struct matches {
	const char *pattern;
	bool pieces;
	struct match *list;
	size_t count, room;
	char *text;
	size_t text_bytes, text_room;
	char *name; /* scratch, 0-terminated */
	size_t name_room;
};

static int grow(void **memory, size_t *room, size_t wanted, size_t each)
{
	size_t larger = *room ? *room : 64;
	void *moved;

	if (wanted <= *room)
		return 0;
	while (larger < wanted)
		larger *= 2;
	moved = realloc(*memory, larger * each);
	if (!moved)
		return -ENOMEM;
	*memory = moved;
	*room = larger;
	return 0;
}

static int take(void *data, const struct binary_symbol *symbol)
{
	struct matches *matches = data;
	size_t bytes = symbol->plain + 1;

	if (symbol->indirect || bytes > NAME_BYTES)
		return 0;
	if (grow((void **)&matches->name, &matches->name_room, bytes, 1))
		return -ENOMEM;
	memcpy(matches->name, symbol->name, symbol->plain);
	matches->name[symbol->plain] = 0;
	if (fnmatch(matches->pattern, matches->name, 0))
		return 0;
	if (!matches->pieces && (strstr(matches->name, ".cold") || strstr(matches->name, ".part.")))
		return 0;
	if (grow((void **)&matches->list, &matches->room, matches->count + 1,
		 sizeof(*matches->list)) ||
	    grow((void **)&matches->text, &matches->text_room, matches->text_bytes + bytes, 1))
		return -ENOMEM;
	memcpy(matches->text + matches->text_bytes, matches->name, bytes);
	matches->list[matches->count++] =
		(struct match){matches->text_bytes, symbol->address, symbol->bytes, symbol->rank};
	matches->text_bytes += bytes;
	return 0;
}

static int by_address(const void *a, const void *b)
{
	const struct match *left = a, *right = b;

	if (left->address != right->address)
		return left->address < right->address ? -1 : 1;
	if (left->rank != right->rank)
		return left->rank - right->rank;
	return left->name < right->name ? -1 : left->name > right->name;
}

int binary_match(const struct binary *binary, const char *pattern,
		 struct binary_functions *functions, struct error *error)
{
	struct matches matches = {.pattern = pattern, .pieces = strchr(pattern, '.')};
	int err;

	memset(functions, 0, sizeof(*functions));
	err = binary_each_symbol(binary, take, &matches);
	if (!err && !matches.count)
		err = not_found(binary, "function that matches", pattern, error);
	else if (err)
		error_set(error, err, "%s: out of memory", binary->path);
	functions->text = matches.text;
	if (!err) {
		functions->list = calloc(matches.count, sizeof(*functions->list));
		if (!functions->list)
			err = error_set(error, -ENOMEM, "%s: out of memory", binary->path);
	}
	if (!err)
		qsort(matches.list, matches.count, sizeof(*matches.list), by_address);
	for (size_t i = 0; !err && i < matches.count; i++) {
		const struct match *match = &matches.list[i];
		struct binary_function *function = &functions->list[functions->count];

		if (i && match[-1].address == match->address)
			continue;
		if (binary_offset_of(binary, match->address, &function->offset))
			continue;
		function->name = functions->text + match->name;
		function->address = match->address;
		function->bytes = match->bytes;
		functions->count++;
	}
	free(matches.list);
	free(matches.name);
	if (err)
		binary_functions_free(functions);
	return err;
}

void binary_functions_free(struct binary_functions *functions)
{
	free(functions->list);
	free(functions->text);
	memset(functions, 0, sizeof(*functions));
}
