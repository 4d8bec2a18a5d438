// SPDX-License-Identifier: Apache-2.0
/* A library with a function in two versions, and a probe with a semaphore. */
#define _SDT_HAS_SEMAPHORES 1
#include <sys/sdt.h>

unsigned short library_greet_semaphore __attribute__((section(".probes")));

int library_greet_new(int times);
int library_greet_old(int times);

__attribute__((noinline, symver("library_greet@@LIBRARY_2"))) int library_greet_new(int times)
{
	STAP_PROBE1(library, greet, times);
	return times;
}

__attribute__((noinline, symver("library_greet@LIBRARY_1"))) int library_greet_old(int times)
{
	return times + 1;
}
