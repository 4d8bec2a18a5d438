// SPDX-License-Identifier: Apache-2.0
#include "workload.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

/* One page is written before each round, so that there is something to wait for. */
static void run(char **arguments)
{
	long count = number(arguments[0]), page = sysconf(_SC_PAGESIZE);
	int fd = open_or_die(arguments[1], O_RDWR | O_CREAT);
	char *mapped;

	if (ftruncate(fd, page))
		die("ftruncate");
	mapped = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (mapped == MAP_FAILED)
		die("mmap");
	for (long i = 0; i < count; i++) {
		mapped[0] = i;
		if (msync(mapped, page, MS_SYNC) || fsync(fd) || fdatasync(fd) || syncfs(fd) ||
		    sync_file_range(fd, 0, page, SYNC_FILE_RANGE_WRITE))
			die("sync");
	}
	munmap(mapped, page);
	close(fd);
}

static void run_all(char **arguments)
{
	for (long i = number(arguments[0]); i > 0; i--)
		sync();
}

static void run_wrong(char **arguments)
{
	for (long i = number(arguments[0]); i > 0; i--)
		if (!fsync(-1))
			die("fsync");
}

WORKLOADS({"sync", 2, "N PATH", "N times msync, fsync, fdatasync, syncfs, sync_file_range", run},
	  {"sync-all", 1, "N", "N times sync(2)", run_all},
	  {"sync-wrong", 1, "N", "N times fsync of a descriptor that is none", run_wrong});
