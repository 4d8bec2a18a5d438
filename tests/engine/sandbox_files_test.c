// SPDX-License-Identifier: Apache-2.0
/* Which files can be read and written. */
#include "sandboxed.h"

#include <errno.h>

struct opening {
	const char *path;
	int flags;
};

/* 0, or the errno. */
static long open_file(const void *argument)
{
	const struct opening *opening = argument;

	return open(opening->path, opening->flags, 0600) < 0 ? errno : 0;
}

static int opened(const struct sandbox_options *options, const char *folder, const char *name,
		  int flags)
{
	const struct opening opening = {scratch_path(folder, name), flags};

	return in_sandbox(options, open_file, &opening);
}

static void only_the_folders_can_be_read(void **state)
{
	(void)state;
	if (sandbox_landlock() < 1)
		SKIP("the kernel has no Landlock");
	assert_int_equal(opened(&options, inside, "file", O_RDONLY), 0);
	assert_int_equal(opened(&options, outside, "file", O_RDONLY), EACCES);
	assert_int_equal(opened(&options, inside, "../../etc/passwd", O_RDONLY), EACCES);
	assert_int_equal(opened(&options, "/proc/self", "maps", O_RDONLY), EACCES);
	assert_int_equal(opened(&options, "/dev", "null", O_RDONLY), EACCES);
	assert_int_equal(opened(&options, inside, "missing", O_RDONLY), ENOENT);
}

static void a_link_does_not_lead_out(void **state)
{
	(void)state;
	if (sandbox_landlock() < 1)
		SKIP("the kernel has no Landlock");
	assert_int_equal(symlink(scratch_path(outside, "file"), scratch_path(inside, "link")), 0);
	assert_int_equal(opened(&options, inside, "link", O_RDONLY), EACCES);
}

static void the_root_folder_gives_nothing(void **state)
{
	const char *const root[] = {"/"};
	const struct sandbox_options all = {.folders = root, .folder_count = 1};

	(void)state;
	if (sandbox_landlock() < 1)
		SKIP("the kernel has no Landlock");
	assert_int_equal(opened(&all, "/etc", "passwd", O_RDONLY), EACCES);
}

static void system_files_can_be_read(void **state)
{
	(void)state;
	if (access("/sys/devices/system/cpu/online", R_OK))
		SKIP("no sysfs");
	assert_int_equal(opened(&options, "/sys/devices", "system/cpu/online", O_RDONLY), 0);
}

static void nothing_can_be_written(void **state)
{
	(void)state;
	assert_int_equal(opened(&options, inside, "file", O_WRONLY), EPERM);
	assert_int_equal(opened(&options, inside, "new", O_WRONLY | O_CREAT), EPERM);
}

/* The number of the first step that failed. */
static long use_state_folder(const void *argument)
{
	const char *folder = argument;

	if (open(scratch_path(folder, "a"), O_WRONLY | O_CREAT | O_TRUNC, 0600) < 0)
		return 1;
	if (rename(scratch_path(folder, "a"), scratch_path(folder, "b")))
		return 2;
	if (unlink(scratch_path(folder, "b")))
		return 3;
	return 0;
}

static void the_state_folder_can_be_written(void **state)
{
	struct sandbox_options with_state = options;

	(void)state;
	with_state.state_folder = outside;
	assert_int_equal(in_sandbox(&with_state, use_state_folder, outside), 0);
	if (sandbox_landlock() < 1)
		SKIP("the kernel has no Landlock");
	assert_int_equal(in_sandbox(&with_state, use_state_folder, inside), 1);
	assert_int_equal(opened(&with_state, inside, "file", O_RDONLY), 0);
	assert_int_equal(opened(&with_state, inside, "file", O_RDWR), EACCES);
}

static void a_missing_state_folder_is_an_error(void **state)
{
	struct sandbox_options with_state = options;
	int status;

	(void)state;
	if (sandbox_landlock() < 1)
		SKIP("the kernel has no Landlock");
	with_state.state_folder = "/nonexistent/folder";
	status = status_in_sandbox(&with_state, use_state_folder, outside);
	assert_int_equal(WEXITSTATUS(status), 255);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_folders_can_be_read),
		cmocka_unit_test(a_link_does_not_lead_out),
		cmocka_unit_test(the_root_folder_gives_nothing),
		cmocka_unit_test(system_files_can_be_read),
		cmocka_unit_test(nothing_can_be_written),
		cmocka_unit_test(the_state_folder_can_be_written),
		cmocka_unit_test(a_missing_state_folder_is_an_error),
	};

	return cmocka_run_group_tests_name("sandbox_files", tests, sandbox_setup, sandbox_teardown);
}
