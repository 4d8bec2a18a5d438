// SPDX-License-Identifier: Apache-2.0
#include "asset.h"

#include "nearest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int search_path_add(struct search_path *path, const char *dirs)
{
	while (dirs && *dirs) {
		size_t length = strcspn(dirs, ":");

		if (length) {
			if (path->count == SEARCH_DIRS)
				return -E2BIG;
			path->dirs[path->count] = strndup(dirs, length);
			if (!path->dirs[path->count])
				return -ENOMEM;
			path->count++;
		}
		dirs += length + (dirs[length] == ':');
	}
	return 0;
}

void search_path_clear(struct search_path *path)
{
	while (path->count)
		free(path->dirs[--path->count]);
}

static bool stays_inside(const char *name)
{
	if (!*name || *name == '/')
		return false;
	for (const char *part = name; part; part = strchr(part, '/')) {
		part += *part == '/';
		if (!strncmp(part, "..", 2) && (part[2] == '/' || !part[2]))
			return false;
	}
	return true;
}

/* No link in `folder` may lead out of it: we may read what the worker that asks may not. */
static int open_beneath(const char *folder, const char *name)
{
	struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	int dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC), fd;

	if (dir < 0)
		return -1;
	fd = syscall(SYS_openat2, dir, name, &how, sizeof(how));
	close(dir);
	return fd;
}

int search_path_open(const struct search_path *path, const char *name, char *found, size_t size)
{
	if (!stays_inside(name))
		return -EINVAL;
	for (int i = 0; i < path->count; i++) {
		struct stat status;
		int fd;

		if ((size_t)snprintf(found, size, "%s/%s", path->dirs[i], name) >= size)
			continue;
		fd = open_beneath(path->dirs[i], name);
		if (fd < 0)
			continue;
		if (!fstat(fd, &status) && S_ISREG(status.st_mode))
			return fd;
		close(fd);
	}
	return -ENOENT;
}

const struct asset *asset_embedded(const char *name)
{
	for (const struct asset *asset = assets; asset->name; asset++)
		if (!strcmp(asset->name, name))
			return asset;
	return NULL;
}

int asset_load(const struct search_path *path, const char *name, struct asset_bytes *out)
{
	const struct asset *embedded;
	char found[4096];
	int fd = search_path_open(path, name, found, sizeof(found));

	memset(out, 0, sizeof(*out));
	if (fd >= 0) {
		struct stat status;
		int err = 0;

		if (fstat(fd, &status))
			err = -errno;
		out->size = err ? 0 : status.st_size;
		if (!err && out->size) {
			void *bytes = mmap(NULL, out->size, PROT_READ, MAP_PRIVATE, fd, 0);

			if (bytes == MAP_FAILED)
				err = -errno;
			else
				out->bytes = bytes;
			out->mapped = !err;
		}
		close(fd);
		return err;
	}
	embedded = asset_embedded(name);
	if (!embedded)
		return -ENOENT;
	out->bytes = embedded->bytes;
	out->size = embedded->size;
	return 0;
}

void asset_unload(struct asset_bytes *asset)
{
	if (asset->mapped)
		munmap((void *)asset->bytes, asset->size);
	memset(asset, 0, sizeof(*asset));
}

struct name_list {
	char **names;
	size_t count, room;
};

static int keep(struct name_list *list, const char *name, size_t length)
{
	if (list->count == list->room) {
		size_t room = list->room ? 2 * list->room : 64;
		char **names = realloc(list->names, room * sizeof(*names));

		if (!names)
			return -ENOMEM;
		list->names = names;
		list->room = room;
	}
	list->names[list->count] = strndup(name, length);
	return list->names[list->count] ? (list->count++, 0) : -ENOMEM;
}

/* Keeps NAME of NAMEsuffix. */
static int keep_if(struct name_list *list, const char *file, const char *suffix)
{
	size_t length = strlen(file), end = strlen(suffix);

	if (length <= end || strcmp(file + length - end, suffix) || *file == '.')
		return 0;
	if (length >= 9 && !strcmp(file + length - 9, "_test.lua"))
		return 0; /* the test of one, beside it */
	return keep(list, file, length - end);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int collect(const struct search_path *path, const char *folder, const char *suffix,
		   struct name_list *list)
{
	size_t start = strlen(folder);
	int err = 0;

	for (const struct asset *asset = assets; asset->name && !err; asset++)
		if (!strncmp(asset->name, folder, start) && !strchr(asset->name + start, '/'))
			err = keep_if(list, asset->name + start, suffix);
	for (int i = 0; i < path->count && !err; i++) {
		char name[4096];
		struct dirent *entry;
		DIR *dir;

		snprintf(name, sizeof(name), "%s/%s", path->dirs[i], folder);
		dir = opendir(name);
		if (!dir)
			continue;
		while (!err && (entry = readdir(dir)))
			err = keep_if(list, entry->d_name, suffix);
		closedir(dir);
	}
	if (list->count)
		qsort(list->names, list->count, sizeof(*list->names), compare_names);
	return err;
}

int asset_each(const struct search_path *path, const char *folder, const char *suffix,
	       int (*visit)(const char *name, void *context), void *context)
{
	struct name_list list = {0};
	int answer = collect(path, folder, suffix, &list);

	for (size_t i = 0; i < list.count && !answer; i++)
		if (!i || strcmp(list.names[i], list.names[i - 1]))
			answer = visit(list.names[i], context);
	for (size_t i = 0; i < list.count; i++)
		free(list.names[i]);
	free(list.names);
	return answer;
}

static int offer(const char *name, void *context)
{
	nearest_offer(context, name);
	return 0;
}

void asset_nearest(const struct search_path *path, const char *folder, const char *suffix,
		   const char *misspelt, char *nearest, size_t size)
{
	struct nearest best;

	nearest_start(&best, misspelt);
	asset_each(path, folder, suffix, offer, &best);
	snprintf(nearest, size, "%s", nearest_name(&best));
}
