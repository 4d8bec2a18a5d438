// SPDX-License-Identifier: Apache-2.0
/* What the tests of binaries look into: functions, some of them hard to name, and USDT probes.
 * "program wait" prints where its functions are and waits for the end of its input. */
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include <sys/sdt.h>

int library_greet(int times);

volatile long sink;

__attribute__((noinline)) long target_add(int a, long b)
{
	DTRACE_PROBE2(target, add, a, b);
	return a + b + sink;
}

__attribute__((noinline)) static long target_local(const char *text)
{
	DTRACE_PROBE3(target, text, text, (signed char)text[0], (unsigned short)7);
	return text[0] + sink;
}

/* Two sites of one probe. */
__attribute__((noinline)) long target_twice(long value)
{
	DTRACE_PROBE1(target, twice, value);
	sink += value;
	DTRACE_PROBE1(target, twice, (int)-5);
	return sink;
}

/* Calls itself. */
__attribute__((noinline)) long count_down(int n)
{
	long below = n > 0 ? count_down(n - 1) : 0;

	__asm__ volatile("" : "+r"(below)); /* is not made a loop */
	return below + n;
}

/* Another name of the same code. */
long target_alias(int a, long b) __attribute__((alias("target_add")));

static long one_kind(void)
{
	return 1;
}

static long (*choose(void))(void)
{
	return one_kind;
}
long target_chosen(void) __attribute__((ifunc("choose")));

int main(int argc, char **argv)
{
	char byte;

	DTRACE_PROBE(target, start);
	DTRACE_PROBE1(other, floating, 1.5);
	sink = target_add(argc, 2) + target_local(argv[0]) + target_twice(3) + target_chosen() +
	       target_alias(1, 2) + library_greet(1) + count_down(3);
	if (argc == 2 && !strcmp(argv[1], "wait")) {
		printf("%p %p %p %lx\n", (void *)target_add, (void *)target_local,
		       (void *)library_greet, getauxval(AT_SYSINFO_EHDR));
		fflush(stdout);
		while (read(0, &byte, 1) > 0)
			;
	}
	return 0;
}
