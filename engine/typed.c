// SPDX-License-Identifier: Apache-2.0
#include "typed.h"

#include "typed_walk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_BYTES 300
#define STRING "string."

/* A name ends before what follows it; a number has its brackets with it. */
static size_t part_length(const char *part)
{
	return *part == '[' ? strcspn(part, "]") + 1 : strcspn(part, ".[");
}

/* The parts of the path from `rest` on. */
static int walk_parts(struct typed_walk *walk, char *rest)
{
	char *path = walk->typed->path;
	int err = 0;

	while (rest && *rest && !err) {
		char part[TYPED_PATH];
		size_t length = part_length(rest);

		memcpy(part, rest, length);
		part[length] = 0;
		err = typed_walk_part(walk, part);
		rest += length;
		walk->walked = rest - path;
		rest += *rest == '.';
	}
	return err;
}

/* The 64 bits of a root without a type: nothing is known but how many they are. */
static int resolve_untyped(struct typed_walk *walk, const char *rest)
{
	int err = typed_walk_settle(walk);

	if (*rest)
		return error_set(walk->error, -EINVAL,
				 "%.*s is a number of no known type, not a struct", walk->walked,
				 walk->typed->path);
	return err ? err : typed_walk_number(walk, SCHEMA_UNSIGNED, sizeof(uint64_t));
}

/* Text of a length that the record says. */
static int resolve_dynamic(struct typed_walk *walk, const struct typed_root *root, const char *rest)
{
	int err = typed_walk_settle(walk);

	if (*rest)
		return error_set(walk->error, -EINVAL, "%.*s is text, not a struct", walk->walked,
				 walk->typed->path);
	walk->typed->access.is_behind = root->is_behind;
	walk->typed->access.read = TYPED_DYNAMIC;
	walk->typed->access.bytes = walk->typed->field.bytes = TYPED_STRING_BYTES;
	walk->typed->access.align = walk->typed->field.element_bytes = 1;
	walk->typed->field.kind = SCHEMA_TEXT;
	return err;
}

/* What is known of a root's numbers beside their type. */
static int name_numbers(struct typed_walk *walk, const struct typed_root *root)
{
	struct typed *typed = walk->typed;
	struct schema_field *field = &typed->field;
	size_t bytes = root->value_count * sizeof(*root->values);

	if (typed->result != TYPED_VALUE || typed->access.read != TYPED_NUMBER ||
	    typed->access.steps > 1)
		return 0;
	if (root->called)
		field->type = root->called;
	if (!root->value_count || field->value_count)
		return 0;
	typed->values = malloc(bytes);
	if (!typed->values)
		return error_set(walk->error, -ENOMEM, "%s: no memory", typed->path);
	memcpy(typed->values, root->values, bytes);
	field->values = typed->values;
	field->value_count = root->value_count;
	return 0;
}

static int resolve_from(struct typed *typed, const struct typed_source *source,
			const struct typed_root *root, struct error *error)
{
	size_t length = strlen(root->name);
	char *rest = typed->path + length;
	struct typed_walk walk = {.source = source,
				  .typed = typed,
				  .type = root->type,
				  .walked = (int)length,
				  .error = error};
	int err;

	rest += length && *rest == '.';
	if (root->refused)
		return error_set(error, -EOPNOTSUPP, "%s of %s %s", root->name, source->name,
				 root->refused);
	if (root->slot < 0 || root->slot >= TYPED_SLOTS)
		return error_set(error, -EINVAL, "%s of %s is in no slot", root->name,
				 source->name);
	typed->access.slot = root->slot;
	typed->access.steps = root->in_memory;
	typed->access.is_context = root->in_memory && root->is_context;
	walk.bits = root->in_memory ? root->offset * 8ull : 0;
	if (root->is_dynamic)
		return resolve_dynamic(&walk, root, rest);
	if (!root->type)
		return resolve_untyped(&walk, rest);
	err = walk_parts(&walk, rest);
	if (!err)
		err = typed_walk_describe(&walk);
	if (!err && !*rest)
		err = name_numbers(&walk, root);
	return err ? err : typed_walk_settle(&walk);
}

/* Does `text` begin with the whole parts `start`? */
static bool begins(const char *text, const char *start)
{
	size_t length = strlen(start);

	return !length || (!strncmp(text, start, length) &&
			   (!text[length] || text[length] == '.' || text[length] == '['));
}

static const struct typed_root *root_of(const struct typed_source *source, const char *path)
{
	const struct typed_root *best = NULL;

	for (int i = 0; i < source->root_count; i++)
		if (begins(path, source->roots[i].name) &&
		    (!best || strlen(best->name) < strlen(source->roots[i].name)))
			best = &source->roots[i];
	return best;
}

/* "args has no 'skk'; tcp_connect has sk". */
static int no_root(const struct typed_source *source, const char *path, struct error *error)
{
	char parent[TYPED_PATH] = "", list[LIST_BYTES] = "nothing there";
	size_t length = strcspn(path, ".["), listed = 0;

	if (source->raw_arguments)
		return error_set(error, -ENOENT, "%s has no '%.*s'; it has arg0 to arg%d",
				 source->name, (int)length, path, source->raw_arguments - 1);
	if (source->is_raw && !source->root_count)
		return error_set(error, -ENOENT,
				 "%s has no '%.*s': the types of its arguments are not known; "
				 "arg0 to arg5 are what they are in",
				 source->name, (int)length, path);
	/* As far as there are roots below it. */
	for (int i = 0; path[length] && i < source->root_count; i++)
		if (!strncmp(source->roots[i].name, path, length + 1))
			snprintf(parent, sizeof(parent), "%.*s", (int)length, path);
	length = strlen(parent);
	for (int i = 0; i < source->root_count; i++) {
		const char *name = source->roots[i].name;

		if (!begins(name, parent))
			continue;
		name += length ? length + 1 : 0;
		if (listed + strlen(name) + sizeof(", ...") > sizeof(list)) {
			snprintf(list + listed, sizeof(list) - listed, "%s", listed ? ", ..." : "");
			break;
		}
		listed += sprintf(list + listed, "%s%s", listed ? ", " : "", name);
	}
	path += length ? length + 1 : 0;
	return error_set(error, -ENOENT, "%s has no '%.*s'; %s has %s",
			 length ? parent : source->name, (int)strcspn(path, ".["), path,
			 length ? source->name : "it", list);
}

static bool is_prefix_of_roots(const struct typed_source *source, const char *path)
{
	for (int i = 0; i < source->root_count; i++)
		if (begins(source->roots[i].name, path))
			return true;
	return false;
}

/* The slot of "arg0" and so on, of so many. -1: it is none of them. */
static int slot_of_argument(const char *name, int arguments)
{
	char text[16];

	for (int slot = 0; slot < arguments; slot++) {
		snprintf(text, sizeof(text), "arg%d", slot);
		if (!strcmp(name, text))
			return slot;
	}
	return -1;
}

/* string.arg0 to string.arg5, string.retval. */
static int resolve_string(struct typed *typed, const struct typed_source *source,
			  struct error *error)
{
	const char *name = typed->path + strlen(STRING);
	int arguments = source->raw_arguments ? source->raw_arguments : TYPED_ARGS;
	int slot = slot_of_argument(name, arguments);

	if (!source->raw_arguments && !strcmp(name, "retval"))
		slot = TYPED_RET_SLOT;
	if (slot < 0)
		return error_set(error, -ENOENT, "string has no '%s'; it has arg0 to arg%d%s", name,
				 arguments - 1, source->raw_arguments ? "" : ", retval");
	typed->access = (struct typed_access){.slot = slot,
					      .steps = 1,
					      .read = TYPED_STRING,
					      .bytes = TYPED_RAW_BYTES,
					      .align = 1,
					      .user = source->user};
	typed->field.kind = SCHEMA_TEXT;
	typed->field.bytes = TYPED_RAW_BYTES;
	typed->field.element_bytes = 1;
	return 0;
}

/* Names with dots between, and behind each as many numbers in brackets as one likes. */
static bool is_path(const char *path)
{
	for (;;) {
		size_t length = strcspn(path, ".[]");

		if (!length)
			return false;
		path += length;
		while (*path == '[') {
			length = strcspn(path + 1, ".[]");
			if (!length || path[1 + length] != ']')
				return false;
			path += length + 2;
		}
		if (*path != '.')
			return !*path;
		path++;
	}
}

static int resolve(struct typed *typed, const struct typed_source *source, struct error *error)
{
	const struct typed_root *root;

	if (!is_path(typed->path))
		return error_set(error, -EINVAL,
				 "'%s' is not a path of names with dots between, as args.x[0].y",
				 typed->path);
	if (source->is_raw && !strcmp(typed->path, "string")) {
		typed->result = TYPED_STRUCT;
		return 0;
	}
	if (source->is_raw && !strncmp(typed->path, STRING, strlen(STRING)))
		return resolve_string(typed, source, error);
	root = root_of(source, typed->path);
	if (root)
		return resolve_from(typed, source, root, error);
	if (!is_prefix_of_roots(source, typed->path))
		return no_root(source, typed->path, error);
	typed->result = TYPED_STRUCT;
	return 0;
}

int typed_resolve(struct typed **out, const struct typed_source *source, const char *path,
		  struct error *error)
{
	struct typed *typed;
	int err;

	*out = NULL;
	if (strnlen(path, TYPED_PATH) == TYPED_PATH)
		return error_set(error, -EINVAL, "a path of more than %d characters: %.40s...",
				 TYPED_PATH - 1, path);
	typed = calloc(1, sizeof(*typed));
	if (!typed)
		return error_set(error, -ENOMEM, "%s: no memory", path);
	memcpy(typed->path, path, strlen(path));
	typed->field.name = typed->path;
	typed->field.type = typed->field.doc = "";
	err = resolve(typed, source, error);
	if (err)
		typed_free(typed);
	else
		*out = typed;
	return err;
}

void typed_free(struct typed *typed)
{
	if (!typed)
		return;
	free(typed->values);
	free(typed);
}
