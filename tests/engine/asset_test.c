// SPDX-License-Identifier: Apache-2.0
#include "asset.h"

#include "test.h"

#include <errno.h>

static char folder[64]; /* with a/ and b/, which the tests' search path has in this order */
static struct search_path path;

static int setup(void **state)
{
	char dirs[2 * PATH_MAX];

	(void)state;
	scratch_make(folder);
	memset(&path, 0, sizeof(path));
	mkdir(scratch_path(folder, "a"), 0755);
	mkdir(scratch_path(folder, "b"), 0755);
	snprintf(dirs, sizeof(dirs), "%s:%s", scratch_path(folder, "a"), scratch_path(folder, "b"));
	return search_path_add(&path, dirs);
}

static int teardown(void **state)
{
	(void)state;
	search_path_clear(&path);
	scratch_remove(folder);
	return 0;
}

static void parts_between_colons(void **state)
{
	struct search_path parts = {0};

	(void)state;
	assert_int_equal(search_path_add(&parts, NULL), 0);
	assert_int_equal(search_path_add(&parts, ""), 0);
	assert_int_equal(search_path_add(&parts, "::"), 0);
	assert_int_equal(parts.count, 0);
	assert_int_equal(search_path_add(&parts, ":one::two:"), 0);
	assert_int_equal(search_path_add(&parts, "/three"), 0);
	assert_int_equal(parts.count, 3);
	assert_string_equal(parts.dirs[0], "one");
	assert_string_equal(parts.dirs[1], "two");
	assert_string_equal(parts.dirs[2], "/three");
	search_path_clear(&parts);
	assert_int_equal(parts.count, 0);
}

static void not_more_than_there_is_room_for(void **state)
{
	struct search_path parts = {0};

	(void)state;
	for (int i = 0; i < SEARCH_DIRS; i++)
		assert_int_equal(search_path_add(&parts, "dir"), 0);
	assert_int_equal(search_path_add(&parts, "dir"), -E2BIG);
	assert_int_equal(parts.count, SEARCH_DIRS);
	assert_int_equal(search_path_add(&parts, ""), 0);
	search_path_clear(&parts);
}

static void assert_opens(const char *name, const char *expected)
{
	char found[PATH_MAX], text[64] = "";
	int fd = search_path_open(&path, name, found, sizeof(found));

	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_true(read(fd, text, sizeof(text) - 1) >= 0);
	close(fd);
	assert_string_equal(text, expected);
	scratch_read(found, text, sizeof(text));
	assert_string_equal(text, expected); /* `found` says which one it was */
}

static void the_first_folder_that_has_it(void **state)
{
	char found[PATH_MAX];

	(void)state;
	scratch_write(folder, "a/both.lua", "from a");
	scratch_write(folder, "b/both.lua", "from b");
	scratch_write(folder, "b/only.lua", "only in b");
	assert_opens("both.lua", "from a");
	assert_opens("only.lua", "only in b");
	unlink(scratch_path(folder, "a/both.lua"));
	assert_opens("both.lua", "from b");
	assert_int_equal(search_path_open(&path, "none.lua", found, sizeof(found)), -ENOENT);
	search_path_clear(&path);
	assert_int_equal(search_path_open(&path, "only.lua", found, sizeof(found)), -ENOENT);
}

static void names_that_leave_the_folder_are_refused(void **state)
{
	static const char *const leave[] = {
		"",
		"/etc/passwd",
		"//etc/passwd",
		"..",
		"../b/secret",
		"x/../../b/secret",
		"x/..",
		"x//../secret",
		"./../b/secret",
		"x/.././secret",
		"../a/inside",
	};
	char found[PATH_MAX];

	(void)state;
	scratch_write(folder, "b/secret", "secret");
	scratch_write(folder, "a/inside", "inside");
	search_path_clear(&path);
	search_path_add(&path, scratch_path(folder, "a"));
	mkdir(scratch_path(folder, "a/x"), 0755);
	for (size_t i = 0; i < COUNT_OF(leave); i++)
		assert_int_equal(search_path_open(&path, leave[i], found, sizeof(found)), -EINVAL);
}

static void dots_in_names_are_no_way_out(void **state)
{
	static const char *const names[] = {"..x", "x..", "...", "a..b"};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		char name[64];

		snprintf(name, sizeof(name), "a/%s", names[i]);
		scratch_write(folder, name, "dots");
		assert_opens(names[i], "dots");
	}
	assert_opens("./..x", "dots");
}

static void only_regular_files(void **state)
{
	char found[PATH_MAX];

	(void)state;
	mkdir(scratch_path(folder, "a/thing"), 0755);
	assert_int_equal(mkfifo(scratch_path(folder, "a/pipe"), 0644), 0);
	/* A pipe nobody writes to would make open(2) wait for ever. */
	assert_int_equal(search_path_open(&path, "pipe", found, sizeof(found)), -ENOENT);
	assert_int_equal(search_path_open(&path, "thing", found, sizeof(found)), -ENOENT);
	scratch_write(folder, "b/thing", "a file");
	assert_opens("thing", "a file");
}

static void a_path_that_does_not_fit(void **state)
{
	int before = open_fds();
	char name[PATH_MAX], found[16];

	(void)state;
	scratch_write(folder, "a/file", "text");
	assert_int_equal(search_path_open(&path, "file", found, sizeof(found)), -ENOENT);
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = 0;
	assert_int_equal(search_path_open(&path, name, found, sizeof(found)), -ENOENT);
	assert_int_equal(open_fds(), before);
}

static void embedded_files(void **state)
{
	const struct asset *boot = asset_embedded("stdlib/boot.lua");

	(void)state;
	assert_non_null(boot);
	assert_true(boot->size > 100);
	assert_int_equal(boot->bytes[boot->size], 0);	 /* scripts are used as C strings */
	assert_int_equal((uintptr_t)boot->bytes % 8, 0); /* objects are read as structs */
	assert_null(asset_embedded("stdlib/none.lua"));
	assert_null(asset_embedded("stdlib/"));
	assert_non_null(asset_embedded("include/record.h"));
	assert_non_null(asset_embedded("include/plan.h"));
}

static void a_file_overrides_the_embedded_one(void **state)
{
	struct asset_bytes bytes;
	const struct asset *embedded = asset_embedded("stdlib/boot.lua");

	(void)state;
	assert_int_equal(asset_load(&path, "stdlib/boot.lua", &bytes), 0);
	assert_false(bytes.mapped);
	assert_int_equal(bytes.size, embedded->size);
	assert_ptr_equal(bytes.bytes, embedded->bytes);
	asset_unload(&bytes);
	assert_null(bytes.bytes);

	mkdir(scratch_path(folder, "b/stdlib"), 0755);
	scratch_write(folder, "b/stdlib/boot.lua", "mine");
	assert_int_equal(asset_load(&path, "stdlib/boot.lua", &bytes), 0);
	assert_true(bytes.mapped);
	assert_int_equal(bytes.size, 4);
	assert_memory_equal(bytes.bytes, "mine", 4);
	asset_unload(&bytes);
	assert_false(bytes.mapped);
	asset_unload(&bytes); /* again is fine */
}

static void an_empty_file_and_no_file(void **state)
{
	int before = open_fds();
	struct asset_bytes bytes;

	(void)state;
	scratch_write(folder, "a/empty", "");
	assert_int_equal(asset_load(&path, "empty", &bytes), 0);
	assert_int_equal(bytes.size, 0);
	asset_unload(&bytes);
	assert_int_equal(asset_load(&path, "none", &bytes), -ENOENT);
	assert_null(bytes.bytes);
	asset_unload(&bytes);
	assert_int_equal(asset_load(&path, "../b/x", &bytes), -ENOENT);
	assert_int_equal(open_fds(), before);
}

struct visits {
	char names[1000];
	int count, stop_at;
};

static int visit(const char *name, void *context)
{
	struct visits *visits = context;
	size_t length = strlen(visits->names);

	snprintf(visits->names + length, sizeof(visits->names) - length, "%s ", name);
	return ++visits->count == visits->stop_at ? 42 : 0;
}

static void each_name_once_and_sorted(void **state)
{
	static const char *const names[] = {"a/zoo/",
					    "b/zoo/",
					    "a/zoo/cat.lua",
					    "b/zoo/cat.lua",
					    "b/zoo/ant.lua",
					    "a/zoo/dog.lua",
					    "a/zoo/.hidden.lua",
					    "a/zoo/other.txt",
					    "a/zoo/.lua",
					    NULL};
	struct visits visits = {0};

	(void)state;
	scratch_fill(folder, names);
	assert_int_equal(asset_each(&path, "zoo/", ".lua", visit, &visits), 0);
	assert_string_equal(visits.names, "ant cat dog ");

	memset(&visits, 0, sizeof(visits));
	visits.stop_at = 2;
	assert_int_equal(asset_each(&path, "zoo/", ".lua", visit, &visits), 42);
	assert_string_equal(visits.names, "ant cat ");

	memset(&visits, 0, sizeof(visits));
	assert_int_equal(asset_each(&path, "none/", ".lua", visit, &visits), 0);
	assert_int_equal(visits.count, 0);
}

static void embedded_and_on_the_path(void **state)
{
	struct visits embedded = {0}, both = {0};
	struct search_path none = {0};

	(void)state;
	assert_int_equal(asset_each(&none, "stdlib/aggregates/", ".lua", visit, &embedded), 0);
	assert_non_null(strstr(embedded.names, "count "));
	mkdir(scratch_path(folder, "a/stdlib"), 0755);
	mkdir(scratch_path(folder, "a/stdlib/aggregates"), 0755);
	scratch_write(folder, "a/stdlib/aggregates/count.lua", "");
	scratch_write(folder, "a/stdlib/aggregates/mine.lua", "");
	assert_int_equal(asset_each(&path, "stdlib/aggregates/", ".lua", visit, &both), 0);
	assert_int_equal(both.count, embedded.count + 1);
	assert_non_null(strstr(both.names, "mine "));
}

static void names_are_of_the_folder_itself(void **state)
{
	struct visits visits = {0};
	struct search_path none = {0};

	(void)state;
	assert_int_equal(asset_each(&none, "stdlib/", ".lua", visit, &visits), 0);
	assert_true(visits.count > 10);
	assert_null(strchr(visits.names, '/')); /* as on the path: aggregates/count is not */
}

static void the_nearest_name(void **state)
{
	char nearest[64];

	(void)state;
	asset_nearest(&path, "probes/", ".bpf.o", "proces_exec", nearest, sizeof(nearest));
	assert_string_equal(nearest, "process_exec");
	asset_nearest(&path, "probes/", ".bpf.o", "qqqqqqqq", nearest, sizeof(nearest));
	assert_string_equal(nearest, "");
	mkdir(scratch_path(folder, "a/scripts"), 0755);
	scratch_write(folder, "a/scripts/mysnoop.lua", "");
	asset_nearest(&path, "scripts/", ".lua", "mysnop", nearest, sizeof(nearest));
	assert_string_equal(nearest, "mysnoop");
	asset_nearest(&path, "scripts/", ".lua", "mysnop", nearest, 4);
	assert_string_equal(nearest, "mys");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_between_colons),
		cmocka_unit_test(not_more_than_there_is_room_for),
		cmocka_unit_test_setup_teardown(the_first_folder_that_has_it, setup, teardown),
		cmocka_unit_test_setup_teardown(names_that_leave_the_folder_are_refused, setup,
						teardown),
		cmocka_unit_test_setup_teardown(dots_in_names_are_no_way_out, setup, teardown),
		cmocka_unit_test_setup_teardown(only_regular_files, setup, teardown),
		cmocka_unit_test_setup_teardown(a_path_that_does_not_fit, setup, teardown),
		cmocka_unit_test(embedded_files),
		cmocka_unit_test_setup_teardown(a_file_overrides_the_embedded_one, setup, teardown),
		cmocka_unit_test_setup_teardown(an_empty_file_and_no_file, setup, teardown),
		cmocka_unit_test_setup_teardown(each_name_once_and_sorted, setup, teardown),
		cmocka_unit_test_setup_teardown(embedded_and_on_the_path, setup, teardown),
		cmocka_unit_test(names_are_of_the_folder_itself),
		cmocka_unit_test_setup_teardown(the_nearest_name, setup, teardown),
	};

	return cmocka_run_group_tests_name("asset", tests, NULL, NULL);
}
