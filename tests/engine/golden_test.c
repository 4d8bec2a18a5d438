// SPDX-License-Identifier: Apache-2.0
#include "golden.h"

#include "test.h"

#include <errno.h>

static char folder[64], found[PATH_MAX], text[64];

static int setup(void **state)
{
	(void)state;
	scratch_make(folder);
	scratch_write(folder, "one_test.lua", "");
	scratch_write(folder, "given", "new text");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	scratch_remove(folder);
	return 0;
}

static int write_it(void)
{
	int from = open(scratch_path(folder, "given"), O_RDONLY | O_CLOEXEC), fd;

	assert_true(from >= 0);
	fd = golden_write(scratch_path(folder, "one_test.lua"), from, found, sizeof(found));
	close(from);
	return fd;
}

static void it_lies_beside_the_test(void **state)
{
	int fd;

	(void)state;
	scratch_write(folder, "one_test.golden", "kept");
	fd = golden_open(scratch_path(folder, "one_test.lua"), found, sizeof(found));
	assert_true(fd >= 0);
	assert_string_equal(found, scratch_path(folder, "one_test.golden"));
	assert_int_equal(read(fd, text, sizeof(text)), 4);
	close(fd);
}

static void there_may_be_none(void **state)
{
	(void)state;
	assert_int_equal(golden_open(scratch_path(folder, "one_test.lua"), found, sizeof(found)),
			 -ENOENT);
	assert_int_equal(golden_open(scratch_path(folder, "one_test.lua"), found, 10),
			 -ENAMETOOLONG);
}

static void what_is_given_takes_its_place(void **state)
{
	int fds = open_fds(), fd;

	(void)state;
	scratch_write(folder, "one_test.golden", "longer than what comes");
	fd = write_it();
	assert_true(fd >= 0);
	close(fd);
	scratch_read(scratch_path(folder, "one_test.golden"), text, sizeof(text));
	assert_string_equal(text, "new text");
	assert_int_equal(open_fds(), fds);
}

static void it_belongs_to_whom_the_test_does(void **state)
{
	struct stat status;

	(void)state;
	if (geteuid())
		SKIP("needs root");
	assert_int_equal(chown(scratch_path(folder, "one_test.lua"), 65534, 65534), 0);
	close(write_it());
	assert_int_equal(stat(scratch_path(folder, "one_test.golden"), &status), 0);
	assert_int_equal(status.st_uid, 65534);
}

static void no_link_leads_elsewhere(void **state)
{
	(void)state;
	assert_int_equal(symlink("elsewhere", scratch_path(folder, "one_test.golden")), 0);
	assert_int_equal(write_it(), -ELOOP);
	assert_int_not_equal(access(scratch_path(folder, "elsewhere"), F_OK), 0);
	assert_int_equal(golden_open(scratch_path(folder, "one_test.lua"), found, sizeof(found)),
			 -ELOOP);
}

static void a_folder_is_none(void **state)
{
	(void)state;
	assert_int_equal(mkdir(scratch_path(folder, "one_test.golden"), 0755), 0);
	assert_int_equal(golden_open(scratch_path(folder, "one_test.lua"), found, sizeof(found)),
			 -EINVAL);
	assert_int_equal(write_it(), -EISDIR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(it_lies_beside_the_test, setup, teardown),
		cmocka_unit_test_setup_teardown(there_may_be_none, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_given_takes_its_place, setup, teardown),
		cmocka_unit_test_setup_teardown(it_belongs_to_whom_the_test_does, setup, teardown),
		cmocka_unit_test_setup_teardown(no_link_leads_elsewhere, setup, teardown),
		cmocka_unit_test_setup_teardown(a_folder_is_none, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
