// SPDX-License-Identifier: Apache-2.0
/* There is no way out of a sandbox, so each attempt is made in a child. Most of them stay root
 * there, and ask for what the kernel would grant root or refuse with another errno: EPERM can
 * only be the filter's. */
#include "sandbox.h"

#include "privilege.h"

#include "test.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

static char inside[64], outside[64]; /* folders; only `inside` may be read */
static const char *const readable[] = {inside, "/nonexistent/folder"};

static struct sandbox_options options = {.folders = readable, .folder_count = 2};

static int setup(void **state)
{
	(void)state;
	scratch_make(inside);
	scratch_make(outside);
	chmod(inside, 0777);
	chmod(outside, 0777);
	scratch_write(inside, "file", "in");
	scratch_write(outside, "file", "out");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	scratch_remove(inside);
	scratch_remove(outside);
	return 0;
}

/* waitpid(2) status of a child that enters the sandbox and returns what attempt() does. */
static int status_in_sandbox(const struct sandbox_options *options, long (*attempt)(const void *),
			     const void *argument)
{
	struct error error;
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || sandbox_enter(options, &error))
			_exit(255);
		_exit(attempt(argument));
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static int in_sandbox(const struct sandbox_options *options, long (*attempt)(const void *),
		      const void *argument)
{
	int status = status_in_sandbox(options, attempt, argument);

	assert_true(WIFEXITED(status));
	assert_int_not_equal(WEXITSTATUS(status), 255);
	return WEXITSTATUS(status);
}

struct call {
	const char *name;
	long number;
	long arguments[6];
};

/* 0, or the errno. */
static long make_call(const void *argument)
{
	const struct call *call = argument;
	const long *a = call->arguments;

	return syscall(call->number, a[0], a[1], a[2], a[3], a[4], a[5]) < 0 ? errno : 0;
}

#define CALL(name, ...)                                                                            \
	{                                                                                          \
#name, SYS_##name,                                                                 \
		{                                                                                  \
			__VA_ARGS__                                                                \
		}                                                                                  \
	}
#define BPF(command)                                                                               \
	{                                                                                          \
		"bpf " #command, SYS_bpf,                                                          \
		{                                                                                  \
			command, 0, 0                                                              \
		}                                                                                  \
	}

/* Arguments with which nothing happens if one is let through. */
static void forbidden_calls_are_refused(void **state)
{
	const long path = (long)"/nonexistent/file", host = getpid();
	const struct call calls[] = {
		CALL(execve, path),
		CALL(execveat, -1, path),
		CALL(clone, SIGCHLD),
		CALL(clone3, 0, 0),
		CALL(ptrace, 16 /* attach */, 1 << 22),
		CALL(process_vm_readv, host),
		CALL(process_vm_writev, host),
		CALL(mount, path, path),
		CALL(umount2, path),
		CALL(fsopen, path),
		CALL(open_tree, -1, path),
		CALL(move_mount, -1, path, -1, path),
		CALL(pivot_root, path, path),
		CALL(chroot, path),
		CALL(unshare, 1),
		CALL(setns, -1),
		CALL(socket, AF_INET, SOCK_STREAM),
		CALL(socket, AF_UNIX, SOCK_DGRAM),
		CALL(socket, AF_NETLINK, SOCK_RAW),
		CALL(socketpair, AF_UNIX, SOCK_STREAM),
		CALL(connect, -1),
		CALL(bind, -1),
		BPF(BPF_MAP_CREATE),
		BPF(BPF_MAP_GET_NEXT_KEY),
		BPF(BPF_MAP_LOOKUP_AND_DELETE_ELEM),
		BPF(BPF_MAP_LOOKUP_AND_DELETE_BATCH),
		BPF(BPF_MAP_UPDATE_BATCH),
		BPF(BPF_OBJ_GET_INFO_BY_FD),
		BPF(BPF_PROG_LOAD),
		BPF(BPF_OBJ_GET),
		BPF(BPF_OBJ_PIN),
		BPF(BPF_PROG_ATTACH),
		BPF(BPF_PROG_TEST_RUN),
		BPF(BPF_PROG_GET_NEXT_ID),
		BPF(BPF_MAP_GET_FD_BY_ID),
		BPF(BPF_RAW_TRACEPOINT_OPEN),
		BPF(BPF_BTF_LOAD),
		BPF(BPF_TASK_FD_QUERY),
		BPF(BPF_MAP_FREEZE),
		BPF(BPF_LINK_CREATE),
		BPF(BPF_ENABLE_STATS),
		BPF(BPF_PROG_BIND_MAP),
		CALL(perf_event_open, 0),
		CALL(io_uring_setup, 0, 0),
		CALL(userfaultfd, -1),
		CALL(keyctl, -1),
		CALL(init_module, 0, 0, path),
		CALL(finit_module, -1, path),
		CALL(reboot, 0),
		CALL(setuid, 0),
		CALL(setgid, 0),
		CALL(setresuid, -1, -1, -1),
		CALL(setresgid, -1, -1, -1),
		CALL(setgroups, 0),
		CALL(capset, 0),
		CALL(kill, host, 0),
		CALL(kill, 0, 0),
		CALL(kill, -1, 0),
		CALL(tgkill, host, host, 0),
		CALL(tkill, host, 0),
		CALL(rt_sigqueueinfo, host, 0, 0),
		CALL(pidfd_open, host),
		CALL(pidfd_send_signal, -1),
		CALL(prctl, PR_SET_DUMPABLE, 1),
		CALL(prctl, PR_SET_PDEATHSIG, 0),
		CALL(prctl, PR_SET_PTRACER, host),
		CALL(seccomp, 1 /* filter */, 0, 0),
		CALL(prlimit64, 0, RLIMIT_NOFILE, 0, 0),
		CALL(setrlimit, RLIMIT_CORE, 0),
		CALL(ioctl, 1, TIOCSTI, path),
		CALL(ioctl, 1, FIONBIO, path),
		CALL(fcntl, 1, F_SETFL, 0),
		CALL(fcntl, 1, F_SETOWN, host),
		CALL(fcntl, 1, F_DUPFD, 0),
		CALL(dup, 1),
		CALL(openat, AT_FDCWD, path, O_WRONLY),
		CALL(openat, AT_FDCWD, path, O_RDWR),
		CALL(openat, AT_FDCWD, path, O_RDONLY | O_CREAT, 0600),
		CALL(openat, AT_FDCWD, path, O_RDONLY | O_TRUNC),
		CALL(openat, AT_FDCWD, (long)"/tmp", O_TMPFILE | O_RDWR, 0600),
		CALL(openat2, AT_FDCWD, path, 0, 0),
		CALL(open_by_handle_at, -1),
		CALL(truncate, path, 0),
		CALL(unlinkat, AT_FDCWD, path, 0),
		CALL(renameat2, AT_FDCWD, path, AT_FDCWD, path, 0),
		CALL(mkdirat, AT_FDCWD, path, 0700),
		CALL(linkat, AT_FDCWD, path, AT_FDCWD, path, 0),
		CALL(symlinkat, path, AT_FDCWD, path),
		CALL(mknodat, AT_FDCWD, path, 0600, 0),
		CALL(fchmodat, AT_FDCWD, path, 0600),
		CALL(fchownat, AT_FDCWD, path, 0, 0, 0),
		CALL(chdir, path),
		CALL(mq_open, path),
		CALL(shmget, 0, 0, 0),
		CALL(sched_setaffinity, 0, 0, 0),
		CALL(setpriority, 0, 0, 0),
#ifdef __x86_64__
		CALL(open, path, O_RDONLY),
		CALL(fork),
		CALL(iopl, -1),
		{"x32 getpid", 0x40000000 + SYS_getpid, {0}},
#endif
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(calls); i++) {
		int err = in_sandbox(&options, make_call, &calls[i]);

		if (err != EPERM)
			fail_msg("%s, call %zu: %s", calls[i].name, i,
				 err ? strerror(err) : "let through");
	}
}

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

/* Files: 0 or the errno of opening one. */

struct opening {
	const char *path;
	int flags;
};

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
	status = status_in_sandbox(&with_state, work, NULL);
	assert_int_equal(WEXITSTATUS(status), 255);
}

/* Limits. */

static long allocate(const void *argument)
{
	size_t size = *(const size_t *)argument;

	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
			       MAP_FAILED
		       ? errno
		       : 0;
}

static void memory_is_limited(void **state)
{
	const size_t some = 8 << 20, much = 257 << 20;
	struct sandbox_options small = options;

	(void)state;
#ifdef __SANITIZE_ADDRESS__
	SKIP("AddressSanitizer needs terabytes of address space");
#endif
	small.memory_bytes = 4 << 20;
	assert_int_equal(in_sandbox(&options, allocate, &some), 0);
	assert_int_equal(in_sandbox(&options, allocate, &much), ENOMEM);
	assert_int_equal(in_sandbox(&small, allocate, &some), ENOMEM);
}

static long count_files(const void *argument)
{
	long count = 0;

	(void)argument;
	while (count < 250 && memfd_create("file", 0) >= 0)
		count++;
	return count;
}

static void files_are_limited(void **state)
{
	(void)state;
	assert_in_range(in_sandbox(&options, count_files, NULL), 64, SANDBOX_FILES - 3);
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

static long enter_again(const void *argument)
{
	struct error error;

	(void)argument;
	return sandbox_enter(&options, &error) && strstr(error.text, "sandbox: ") ? 0 : 1;
}

static void a_failure_is_told(void **state)
{
	(void)state;
	assert_int_equal(in_sandbox(&options, enter_again, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forbidden_calls_are_refused),
		cmocka_unit_test(work_goes_on),
		cmocka_unit_test(a_process_can_abort),
		cmocka_unit_test(maps_can_be_used),
		cmocka_unit_test(a_grant_of_objects_opens_two_calls),
		cmocka_unit_test(only_the_folders_can_be_read),
		cmocka_unit_test(a_link_does_not_lead_out),
		cmocka_unit_test(the_root_folder_gives_nothing),
		cmocka_unit_test(system_files_can_be_read),
		cmocka_unit_test(nothing_can_be_written),
		cmocka_unit_test(the_state_folder_can_be_written),
		cmocka_unit_test(a_missing_state_folder_is_an_error),
		cmocka_unit_test(memory_is_limited),
		cmocka_unit_test(files_are_limited),
		cmocka_unit_test(a_dropped_process_can_enter),
		cmocka_unit_test(a_failure_is_told),
	};

	return cmocka_run_group_tests_name("sandbox", tests, setup, teardown);
}
