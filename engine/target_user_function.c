// SPDX-License-Identifier: Apache-2.0
/* User functions: FILE:FUNC, FILE:FUNC+0x10, FILE:0x401136, or a wildcard of functions. A file
 * without a slash is looked for where programs are, $PATH, then where libraries are. With a process
 * (-p) it is that process's file, also in a container. */
#include "binary.h"
#include "binary_functions.h"
#include "functions.h"
#include "target.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIBRARIES                                                                                  \
	"/lib/x86_64-linux-gnu:/lib/aarch64-linux-gnu:/usr/lib/x86_64-linux-gnu:"                  \
	"/usr/lib/aarch64-linux-gnu:/lib64:/usr/lib64:/lib:/usr/lib:/usr/local/lib"

/* The first of these folders below `root` that has the file; "lib*" may stand for it with a
 * version. */
static bool find_in(const char *root, const char *dirs, const char *name, const char *more,
		    char *path, size_t size)
{
	for (const char *at = dirs; *at;) {
		size_t length = strcspn(at, ":");
		glob_t found;

		snprintf(path, size, "%s%.*s/%s%s", root, (int)length, at, name, more);
		if (!glob(path, 0, NULL, &found)) {
			snprintf(path, size, "%s", found.gl_pathv[0] + strlen(root));
			globfree(&found);
			return true;
		}
		at += length + (at[length] == ':');
	}
	return false;
}

/* A program as the shell would find it, or a library: libc.so.6, libc. */
static void find_file(const char *name, pid_t pid, char *path, size_t size)
{
	const char *programs = getenv("PATH");
	char root[32] = "";

	if (pid)
		snprintf(root, sizeof(root), "/proc/%d/root", pid);
	if (strchr(name, '/') ||
	    (!find_in(root, programs ? programs : "/usr/bin:/bin", name, "", path, size) &&
	     !find_in(root, LIBRARIES, name, "", path, size) &&
	     !find_in(root, LIBRARIES, name, ".so.[0-9]*", path, size)))
		snprintf(path, size, "%s", name);
}

int target_open_binary(struct target *target, const struct target_setting *setting,
		       const char **rest, struct error *error)
{
	const char *colon = strchr(target->text, ':');
	char name[TARGET_NAME], path[4096];
	struct error why;
	int err;

	if (!colon || !colon[1] || colon == target->text)
		return error_set(
			error, -EINVAL,
			"probe %s: a file, a colon and a name in it, as %.*s:/bin/bash:NAME",
			target->name, (int)strcspn(target->name, ":"), target->name);
	snprintf(name, sizeof(name), "%.*s", (int)(colon - target->text), target->text);
	find_file(name, setting->pid, path, sizeof(path));
	err = binary_open(&target->binary, path, setting->pid, &why);
	if (err)
		return error_set(error, err, "probe %s: %s", target->name, why.text);
	/* By descriptor: what is attached to is what has been looked at. */
	snprintf(target->file, sizeof(target->file), "/proc/self/fd/%d", target->binary->fd);
	*rest = colon + 1;
	return 0;
}

static int add_match(struct target *target, const char *pattern, struct error *error)
{
	struct binary_functions functions = {0};
	int err = binary_match(target->binary, pattern, &functions, error);

	for (size_t i = 0; i < functions.count && !err; i++) {
		struct target_place *place =
			target_add_place(target, functions.list[i].name, target->file);

		if (!place)
			err = error_set(error, -ENOMEM, "no memory");
		else
			place->offset = functions.list[i].offset;
	}
	binary_functions_free(&functions);
	return err;
}

static int add_one(struct target *target, const char *text, struct error *error)
{
	struct target_place *place;
	uint64_t offset;
	int err = binary_offset(target->binary, text, &offset, error);

	if (err)
		return err;
	place = target_add_place(target, text, target->file);
	if (!place)
		return error_set(error, -ENOMEM, "no memory");
	place->offset = offset;
	return 0;
}

/* Names and types of its arguments, where the file has them; else there are only raw ones. */
static void find_types(struct target *target, const char *name)
{
	struct error ignored;

	if (binary_types_find(target->binary, name, &target->binary_types, &ignored))
		return;
	if (typed_function(&target->types, target->binary_types.btf, target->binary_types.function,
			   &ignored))
		typed_source_free(&target->types);
}

struct start {
	uint64_t address;
	bool is_one, is_within;
};

static int compare_start(void *data, const struct binary_symbol *symbol)
{
	struct start *start = data;

	start->is_one |= symbol->address == start->address;
	start->is_within |= start->address > symbol->address &&
			    start->address - symbol->address < symbol->bytes;
	return 0;
}

/* For a return the kernel changes what lies on top of the stack, which is the return address only
 * where a function starts: elsewhere the program would crash. */
static int check_start(const struct target *target, struct error *error)
{
	struct start start = {0};

	if (!binary_address_of(target->binary, target->places[0].offset, &start.address))
		binary_each_symbol(target->binary, compare_start, &start);
	return start.is_within && !start.is_one
		       ? error_set(error, -EINVAL,
				   "a return is of a whole function; none starts there")
		       : 0;
}

static int add_places(struct target *target, const char *text, bool is_return, struct error *error)
{
	int err;

	if (target->is_wildcard)
		return strchr(text, '+') ? error_set(error, -EINVAL,
						     "%s: an offset is for one function", text)
					 : add_match(target, text, error);
	err = add_one(target, text, error);
	return err || !is_return ? err : check_start(target, error);
}

static int open_function(struct target *target, const struct target_setting *setting,
			 bool is_return, struct error *error)
{
	const char *text;
	struct error why;
	int err = target_open_binary(target, setting, &text, error);

	if (err)
		return err;
	target->is_wildcard = functions_is_wildcard(text);
	err = add_places(target, text, is_return, &why);
	if (!err && !target->is_wildcard && !strchr(text, '+') && (*text < '0' || *text > '9'))
		find_types(target, text);
	target->types.user = target->types.is_raw = true;
	snprintf(target->types.name, sizeof(target->types.name), "%s", text);
	return err ? error_set(error, err, "probe %s: %s", target->name, why.text) : 0;
}

static int open_return(struct target *target, const struct target_setting *setting,
		       struct error *error)
{
	return open_function(target, setting, true, error);
}

static int open_call(struct target *target, const struct target_setting *setting,
		     struct error *error)
{
	int err = open_function(target, setting, false, error);

	typed_source_of_call(&target->types);
	return err;
}

const struct target_kind target_user_function = {"user_function", open_call};
const struct target_kind target_user_return = {"user_return", open_return};
