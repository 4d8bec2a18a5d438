// SPDX-License-Identifier: Apache-2.0
#include "test_files.h"

#include "test.h"

#include <errno.h>

static char folder[64];
static struct error error;

static int setup(void **state)
{
	static const char *const names[] = {
		"b/",	       ".git/",	       "empty/",	  "dir_test.lua/",
		"z_test.lua",  "a_test.lua",   "a.lua",		  "_test.lua",
		"a_test.lua~", "b/c_test.lua", ".git/d_test.lua", "empty/e.lua",
		NULL};

	(void)state;
	scratch_make(folder);
	scratch_fill(folder, names);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	scratch_remove(folder);
	return 0;
}

static int find(struct test_files *files, const char *a, const char *b)
{
	char first[PATH_MAX], second[PATH_MAX];
	char *paths[] = {first, second};

	snprintf(first, sizeof(first), "%s", scratch_path(folder, a));
	if (b)
		snprintf(second, sizeof(second), "%s", scratch_path(folder, b));
	return test_files_find(files, paths, b ? 2 : 1, &error);
}

static void those_below_a_folder_are_found(void **state)
{
	static const char *const names[] = {"a_test.lua", "b/c_test.lua", "z_test.lua"};
	struct test_files files;

	(void)state;
	assert_int_equal(find(&files, "", NULL), 0);
	assert_int_equal(files.count, COUNT_OF(names));
	for (int i = 0; i < files.count; i++) {
		assert_string_equal(files.list[i].path, scratch_path(folder, names[i]));
		assert_true(files.list[i].found);
	}
	test_files_clear(&files);
}

static void a_file_may_have_any_name(void **state)
{
	struct test_files files;

	(void)state;
	assert_int_equal(find(&files, "a.lua", "b"), 0);
	assert_int_equal(files.count, 2);
	assert_string_equal(files.list[0].path, scratch_path(folder, "a.lua"));
	assert_false(files.list[0].found);
	assert_true(files.list[1].found);
	test_files_clear(&files);
}

static void what_is_not_there_is_told(void **state)
{
	struct test_files files;

	(void)state;
	assert_int_equal(find(&files, "b", "none"), -ENOENT);
	assert_non_null(strstr(error.text, "/none: No such file"));
	test_files_clear(&files);
	assert_int_equal(find(&files, "empty", NULL), -ENOENT);
	assert_non_null(strstr(error.text, "/empty: no *_test.lua in it"));
	test_files_clear(&files);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(those_below_a_folder_are_found, setup, teardown),
		cmocka_unit_test_setup_teardown(a_file_may_have_any_name, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_not_there_is_told, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
