// SPDX-License-Identifier: Apache-2.0
#include "watch.h"

#include "test.h"

#include <errno.h>

#define MS 1000000ull
#define QUIET (150 * MS) /* several times what watch.c takes for one change */

static char folder[64];
static struct loop *loop;
static struct watch *watch;
static int changes;

static struct loop_source quiet; /* ends a test when nothing has come for a while */
static const char *write_next;	 /* what the first change makes the test write */

static void on_change(void *context)
{
	++*(int *)context;
	if (write_next)
		scratch_write(folder, "script.lua", write_next);
	write_next = NULL;
	timer_set(&quiet, QUIET);
}

static int setup(void **state)
{
	(void)state;
	scratch_make(folder);
	mkdir(scratch_path(folder, "sub"), 0755);
	scratch_write(folder, "script.lua", "one");
	scratch_write(folder, "other.lua", "one");
	scratch_write(folder, "sub/script.lua", "one");
	changes = 0;
	return loop_open(&loop) || watch_open(&watch, loop, on_change, &changes);
}

static int teardown(void **state)
{
	(void)state;
	watch_close(watch);
	loop_close(loop);
	scratch_remove(folder);
	return 0;
}

static void on_quiet(struct loop_source *source)
{
	timer_read(source);
	loop_stop(loop);
}

/* Runs until nothing can come any more; how many changes were told. A loop that was stopped
 * stays so, so this is the end of a test. */
static int told(void)
{
	quiet.ready = on_quiet;
	assert_int_equal(timer_open(loop, &quiet), 0);
	timer_set(&quiet, QUIET);
	assert_int_equal(loop_run(loop), 0);
	loop_remove(loop, &quiet);
	close(quiet.fd);
	return changes;
}

static void watch_file(const char *name)
{
	assert_int_equal(watch_add(watch, scratch_path(folder, name)), 0);
}

static void written_in_place(void **state)
{
	(void)state;
	watch_file("script.lua");
	scratch_write(folder, "script.lua", "two");
	assert_int_equal(told(), 1);
}

static void another_file_moved_over_it(void **state)
{
	(void)state;
	watch_file("script.lua");
	scratch_write(folder, "script.lua~", "two");
	assert_int_equal(
		rename(scratch_path(folder, "script.lua~"), scratch_path(folder, "script.lua")), 0);
	assert_int_equal(told(), 1);
}

static void it_is_watched_after_the_move_too(void **state)
{
	(void)state;
	watch_file("script.lua");
	scratch_write(folder, "new", "two");
	rename(scratch_path(folder, "new"), scratch_path(folder, "script.lua"));
	write_next = "three";
	assert_int_equal(told(), 2);
}

static void deleted_and_written_again(void **state)
{
	(void)state;
	watch_file("script.lua");
	unlink(scratch_path(folder, "script.lua"));
	scratch_write(folder, "script.lua", "two");
	assert_int_equal(told(), 1);
}

static void one_that_is_not_there_yet(void **state)
{
	(void)state;
	watch_file("late.lua");
	scratch_write(folder, "late.lua", "one");
	assert_int_equal(told(), 1);
}

static void other_files_are_ignored(void **state)
{
	(void)state;
	watch_file("script.lua");
	scratch_write(folder, "other.lua", "two");
	scratch_write(folder, "sub/script.lua", "two"); /* the same name elsewhere */
	scratch_write(folder, "script.luac", "two");
	rename(scratch_path(folder, "other.lua"), scratch_path(folder, "another.lua"));
	assert_int_equal(told(), 0);
}

static void reading_is_no_change(void **state)
{
	char text[16];

	(void)state;
	watch_file("script.lua");
	scratch_read(scratch_path(folder, "script.lua"), text, sizeof(text));
	assert_int_equal(chmod(scratch_path(folder, "script.lua"), 0600), 0);
	assert_int_equal(told(), 0);
}

static void a_burst_is_one_change(void **state)
{
	(void)state;
	watch_file("script.lua");
	watch_file("other.lua");
	for (int i = 0; i < 20; i++) {
		scratch_write(folder, "script.lua", "more");
		scratch_write(folder, "other.lua", "more");
	}
	assert_int_equal(told(), 1);
}

static void several_folders(void **state)
{
	(void)state;
	watch_file("script.lua");
	watch_file("sub/script.lua");
	scratch_write(folder, "sub/script.lua", "two");
	assert_int_equal(told(), 1);
}

static void adding_again_is_fine(void **state)
{
	(void)state;
	watch_file("script.lua");
	watch_file("script.lua");
	watch_file("other.lua");
	watch_file("script.lua");
	scratch_write(folder, "script.lua", "two");
	assert_int_equal(told(), 1);
}

static void a_name_without_a_folder(void **state)
{
	char before[PATH_MAX];

	(void)state;
	assert_non_null(getcwd(before, sizeof(before)));
	assert_int_equal(chdir(folder), 0);
	assert_int_equal(watch_add(watch, "script.lua"), 0);
	assert_int_equal(chdir(before), 0);
	scratch_write(folder, "script.lua", "two");
	assert_int_equal(told(), 1);
}

static void a_folder_that_is_not_there(void **state)
{
	char longer[2 * PATH_MAX];

	(void)state;
	assert_int_equal(watch_add(watch, scratch_path(folder, "none/script.lua")), -ENOENT);
	assert_int_equal(watch_add(watch, scratch_path(folder, "script.lua/x")), -ENOTDIR);
	memset(longer, 'x', sizeof(longer));
	strcpy(longer + sizeof(longer) - 3, "/y");
	assert_int_equal(watch_add(watch, longer), -ENAMETOOLONG);
	assert_int_equal(watch_add(watch, "/moonprobe-test"), 0); /* the root is a folder too */
}

static void closed_while_a_change_is_settling(void **state)
{
	(void)state;
	watch_file("script.lua");
	scratch_write(folder, "script.lua", "two");
	watch_close(watch);
	watch = NULL;
	assert_int_equal(told(), 0);
}

static void nothing_stays_open(void **state)
{
	int before = open_fds();

	(void)state;
	assert_int_equal(loop_open(&loop), 0);
	assert_int_equal(watch_open(&watch, loop, on_change, NULL), 0);
	watch_close(watch);
	watch_close(NULL);
	loop_close(loop);
	assert_int_equal(open_fds(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(written_in_place, setup, teardown),
		cmocka_unit_test_setup_teardown(another_file_moved_over_it, setup, teardown),
		cmocka_unit_test_setup_teardown(it_is_watched_after_the_move_too, setup, teardown),
		cmocka_unit_test_setup_teardown(deleted_and_written_again, setup, teardown),
		cmocka_unit_test_setup_teardown(one_that_is_not_there_yet, setup, teardown),
		cmocka_unit_test_setup_teardown(other_files_are_ignored, setup, teardown),
		cmocka_unit_test_setup_teardown(reading_is_no_change, setup, teardown),
		cmocka_unit_test_setup_teardown(a_burst_is_one_change, setup, teardown),
		cmocka_unit_test_setup_teardown(several_folders, setup, teardown),
		cmocka_unit_test_setup_teardown(adding_again_is_fine, setup, teardown),
		cmocka_unit_test_setup_teardown(a_name_without_a_folder, setup, teardown),
		cmocka_unit_test_setup_teardown(a_folder_that_is_not_there, setup, teardown),
		cmocka_unit_test_setup_teardown(closed_while_a_change_is_settling, setup, teardown),
		cmocka_unit_test(nothing_stays_open),
	};

	return cmocka_run_group_tests_name("watch", tests, NULL, NULL);
}
