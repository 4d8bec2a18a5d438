/* SPDX-License-Identifier: Apache-2.0 */
/* Workload: one of the commands, and what all of them use.
 *
 *	static void run(char **arguments)
 *	{
 *		for (long i = number(arguments[0]); i > 0; i--)
 *			syscall(SYS_getppid);
 *	}
 *
 *	WORKLOADS({"syscall", 1, "N", "N times getppid", run});
 *
 * A file with these lines is all that a new one needs. It does its thing exactly as often as
 * asked and nothing else of that kind. */
#ifndef MOONPROBE_WORKLOAD_H
#define MOONPROBE_WORKLOAD_H

#include <stddef.h>
#include <sys/types.h>

struct workload {
	const char *name;
	int required; /* so many arguments at least */
	const char *arguments;
	const char *about;
	void (*run)(char **arguments); /* that end with NULL */
	struct workload *next;
};

/* Comes before main(), so it does nothing that a test could count. */
void workload_add(struct workload *list, size_t count);

#define WORKLOADS(...)                                                                             \
	static struct workload own[] = {__VA_ARGS__};                                              \
	__attribute__((constructor)) static void add_own(void)                                     \
	{                                                                                          \
		workload_add(own, sizeof(own) / sizeof(own[0]));                                   \
	}

/* Arguments; a wrong one ends the program with 2. */
long number(const char *text);
long number_or(char **arguments, int index, long standard);

/* What fails from here on ends it with 1. */
__attribute__((noreturn, format(printf, 1, 2))) void die(const char *format, ...);
void *bytes_of(size_t count);
int open_or_die(const char *path, int flags);
pid_t fork_or_die(void);
void wait_for(pid_t child); /* it must exit with 0 */

#endif
