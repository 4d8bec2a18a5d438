// SPDX-License-Identifier: Apache-2.0
#include "test_files.h"

#include <errno.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool is_test(const char *name)
{
	size_t length = strlen(name), end = strlen(TEST_SUFFIX);

	return length > end && !strcmp(name + length - end, TEST_SUFFIX) && *name != '.';
}

static int add(struct test_files *files, const char *path, bool found)
{
	struct test_file *list = reallocarray(files->list, files->count + 1, sizeof(*list));

	if (!list)
		return -ENOMEM;
	files->list = list;
	list[files->count] = (struct test_file){strdup(path), found};
	return list[files->count].path ? (files->count++, 0) : -ENOMEM;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

static int add_below(struct test_files *files, char *folder)
{
	char *roots[] = {folder, NULL};
	FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
	FTSENT *entry;
	int err = 0;

	if (!tree)
		return -errno;
	while (!err && (entry = fts_read(tree))) {
		if (entry->fts_info == FTS_D && entry->fts_level && *entry->fts_name == '.')
			fts_set(tree, entry, FTS_SKIP);
		else if (entry->fts_info == FTS_F && is_test(entry->fts_name))
			err = add(files, entry->fts_path, true);
	}
	fts_close(tree);
	return err;
}

static int find(struct test_files *files, const char *path, struct error *error)
{
	int before = files->count, err;
	struct stat status;
	char *folder;

	if (stat(path, &status))
		return error_set(error, -errno, "%s: %s", path, strerror(errno));
	if (!S_ISDIR(status.st_mode)) {
		err = add(files, path, false);
		return err ? error_set(error, err, "%s: %s", path, strerror(-err)) : 0;
	}
	folder = strdup(path);
	if (!folder)
		return error_set(error, -ENOMEM, "%s: no memory", path);
	for (size_t end = strlen(folder); end > 1 && folder[end - 1] == '/'; end--)
		folder[end - 1] = 0;
	err = add_below(files, folder);
	free(folder);
	if (err)
		return error_set(error, err, "%s: %s", path, strerror(-err));
	if (files->count == before)
		return error_set(error, -ENOENT, "%s: no *" TEST_SUFFIX " in it", path);
	return 0;
}

int test_files_find(struct test_files *files, char *const *paths, int count, struct error *error)
{
	int err = 0;

	memset(files, 0, sizeof(*files));
	for (int i = 0; i < count && !err; i++)
		err = find(files, paths[i], error);
	return err;
}

void test_files_clear(struct test_files *files)
{
	for (int i = 0; i < files->count; i++)
		free(files->list[i].path);
	free(files->list);
	memset(files, 0, sizeof(*files));
}
