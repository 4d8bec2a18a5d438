// SPDX-License-Identifier: Apache-2.0
/* load: the process that the benchmarked tools trace.
 *
 *   load exec     executes itself again every half millisecond, always as the same process
 *   load flood    "N\n" on stdin: N times getppid(2), then "CPU_NS WALL_NS\n" on stdout
 *
 * exec goes on until it is killed; flood ends with its stdin. For filters that let next to
 * nothing pass, flood makes one getuid(2) a line, and for that time is called "curl". */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/sdt.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int64_t now(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return time.tv_sec * 1000000000ll + time.tv_nsec;
}

/* argv[0] is a path, and its last part becomes the name tools show. */
static int run_exec(char **argv)
{
	nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
	execv(argv[0], argv);
	perror(argv[0]);
	return 1;
}

static void make_exception(void)
{
	char name[16];

	prctl(PR_GET_NAME, name);
	prctl(PR_SET_NAME, "curl");
	syscall(SYS_getuid);
	prctl(PR_SET_NAME, name);
}

static int run_flood(void)
{
	long count;

	while (scanf("%ld", &count) == 1) {
		int64_t cpu = now(CLOCK_PROCESS_CPUTIME_ID), wall = now(CLOCK_MONOTONIC);

		for (long i = 0; i < count; i++) {
			DTRACE_PROBE1(load, call, i); /* a nop until somebody looks */
			syscall(SYS_getppid);
		}
		cpu = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
		wall = now(CLOCK_MONOTONIC) - wall;
		make_exception();
		printf("%lld %lld\n", (long long)cpu, (long long)wall);
		fflush(stdout);
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "exec"))
		return run_exec(argv);
	if (argc == 2 && !strcmp(argv[1], "flood"))
		return run_flood();
	fputs("usage: load exec | flood\n", stderr);
	return 2;
}
