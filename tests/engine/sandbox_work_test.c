// SPDX-License-Identifier: Apache-2.0
/* What goes on in a sandbox: work, maps, the end by abort(). */
#include "sandboxed.h"

#include "privilege.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <time.h>

/* What Lua and the drain loop do; the number of the first step that failed. */
static long work(const void *argument)
{
	struct timespec time = {.tv_nsec = 1};
	struct epoll_event event;
	struct tm tm;
	time_t zero = 0;
	char text[8] = "";
	int file = memfd_create("state", MFD_CLOEXEC), wait = epoll_create1(EPOLL_CLOEXEC);
	void *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)argument;
	if (file < 0 || pwrite(file, "abc", 3, 0) != 3 || pread(file, text, 3, 0) != 3)
		return 1;
	if (wait < 0 || epoll_wait(wait, &event, 1, 1) != 0)
		return 2;
	if (code == MAP_FAILED || mprotect(code, 4096, PROT_READ | PROT_EXEC))
		return 3;
	if (munmap(code, 4096) || !localtime_r(&zero, &tm))
		return 4;
	if (nanosleep(&time, NULL) || clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time))
		return 5;
	if (isatty(file) || errno != ENOTTY || fcntl(file, F_GETFD) != FD_CLOEXEC)
		return 6;
	if (prctl(PR_SET_NAME, "name") || kill(getpid(), 0) || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return 7;
	if (write(STDERR_FILENO, "", 0) || close(file) || close(wait))
		return 8;
	return 0;
}

static void work_goes_on(void **state)
{
	(void)state;
	assert_int_equal(in_sandbox(&options, work, NULL), 0);
}

static long do_abort(const void *argument)
{
	(void)argument;
	signal(SIGABRT, SIG_DFL);
	abort();
}

static void a_process_can_abort(void **state)
{
	int status;

	(void)state;
	status = status_in_sandbox(&options, do_abort, NULL);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
	assert_false(WCOREDUMP(status));
}

/* The number of the first step that failed. */
static long use_map(const void *argument)
{
	int map = *(const int *)argument;
	__u32 keys[2] = {23, 42}, next, count = 2;
	__u64 values[2 * 64] = {0}; /* of all CPUs */

	for (int i = 0; i < 2; i++)
		if (bpf_map_update_elem(map, &keys[i], values, BPF_ANY))
			return 1;
	if (bpf_map_lookup_elem(map, &keys[0], values))
		return 2;
	if (bpf_map_lookup_batch(map, NULL, &next, keys, values, &count, NULL) != -ENOENT ||
	    count != 2)
		return 3;
	if (bpf_map_delete_elem(map, &keys[0]))
		return 4;
	count = 1;
	if (bpf_map_delete_batch(map, &keys[1], &count, NULL) || count != 1)
		return 5;
	return bpf_map_lookup_elem(map, &keys[1], values) == -ENOENT ? 0 : 6;
}

/* The calls that a grant of objects adds, and some that it does not. */
static long use_object_map(const void *argument)
{
	int map = *(const int *)argument;
	__u32 key = 23, next;
	__u64 values[64] = {0};
	int err;

	if (bpf_map_update_elem(map, &key, values, BPF_ANY))
		return 1;
	if (bpf_map_get_next_key(map, NULL, &next) || next != key)
		return 2;
	err = bpf_map_lookup_and_delete_elem(map, &key, values);
	if (err == -EPERM)
		return 3;
	if (bpf_map_create(BPF_MAP_TYPE_ARRAY, "test", 4, 8, 1, NULL) != -EPERM)
		return 4;
	return bpf_map_get_fd_by_id(1) == -EPERM ? 0 : 5;
}

/* As a worker: nobody, in the sandbox, with a map of root's. */
static long use_map_dropped(const void *argument)
{
	struct error error;

	if (privilege_drop() || sandbox_enter(&options, &error))
		return 100;
	return use_map(argument);
}

static void a_grant_of_objects_opens_two_calls(void **state)
{
	struct sandbox_options granted = options;
	int map = bpf_map_create(BPF_MAP_TYPE_PERCPU_HASH, "test", 4, 8, 16, NULL);

	(void)state;
	if (map < 0)
		SKIP("needs the privilege to create a map");
	if (libbpf_num_possible_cpus() > 64)
		SKIP("more CPUs than the test has room for");
	granted.objects = true;
	assert_int_equal(in_sandbox(&granted, use_object_map, &map), 0);
	assert_int_equal(in_sandbox(&options, use_object_map, &map), 2);
	close(map);
}

static void maps_can_be_used(void **state)
{
	LIBBPF_OPTS(bpf_map_create_opts, create, .map_flags = BPF_F_NO_PREALLOC);
	int map = bpf_map_create(BPF_MAP_TYPE_PERCPU_HASH, "test", 4, 8, 16, &create), status;
	pid_t pid;

	(void)state;
	if (map < 0)
		SKIP("needs the privilege to create a map");
	if (libbpf_num_possible_cpus() > 64)
		SKIP("more CPUs than the test has room for");
	assert_int_equal(in_sandbox(&options, use_map, &map), 0);
	pid = fork();
	if (pid == 0)
		_exit(use_map_dropped(&map));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(map);
}

static void a_dropped_process_can_enter(void **state)
{
	struct error error;
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0)
		_exit(privilege_drop() || sandbox_enter(&options, &error) ? 1 : work(NULL));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(work_goes_on),
		cmocka_unit_test(a_dropped_process_can_enter),
		cmocka_unit_test(a_process_can_abort),
		cmocka_unit_test(maps_can_be_used),
		cmocka_unit_test(a_grant_of_objects_opens_two_calls),
	};

	return cmocka_run_group_tests_name("sandbox_work", tests, sandbox_setup, sandbox_teardown);
}
