// SPDX-License-Identifier: Apache-2.0
/* What the name of a generic probe may be, and what it becomes: places and types. */
#include "target.h"

#include "binary.h"
#include "kernel_btf.h"
#include "list_target.h"
#include "targets.h"
#include "test.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <sys/wait.h>

static struct error error;
static struct target *target;
static int before;

static int setup(void **state)
{
	(void)state;
	target = NULL;
	before = open_fds();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	target_close(target);
	assert_int_equal(open_fds(), before);
	return 0;
}

static int open_as(const char *kind, const char *name, pid_t pid)
{
	const struct target_setting setting = {.pid = pid};

	target_close(target);
	target = NULL;
	return target_open(&target, kind, name, &setting, &error);
}

static void opens(const char *kind, const char *name)
{
	if (open_as(kind, name, 0))
		fail_msg("%s", error.text);
}

/* `word` is in the reason. */
static void refuses(const char *kind, const char *name, int err, const char *word)
{
	int got = open_as(kind, name, 0);

	if (got != err)
		fail_msg("%s: %d: %s", name, got, got ? error.text : "taken");
	if (!strstr(error.text, word))
		fail_msg("%s: '%s' is not in '%s'", name, word, error.text);
}

static void names(void **state)
{
	char name[400];

	(void)state;
	refuses("kernel_function", "kprobe:", -EINVAL, "nothing behind the colon");
	refuses("kernel_function", "kprobe", -EINVAL, "nothing behind the colon");
	refuses("", "kprobe:vfs_read", -EINVAL, "unknown kind");
	refuses("kernel", "kprobe:vfs_read", -EINVAL, "unknown kind");
	memset(name, 'a', sizeof(name));
	memcpy(name, "kprobe:", 7);
	name[TARGET_NAME] = 0;
	refuses("kernel_function", name, -EINVAL, "longer than 255");
	name[TARGET_NAME - 1] = 0;
	refuses("kernel_function", name, -EINVAL, "so long a name");
	memcpy(name, "rawtracepoint:", 14);
	refuses("raw_tracepoint", name, -ENOENT, "aaaa");
	memcpy(name, "uprobe:/aaaaaaa", 15);
	refuses("user_function", name, -EINVAL, "a file, a colon");
}

static void kernel_functions(void **state)
{
	(void)state;
	opens("kernel_function", "kprobe:vfs_read");
	assert_int_equal(target->place_count, 1);
	assert_string_equal(target->places[0].name, "vfs_read");
	assert_string_equal(target->places[0].symbol, "vfs_read");
	assert_int_equal(target->places[0].offset, 0);
	assert_false(target->is_wildcard);
	if (kernel_btf_load()) {
		assert_int_equal(target->arguments, 4);
		assert_true(target->btf_id > 0);
		assert_string_equal(target->types.roots[0].name, "args.file");
	}
	opens("kernel_function", "kprobe:vfs_read+0x10");
	assert_int_equal(target->places[0].offset, 16);
	assert_int_equal(target->btf_id, 0); /* the registers hold something else there */
	assert_int_equal(target->arguments, -1);
	opens("kernel_function", "kprobe:vfs_read+16");
	assert_int_equal(target->places[0].offset, 16);
	opens("kernel_function", "kprobe:vfs_rea[d]");
	assert_int_equal(target->place_count, 1);
	assert_true(target->is_wildcard);
	assert_int_equal(target->btf_id, 0);
	opens("kernel_return", "kretprobe:vfs_read");
	opens("kernel_return", "kretprobe:vfs_read+0");
	/* Misspelt, and malformed. */
	refuses("kernel_function", "kprobe:vfs_raed", -ENOENT, "vfs_read");
	refuses("kernel_function", "kprobe:vfs_no_such*", -ENOENT, "vfs_no_such*");
	refuses("kernel_function", "kprobe:vfs_read+", -EINVAL, "behind the plus");
	refuses("kernel_function", "kprobe:vfs_read+x", -EINVAL, "behind the plus");
	refuses("kernel_function", "kprobe:vfs_read+0x10z", -EINVAL, "behind the plus");
	refuses("kernel_function", "kprobe:vfs_read+-1", -EINVAL, "behind the plus");
	refuses("kernel_function", "kprobe:vfs_read+ 1", -EINVAL, "behind the plus");
	refuses("kernel_function", "kprobe:vfs_read++1", -EINVAL, "behind the plus");
	refuses("kernel_function", "kprobe:vfs_read+99999999999999999999", -EINVAL,
		"behind the plus");
	refuses("kernel_function", "kprobe:vfs_*+0x10", -EINVAL, "for one function");
	refuses("kernel_function", "kprobe:+0x10", -EINVAL, "");
	refuses("kernel_return", "kretprobe:vfs_read+0x10", -EINVAL, "whole function");
}

/* Of one name in two modules there is one place: the kernel is told the name only. */
static void each_name_once(void **state)
{
	(void)state;
	opens("kernel_function", "kprobe:vfs_*");
	assert_true(target->place_count > 10);
	for (int i = 1; i < target->place_count; i++)
		assert_true(strcmp(target->places[i - 1].name, target->places[i].name) < 0);
}

static void raw_tracepoints(void **state)
{
	(void)state;
	if (!kernel_btf_load())
		SKIP("the kernel has no BTF");
	opens("raw_tracepoint", "rawtracepoint:sched_switch");
	assert_int_equal(target->place_count, 1);
	assert_true(target->arguments >= 3);
	refuses("raw_tracepoint", "rawtracepoint:sched_swich", -ENOENT,
		"did you mean sched_switch?");
	refuses("raw_tracepoint", "rawtracepoint:sched_*", -ENOENT, "sched_*");
	refuses("raw_tracepoint", "rawtracepoint:sched:sched_switch", -ENOENT, "");
}

/* Another script that runs lets the types go; this one is still loading. */
static void the_kernels_types_are_kept(void **state)
{
	struct btf *kernel = kernel_btf_load();
	struct typed *typed;

	(void)state;
	if (!kernel)
		SKIP("the kernel has no BTF");
	opens("kernel_function", "kprobe:vfs_read");
	kernel_btf_release();
	assert_ptr_equal(kernel_btf_load(), kernel);
	if (typed_resolve(&typed, &target->types, "args.file.f_inode.i_ino", &error))
		fail_msg("%s", error.text);
	typed_free(typed);
	target_forget_types(target);
	assert_int_equal(typed_resolve(&typed, &target->types, "args.file", &error), -ENOENT);
	assert_true(target->btf_id > 0);
}

/* KIND:FILE:REST, with FILE of tests/targets. */
static const char *of_file(const char *file, const char *rest)
{
	static char name[2][TARGET_NAME];
	static int next;
	char path[PATH_MAX], *to = name[next++ % 2];

	assert_non_null(realpath(target_path(file), path));
	assert_true(snprintf(to, TARGET_NAME, "uprobe:%s:%s", path, rest) < TARGET_NAME);
	return to;
}

static void user_functions(void **state)
{
	char with[64];
	uint64_t start, address;

	(void)state;
	opens("user_function", of_file("program", "target_add"));
	assert_int_equal(target->place_count, 1);
	assert_string_equal(target->places[0].name, "target_add");
	assert_string_equal(target->places[0].symbol, target->file);
	assert_string_equal(target->types.roots[0].name, "args.a");
	start = target->places[0].offset;
	assert_int_equal(binary_address_of(target->binary, start, &address), 0);
	opens("user_function", of_file("program", "target_add+0x1"));
	assert_int_equal(target->places[0].offset, start + 1);
	assert_int_equal(target->types.root_count, 0);
	snprintf(with, sizeof(with), "0x%llx", (unsigned long long)address);
	opens("user_function", of_file("program", with));
	assert_int_equal(target->places[0].offset, start);
	opens("user_function", of_file("program", "target_*"));
	assert_true(target->is_wildcard && target->place_count >= 3);
	/* Without symbols: only by address. */
	refuses("user_function", of_file("program_stripped", "target_local"), -ENOENT,
		"target_local");
	opens("user_function", of_file("program_stripped", with));
	assert_int_equal(target->places[0].offset, start);
	/* Mistakes. */
	refuses("user_function", of_file("program", "target_ad"), -ENOENT, "target_add");
	refuses("user_function", of_file("program", ""), -EINVAL, "a file, a colon");
	refuses("user_function", "uprobe::main", -EINVAL, "a file, a colon");
	refuses("user_function", "uprobe:/tmp:main", -ENOEXEC, "/tmp");
	refuses("user_function", "uprobe:/dev/null:main", -ENOEXEC, "/dev/null");
	refuses("user_function", "uprobe:no_such_file:main", -ENOENT, "no_such_file");
	refuses("user_function", of_file("program", "target_*+0x1"), -EINVAL, "for one function");
	refuses("user_function", of_file("program", "target_add+0x100000"), -ERANGE, "");
}

/* The kernel would change the stack of the program where no return address is. */
static void a_return_is_of_a_whole_function(void **state)
{
	uint64_t address;
	char with[64];

	(void)state;
	opens("user_return", of_file("program", "target_add"));
	assert_int_equal(binary_address_of(target->binary, target->places[0].offset, &address), 0);
	opens("user_return", of_file("program", "target_add+0"));
	opens("user_return", of_file("program", "target_*"));
	refuses("user_return", of_file("program", "target_add+0x1"), -EINVAL, "whole function");
	snprintf(with, sizeof(with), "0x%llx", (unsigned long long)address);
	opens("user_return", of_file("program", with));
	snprintf(with, sizeof(with), "0x%llx", (unsigned long long)address + 1);
	refuses("user_return", of_file("program", with), -EINVAL, "whole function");
}

static void in_the_root_of_a_process(void **state)
{
	(void)state;
	assert_int_equal(open_as("user_function", of_file("program", "target_add"), getpid()), 0);
	/* A process that is gone. */
	{
		pid_t gone = fork();

		if (!gone)
			_exit(0);
		waitpid(gone, NULL, 0);
		assert_true(open_as("user_function", of_file("program", "target_add"), gone) < 0);
		assert_non_null(strstr(error.text, "as process"));
	}
}

/* Puts a program of tests/targets there as /usr/bin/of_a_container. */
static void install(const char *folder)
{
	static char bytes[1 << 20];
	int from = open(target_path("program"), O_RDONLY | O_CLOEXEC), to;
	ssize_t size = read(from, bytes, sizeof(bytes));

	scratch_fill(folder, (const char *const[]){"usr/", "usr/bin/", NULL});
	to = open(scratch_path(folder, "usr/bin/of_a_container"), O_WRONLY | O_CREAT | O_CLOEXEC,
		  0755);
	assert_true(from >= 0 && to >= 0 && size > 0 && size < (ssize_t)sizeof(bytes));
	assert_int_equal(write(to, bytes, size), size);
	close(from);
	close(to);
}

/* Without a slash: looked for where that process would find it. */
static void by_its_name_in_a_container(void **state)
{
	char folder[64], byte;
	int ready[2];
	pid_t child;

	(void)state;
	if (geteuid())
		SKIP("needs root");
	scratch_make(folder);
	install(folder);
	setenv("PATH", "/usr/bin:/bin", 1);
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	child = fork();
	if (!child) {
		if (chroot(folder) || write(ready[1], "r", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(open_as("user_function", "uprobe:of_a_container:target_add", 0), -ENOENT);
	if (open_as("user_function", "uprobe:of_a_container:target_add", child))
		fail_msg("%s", error.text);
	assert_int_equal(target->place_count, 1);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close(ready[0]);
	close(ready[1]);
	scratch_remove(folder);
}

static void static_probes(void **state)
{
	(void)state;
	opens("usdt", of_file("program", "target:add"));
	assert_true(target->place_count >= 1);
	assert_string_equal(target->places[0].name, "target:add");
	assert_true(target->slots_count > 0);
	opens("usdt", of_file("program", "twice"));
	assert_int_equal(target->place_count, 2);
	opens("usdt", of_file("program", "target:*"));
	assert_true(target->is_wildcard);
	opens("usdt", of_file("library.so", "library:greet"));
	assert_true(target->places[0].semaphore > 0);
	/* Who reads none of the others does not pay for them. */
	assert_null(target->more_slots);
	assert_int_equal(target->types.raw_arguments, 6);
	opens("usdt", of_file("arguments", "many:seven"));
	assert_int_equal(target->types.raw_arguments, 7);
	opens("usdt", of_file("arguments", "many:*"));
	assert_int_equal(target->types.raw_arguments, 12);
	assert_true(target->more_slots_count > target->slots_count);
	refuses("usdt", "usdt:/bin/true", -EINVAL, "a name in it, as usdt:/bin/bash:NAME");
	refuses("usdt", of_file("program", "target:ad"), -ENOENT, "add");
	refuses("usdt", of_file("types_0", "a:b"), -ENOENT, "");
}

static void clocks(void **state)
{
	static const char *const bad_hz[] = {"0",
					     "-1",
					     "+99",
					     " 99",
					     "99Hz",
					     "1.5",
					     "100001",
					     "x",
					     "-18446744073709551517",
					     "99999999999999999999"};
	static const char *const bad_count[] = {"", "0", "-5", " 5", "1e3", "9223372036854775808"};
	static const char *const bad_time[] = {"0s", "1", "-1s", "1us", "s", "nan", "1e9"};
	char name[64];

	(void)state;
	opens("profile", "profile:99");
	assert_int_equal(target->place_count, sysconf(_SC_NPROCESSORS_ONLN));
	assert_int_equal(target->places[0].perf_type, PERF_TYPE_SOFTWARE);
	assert_int_equal(target->places[0].period, 99);
	assert_true(target->places[0].by_frequency);
	assert_string_equal(target->places[0].name, "CPU 0");
	opens("software_event", "software:page-faults:7");
	assert_int_equal(target->places[0].period, 7);
	for (size_t i = 0; i < COUNT_OF(bad_count); i++) {
		snprintf(name, sizeof(name), "software:page-faults:%s", bad_count[i]);
		refuses("software_event", name, -EINVAL, "how many are an event");
	}
	opens("interval", "interval:10ms");
	assert_int_equal(target->place_count, 1);
	assert_int_equal(target->places[0].period, 10000000);
	assert_int_equal(target->places[0].cpu, 0);
	for (size_t i = 0; i < COUNT_OF(bad_hz); i++) {
		snprintf(name, sizeof(name), "profile:%s", bad_hz[i]);
		refuses("profile", name, -EINVAL, "profile:99");
	}
	for (size_t i = 0; i < COUNT_OF(bad_time); i++) {
		snprintf(name, sizeof(name), "interval:%s", bad_time[i]);
		refuses("interval", name, -EINVAL, "interval:1s");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(names, setup, teardown),
		cmocka_unit_test_setup_teardown(kernel_functions, setup, teardown),
		cmocka_unit_test_setup_teardown(each_name_once, setup, teardown),
		cmocka_unit_test_setup_teardown(raw_tracepoints, setup, teardown),
		cmocka_unit_test_setup_teardown(the_kernels_types_are_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(user_functions, setup, teardown),
		cmocka_unit_test_setup_teardown(a_return_is_of_a_whole_function, setup, teardown),
		cmocka_unit_test_setup_teardown(in_the_root_of_a_process, setup, teardown),
		cmocka_unit_test_setup_teardown(by_its_name_in_a_container, setup, teardown),
		cmocka_unit_test_setup_teardown(static_probes, setup, teardown),
		cmocka_unit_test_setup_teardown(clocks, setup, teardown),
	};

	return cmocka_run_group_tests_name("target", tests, NULL, NULL);
}
