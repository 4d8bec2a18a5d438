// SPDX-License-Identifier: Apache-2.0
#include "workload.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

/* By number: which call the functions of the C library make differs from one to the other.
 * What is given is never read, so it has the size of the largest. */
static void run(char **arguments)
{
	const char *path = arguments[1];
	char room[1024];

	for (long i = number(arguments[0]); i > 0; i--) {
#ifdef SYS_stat
		if (syscall(SYS_stat, path, room) || syscall(SYS_lstat, path, room))
			die("stat");
#endif
		if (syscall(SYS_newfstatat, AT_FDCWD, path, room, AT_SYMLINK_NOFOLLOW))
			die("newfstatat");
		if (syscall(SYS_statx, AT_FDCWD, path, 0, STATX_BASIC_STATS, room))
			die("statx");
		if (syscall(SYS_statfs, path, room))
			die("statfs");
	}
}

static void run_missing(char **arguments)
{
	char room[1024];

	for (long i = number(arguments[0]); i > 0; i--)
		if (!syscall(SYS_newfstatat, AT_FDCWD, "/nonexistent/moonprobe", room, 0))
			die("newfstatat");
}

/* Of a descriptor: the path is empty. */
static void run_open(char **arguments)
{
	char room[1024];

	for (long i = number(arguments[0]); i > 0; i--)
		if (syscall(SYS_newfstatat, STDIN_FILENO, "", room, AT_EMPTY_PATH))
			die("newfstatat");
}

WORKLOADS({"stat", 2, "N PATH", "N times stat, lstat, newfstatat, statx, statfs", run},
	  {"stat-missing", 1, "N", "N times newfstatat of a path that is not there", run_missing},
	  {"stat-open", 1, "N", "N times newfstatat of a descriptor", run_open});
