// SPDX-License-Identifier: Apache-2.0
/* What the tests of stacks look into: "chain N" has chain_leaf() called N times through
 * chain_outer -> chain_middle, and M more times from chain_outer itself with "chain N M"; each call
 * asks the kernel for its parent's pid. "chain spin MS" is busy in chain_spin() for so long. */
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

volatile long sink;

/* What follows a call keeps it from being a jump. */
__attribute__((noinline)) void chain_leaf(long number)
{
	sink += syscall(SYS_getppid) + number;
}

__attribute__((noinline)) void chain_middle(long number)
{
	chain_leaf(number);
	sink++;
}

__attribute__((noinline)) void chain_outer(long number, int direct)
{
	if (direct)
		chain_leaf(number);
	else
		chain_middle(number);
	sink++;
}

__attribute__((noinline)) void chain_spin(long ms)
{
	clock_t end = clock() + ms * (CLOCKS_PER_SEC / 1000);

	while (clock() < end)
		for (int i = 0; i < 1000000; i++)
			sink++;
}

int main(int argc, char **argv)
{
	long calls = argc > 1 ? atol(argv[1]) : 1, direct = argc > 2 ? atol(argv[2]) : 0;

	if (argc > 2 && !strcmp(argv[1], "spin")) {
		chain_spin(direct);
		return 0;
	}
	for (long i = 0; i < calls; i++)
		chain_outer(i, 0);
	for (long i = 0; i < direct; i++)
		chain_outer(i, 1);
	return 0;
}
