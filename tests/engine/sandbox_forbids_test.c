// SPDX-License-Identifier: Apache-2.0
/* The filter of system calls: what it refuses. */
#include "sandboxed.h"

#include <errno.h>
#include <linux/bpf.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forbidden_calls_are_refused),
	};

	return cmocka_run_group_tests_name("sandbox_forbids", tests, sandbox_setup,
					   sandbox_teardown);
}
