// SPDX-License-Identifier: Apache-2.0
#include "sandbox.h"

#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/futex.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

/* Files: Landlock. What our oldest headers (6.1) lack is spelt out here. */

#define FS_TRUNCATE (1ull << 14)  /* since version 3, Linux 6.2 */
#define FS_IOCTL_DEV (1ull << 15) /* 5, Linux 6.10 */
#define FS_READ LANDLOCK_ACCESS_FS_READ_FILE
#define FS_OF_FILES                                                                                \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | FS_READ | FS_TRUNCATE)
#define FS_STATE                                                                                   \
	(FS_READ | LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE |     \
	 LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                          \
	 LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR)

/* A kernel that knows less takes the longer struct if the rest is zero. */
struct ruleset {
	__u64 files, net, scoped;
};

static const char *const system_files[] = {
	"/sys/devices",	       /* names of block devices; /sys/dev/block links there */
	"/proc/meminfo",       /* how much the page cache has */
	"/etc/localtime",      /* os.date */
	"/usr/share/zoneinfo", /* the same, with TZ */
};

int sandbox_landlock(void)
{
	int version =
		syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return version < 0 ? -errno : version;
}

static bool is_root(const struct stat *status)
{
	struct stat root;

	return !stat("/", &root) && root.st_dev == status->st_dev && root.st_ino == status->st_ino;
}

static int allow_below(int ruleset, const char *path, __u64 access)
{
	struct landlock_path_beneath_attr rule = {.allowed_access = access};
	struct stat status = {0};
	int err = 0;

	rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return -errno;
	if (fstat(rule.parent_fd, &status) || is_root(&status))
		err = -EACCES; /* a script that lies in / or is run there is not given all */
	if (!S_ISDIR(status.st_mode))
		rule.allowed_access &= FS_OF_FILES;
	if (!err && syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0))
		err = -errno;
	close(rule.parent_fd);
	return err;
}

static int limit_files(const struct sandbox_options *options, struct error *error)
{
	int version = sandbox_landlock(), fd, err = 0;
	struct ruleset ruleset = {
		.files = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1, /* all of version 1 */
		.net = version >= 4 ? 3 : 0,	/* TCP bind and connect, Linux 6.7 */
		.scoped = version >= 6 ? 3 : 0, /* abstract sockets and signals, 6.12 */
	};

	if (version < 1)
		return 0; /* not built in, or not in lsm= */
	ruleset.files |= version >= 2 ? LANDLOCK_ACCESS_FS_REFER : 0;
	ruleset.files |= version >= 3 ? FS_TRUNCATE : 0;
	ruleset.files |= version >= 5 ? FS_IOCTL_DEV : 0;
	fd = syscall(SYS_landlock_create_ruleset, &ruleset, sizeof(ruleset), 0);
	if (fd < 0)
		return error_set(error, -errno, "sandbox: Landlock: %s", strerror(errno));
	/* What is not there, or what nobody may not look into, needs no rule. */
	for (size_t i = 0; i < sizeof(system_files) / sizeof(*system_files); i++)
		allow_below(fd, system_files[i], FS_READ);
	for (int i = 0; i < options->folder_count; i++)
		allow_below(fd, options->folders[i], FS_READ);
	if (options->state_folder) {
		err = allow_below(fd, options->state_folder, FS_STATE & ruleset.files);
		if (err)
			error_set(error, err, "sandbox: %s: %s", options->state_folder,
				  strerror(-err));
	}
	if (!err && syscall(SYS_landlock_restrict_self, fd, 0))
		err = error_set(error, -errno, "sandbox: Landlock: %s", strerror(errno));
	close(fd);
	return err;
}

/* Memory and numbers of things. */

static int limit(int resource, const char *name, rlim_t value, struct error *error)
{
	struct rlimit limit;

	if (getrlimit(resource, &limit))
		return error_set(error, -errno, "sandbox: %s: %s", name, strerror(errno));
	if (limit.rlim_max > value)
		limit.rlim_max = value;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(resource, &limit))
		return error_set(error, -errno, "sandbox: %s: %s", name, strerror(errno));
	return 0;
}

static int limit_resources(const struct sandbox_options *options, struct error *error)
{
	rlim_t memory = options->memory_bytes ? options->memory_bytes : SANDBOX_MEMORY_BYTES;
	int err = options->programs ? 0 : limit(RLIMIT_NPROC, "RLIMIT_NPROC", 0, error);

	if (!err)
		err = limit(RLIMIT_NOFILE, "RLIMIT_NOFILE",
			    options->objects ? SANDBOX_FILES_OBJECTS : SANDBOX_FILES, error);
	if (!err)
		err = limit(RLIMIT_CORE, "RLIMIT_CORE", 0, error);
	/* Private writable mappings count (mm/mmap.c, is_data_mapping), touched or not. The
	 * shadow memory of AddressSanitizer is terabytes of them. */
	if (!err && !SANITIZED)
		err = limit(RLIMIT_DATA, "RLIMIT_DATA", memory, error);
	return err;
}

/* System calls. These are allowed as they are: the kernel answers them from a bitmap, without
 * running the filter. */
/* clang-format off */
static const int free_calls[] = {
	/* what is open already: rows, the host's socket, files it hands over, the state */
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(pread64),
	SCMP_SYS(pwrite64), SCMP_SYS(lseek), SCMP_SYS(close), SCMP_SYS(sendmsg), SCMP_SYS(recvmsg),
	SCMP_SYS(fstat), SCMP_SYS(memfd_create),
	/* fstat(3) of glibc before 2.39; mktime(3) looks whether the time zone has changed */
	SCMP_SYS(newfstatat),
	/* waiting, by the names that architectures and libcs have for it */
	SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
	SCMP_SYS(nanosleep), SCMP_SYS(clock_nanosleep), SCMP_SYS(restart_syscall),
	/* memory; LuaJIT's compiler needs PROT_EXEC, libbpf shared mappings */
	SCMP_SYS(brk), SCMP_SYS(mmap), SCMP_SYS(mprotect), SCMP_SYS(mremap), SCMP_SYS(munmap),
	SCMP_SYS(madvise),
	/* time, where the vDSO has no fast clock, and CPU time */
	SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres), SCMP_SYS(gettimeofday), SCMP_SYS(time),
	SCMP_SYS(getrusage), SCMP_SYS(getrandom),
	/* oneself; abort(3) and the sanitizers' reports */
	SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid),
	SCMP_SYS(getegid), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack), SCMP_SYS(exit), SCMP_SYS(exit_group),
	/* libbpf asks for the release when it opens an object, qsort(3) for the memory */
	SCMP_SYS(uname), SCMP_SYS(sysinfo),
};
/* clang-format on */

/* With `state_folder`; where is for Landlock to say. */
static const int state_calls[] = {
	SCMP_SYS(openat),     SCMP_SYS(rename),	   SCMP_SYS(renameat), SCMP_SYS(renameat2),
	SCMP_SYS(unlink),     SCMP_SYS(unlinkat),  SCMP_SYS(rmdir),    SCMP_SYS(mkdir),
	SCMP_SYS(mkdirat),    SCMP_SYS(ftruncate), SCMP_SYS(fsync),    SCMP_SYS(fdatasync),
	SCMP_SYS(getdents64),
};

/* Allowed when (argument & mask) == value. */
struct narrow_call {
	int call;
	unsigned argument;
	__u64 mask, value;
};

#define ALL 0xffffffffu /* the kernel takes 32 bits of it */

static const struct narrow_call narrow_calls[] = {
	/* Maps that the host handed over; nothing that makes or finds one (engine/lua_map.c). */
	{SCMP_SYS(bpf), 0, ALL, BPF_MAP_LOOKUP_ELEM},
	{SCMP_SYS(bpf), 0, ALL, BPF_MAP_UPDATE_ELEM},
	{SCMP_SYS(bpf), 0, ALL, BPF_MAP_DELETE_ELEM},
	{SCMP_SYS(bpf), 0, ALL, BPF_MAP_LOOKUP_BATCH},
	{SCMP_SYS(bpf), 0, ALL, BPF_MAP_DELETE_BATCH},
	/* isatty(3), old and new, and the width. Not TIOCSTI: stdout is the user's terminal. */
	{SCMP_SYS(ioctl), 1, ALL, TCGETS},
	{SCMP_SYS(ioctl), 1, ALL, TCGETS2},
	{SCMP_SYS(ioctl), 1, ALL, TIOCGWINSZ},
	{SCMP_SYS(ioctl), 1, ALL, FIONREAD},
	/* Not F_SETFL, which would be felt by all who share stdout, nor F_SETOWN: signals. */
	{SCMP_SYS(fcntl), 1, ALL, F_GETFD},
	{SCMP_SYS(fcntl), 1, ALL, F_SETFD},
	{SCMP_SYS(fcntl), 1, ALL, F_GETFL},
	/* Not PR_SET_PDEATHSIG and PR_SET_DUMPABLE, which privilege_drop() has set. */
	{SCMP_SYS(prctl), 0, ALL, PR_SET_NAME},
	/* Locks of libc; futexes that inherit priorities or move waiters have had many bugs. */
	{SCMP_SYS(futex), 1, FUTEX_CMD_MASK &ALL, FUTEX_WAIT},
	{SCMP_SYS(futex), 1, FUTEX_CMD_MASK &ALL, FUTEX_WAKE},
};

/* With `objects`: still nothing that makes or finds a map (engine/lua_any_map.c). */
static const struct narrow_call object_calls[] = {
	{SCMP_SYS(bpf), 0, ALL, BPF_MAP_LOOKUP_AND_DELETE_ELEM},
	{SCMP_SYS(bpf), 0, ALL, BPF_MAP_GET_NEXT_KEY},
};

/* Reading only, so that nothing can be written where there is no Landlock either. */
static const struct narrow_call read_only = {SCMP_SYS(openat), 2, O_ACCMODE | O_CREAT | O_TRUNC,
					     O_RDONLY};

static int allow_narrow(scmp_filter_ctx filter, const struct narrow_call *narrow)
{
	const struct scmp_arg_cmp compare = {.arg = narrow->argument,
					     .op = SCMP_CMP_MASKED_EQ,
					     .datum_a = narrow->mask,
					     .datum_b = narrow->value};

	return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, narrow->call, 1, &compare);
}

static int allow_all(scmp_filter_ctx filter, const int *calls, size_t count)
{
	int err = 0;

	for (size_t i = 0; i < count && !err; i++)
		if (calls[i] >= 0) /* else this architecture does not have it */
			err = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, calls[i], 0, NULL);
	return err;
}

static int limit_calls(const struct sandbox_options *options, struct error *error)
{
	/* abort(3), raise(3): signals to oneself. */
	const struct narrow_call signals[] = {{SCMP_SYS(kill), 0, ALL, getpid()},
					      {SCMP_SYS(tgkill), 0, ALL, getpid()}};
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int err = filter ? 0 : -ENOMEM;

	/* 32-bit system calls are refused like others, and errors are errnos. */
	if (!err)
		err = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(EPERM));
	if (!err)
		err = seccomp_attr_set(filter, SCMP_FLTATR_API_SYSRAWRC, 1);
	if (!err)
		err = allow_all(filter, free_calls, sizeof(free_calls) / sizeof(*free_calls));
	for (size_t i = 0; i < sizeof(narrow_calls) / sizeof(*narrow_calls) && !err; i++)
		err = allow_narrow(filter, &narrow_calls[i]);
	for (size_t i = 0; i < 2 && !err; i++)
		err = allow_narrow(filter, &signals[i]);
	for (size_t i = 0; options->objects && i < 2 && !err; i++)
		err = allow_narrow(filter, &object_calls[i]);
	if (!err && options->state_folder)
		err = allow_all(filter, state_calls, sizeof(state_calls) / sizeof(*state_calls));
	else if (!err)
		err = allow_narrow(filter, &read_only);
	if (!err)
		err = seccomp_load(filter);
	seccomp_release(filter);
	return err ? error_set(error, err, "sandbox: filter of system calls: %s", strerror(-err))
		   : 0;
}

int sandbox_enter(const struct sandbox_options *options, struct error *error)
{
	int err;

#ifdef __SANITIZE_ADDRESS__
	__sanitizer_sandbox_on_notify(NULL); /* it reads /proc/self/maps now, for its reports */
#endif
	/* Both walls would stand around the programs too. */
	err = options->programs || options->libraries ? 0 : limit_files(options, error);
	if (!err)
		err = limit_resources(options, error);
	if (!err && !options->programs)
		err = limit_calls(options, error);
	return err;
}
