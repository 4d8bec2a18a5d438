// SPDX-License-Identifier: Apache-2.0
/* Tracepoints: CATEGORY:NAME, both as in tracefs, both may be wildcards. One has the fields of its
 * record, many have those that lie at the same place in all of their records. */
#include "functions.h"
#include "hook.h"
#include "nearest.h"
#include "target.h"
#include "tracepoint_format.h"
#include "tracepoint_types.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FORMAT_BYTES 65536

struct search {
	struct target *target;
	int events; /* tracefs events/ */
	char category[64], name[128];
	struct error *error;
};

static int is_folder(const struct dirent *entry)
{
	return entry->d_type == DT_DIR && entry->d_name[0] != '.';
}

/* The folders in one of `events`, sorted, for free_list(). */
static int list_folders(const struct search *search, const char *path, struct dirent ***list)
{
	int count = scandirat(search->events, path, list, is_folder, alphasort);

	return count < 0 ? -errno : count;
}

static void free_list(struct dirent **list, int count)
{
	for (int i = 0; i < count; i++)
		free(list[i]);
	if (count >= 0)
		free(list);
}

static int add_place(const struct search *search, const char *category, const char *name)
{
	char symbol[600], shown[600];
	bool is_one = !functions_is_wildcard(search->category);

	snprintf(symbol, sizeof(symbol), "%s/%s", category, name);
	snprintf(shown, sizeof(shown), "%s%s%s", is_one ? "" : category, is_one ? "" : ":", name);
	return target_add_place(search->target, shown, symbol)
		       ? 0
		       : error_set(search->error, -ENOMEM, "no memory");
}

/* The folder "ftrace" has records of tracers instead, which cannot be switched on or attached to.
 */
static bool is_event(const struct search *search, const char *category, const char *name)
{
	char path[600];

	snprintf(path, sizeof(path), "%s/%s/enable", category, name);
	return !faccessat(search->events, path, F_OK, 0);
}

static int add_events(const struct search *search, const char *category, struct nearest *nearest)
{
	struct dirent **list;
	int count = list_folders(search, category, &list), err = count < 0 ? count : 0;

	if (err)
		return error_set(search->error, err, "events of %s: %s", category, strerror(-err));
	for (int i = 0; i < count && !err; i++) {
		if (!is_event(search, category, list[i]->d_name))
			continue;
		nearest_offer(nearest, list[i]->d_name);
		if (!fnmatch(search->name, list[i]->d_name, 0))
			err = add_place(search, category, list[i]->d_name);
	}
	free_list(list, count);
	return err;
}

/* Where an event of that name is, when somebody left the category away. */
static int no_category(const struct search *search, const char *name)
{
	struct dirent **list;
	int count = list_folders(search, ".", &list);
	char category[64] = "CATEGORY";

	for (int i = 0; i < count; i++) {
		if (is_event(search, list[i]->d_name, name)) {
			snprintf(category, sizeof(category), "%.63s", list[i]->d_name);
			break;
		}
	}
	free_list(list, count);
	return error_set(search->error, -EINVAL,
			 "a tracepoint is CATEGORY:NAME, as tracepoint:%s:%s", category, name);
}

static int split(struct search *search)
{
	const char *text = search->target->text, *colon = strchr(text, ':');
	size_t length = colon ? (size_t)(colon - text) : 0;

	if (!colon || !length || !colon[1] || strpbrk(text, "/ ") || strchr(colon + 1, ':') ||
	    *text == '.')
		return no_category(search, colon ? "NAME" : text);
	if (length >= sizeof(search->category) || strlen(colon + 1) >= sizeof(search->name))
		return error_set(search->error, -ENOENT, "no tracepoint has so long a name");
	memcpy(search->category, text, length);
	strcpy(search->name, colon + 1);
	return 0;
}

static int nothing(const struct search *search, const char *what, const struct nearest *nearest)
{
	const char *near = nearest_name(nearest);

	return error_set(search->error, -ENOENT, "this kernel has no %s%s%s%s", what,
			 *near ? "; did you mean '" : "", near, *near ? "'?" : "");
}

static int find_places(const struct search *search)
{
	struct nearest categories, names;
	struct dirent **list;
	char what[256];
	int count = list_folders(search, ".", &list), err = count < 0 ? count : 0;
	bool any = false;

	if (err)
		return error_set(search->error, err, "tracefs cannot be read: %s", strerror(-err));
	nearest_start(&categories, search->category);
	nearest_start(&names, search->name);
	for (int i = 0; i < count && !err; i++) {
		nearest_offer(&categories, list[i]->d_name);
		if (fnmatch(search->category, list[i]->d_name, 0))
			continue;
		any = true;
		err = add_events(search, list[i]->d_name, &names);
	}
	free_list(list, count);
	if (err || search->target->place_count)
		return err;
	if (any) {
		snprintf(what, sizeof(what), "tracepoint %s in %s", search->name, search->category);
		return nothing(search, what, &names);
	}
	snprintf(what, sizeof(what), "category %s of tracepoints", search->category);
	return nothing(search, what, &categories);
}

static int read_format(const struct search *search, const char *event,
		       struct tracepoint_format *format)
{
	char path[300], *text = malloc(FORMAT_BYTES);
	size_t length = 0;
	ssize_t got = -1;
	int fd, err;

	snprintf(path, sizeof(path), "%s/format", event);
	fd = text ? openat(search->events, path, O_RDONLY | O_CLOEXEC) : -1;
	/* The kernel gives a page at a time. */
	while (fd >= 0 && (got = read(fd, text + length, FORMAT_BYTES - 1 - length)) > 0)
		length += got;
	err = got < 0 ? -errno : 0;
	if (fd >= 0)
		close(fd);
	if (err) {
		error_set(search->error, err, "format of %s: %s", event, strerror(-err));
	} else {
		text[length] = 0;
		err = tracepoint_format_parse(format, text, search->error);
	}
	free(text);
	return err;
}

/* The fields that all places have. */
static int find_types(const struct search *search)
{
	struct target *target = search->target;
	int err = read_format(search, target->places[0].symbol, &target->format);

	for (int i = 1; i < target->place_count && target->format.count && !err; i++) {
		struct tracepoint_format other = {0};

		err = read_format(search, target->places[i].symbol, &other);
		if (!err)
			tracepoint_format_share(&target->format, &other);
		tracepoint_format_free(&other);
	}
	if (!err)
		err = typed_tracepoint(&target->types, target_kernel_btf(target), &target->format,
				       search->category, search->name, search->error);
	if (!err && target->place_count > 1)
		snprintf(target->types.name, sizeof(target->types.name), "%s", target->text);
	return err;
}

static int open_tracepoint(struct target *target, const struct target_setting *setting,
			   struct error *error)
{
	struct error why;
	struct search search = {.target = target, .events = -1, .error = &why};
	int tracefs = tracefs_open(), err;

	(void)setting;
	if (tracefs >= 0)
		search.events = openat(tracefs, "events", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	err = search.events < 0 ? -errno : 0;
	if (tracefs < 0)
		err = tracefs;
	if (err)
		error_set(&why, err, "tracefs cannot be read: %s", strerror(-err));
	if (!err)
		err = split(&search);
	if (!err)
		err = find_places(&search);
	target->is_wildcard = functions_is_wildcard(target->text);
	if (!err)
		err = find_types(&search);
	if (search.events >= 0)
		close(search.events);
	if (tracefs >= 0)
		close(tracefs);
	return err ? error_set(error, err, "probe %s: %s", target->name, why.text) : 0;
}

const struct target_kind target_tracepoint = {"tracepoint", open_tracepoint};
