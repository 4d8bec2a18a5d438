// SPDX-License-Identifier: Apache-2.0
#include "workload.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

static void run(char **arguments)
{
	long count = number(arguments[0]), page = sysconf(_SC_PAGESIZE);
	volatile char *memory;

	if (!count)
		return;
	memory = mmap(NULL, count * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		      0);
	if (memory == MAP_FAILED)
		die("mmap");
	/* EINVAL: the kernel has no huge pages to be kept from. */
	if (madvise((void *)memory, count * page, MADV_NOHUGEPAGE) && errno != EINVAL)
		die("madvise");
	for (long i = 0; i < count; i++)
		memory[i * page] = 1;
}

WORKLOADS({"fault", 1, "N", "N page faults, beside those of the start", run});
