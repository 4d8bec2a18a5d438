/* SPDX-License-Identifier: Apache-2.0 */
/* Test files: those that are named, and all NAME_test.lua below folders that are. */
#ifndef MOONPROBE_TEST_FILES_H
#define MOONPROBE_TEST_FILES_H

#include "error.h"

#include <stdbool.h>

struct test_file {
	char *path;
	bool found; /* in a folder: nobody said that it is a test of ours */
};

struct test_files {
	struct test_file *list; /* in order; in folders sorted */
	int count;
};

#define TEST_SUFFIX "_test.lua"

/* 0, or -errno with the reason: a path that is not there, or a folder without tests. Folders whose
 * name begins with a dot are left out. */
int test_files_find(struct test_files *files, char *const *paths, int count, struct error *error);
void test_files_clear(struct test_files *files);

#endif
