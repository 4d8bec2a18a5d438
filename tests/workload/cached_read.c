// SPDX-License-Identifier: Apache-2.0
#include "workload.h"

#include <fcntl.h>
#include <unistd.h>

static void read_pages(int fd, long count, char *room, long page)
{
	for (long i = 0; i < count; i++)
		if (pread(fd, room, page, i * page) != page)
			die("pread");
}

/* First all that is cached of it is dropped. It is said that reads are at random, or the kernel
 * would read ahead. */
static void run(char **arguments)
{
	long count = number(arguments[0]), page = sysconf(_SC_PAGESIZE);
	int fd = open_or_die(arguments[1], O_RDONLY);
	char *room = bytes_of(page);

	if (posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) ||
	    posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM))
		die("posix_fadvise");
	read_pages(fd, count, room, page);
	read_pages(fd, count, room, page);
	close(fd);
}

/* A device that nobody has open any more is written back and forgotten. */
static void run_write(char **arguments)
{
	long count = number(arguments[0]), page = sysconf(_SC_PAGESIZE);
	int fd = open_or_die(arguments[1], O_WRONLY);
	char *room = bytes_of(page);

	for (long i = 0; i < count; i++)
		if (pwrite(fd, room, page, i * page) != page)
			die("pwrite");
	close(fd);
}

WORKLOADS({"cached-read", 2, "N PATH", "N pages not in the page cache, and again", run},
	  {"cached-write", 2, "N PATH", "N whole pages into the page cache", run_write});
