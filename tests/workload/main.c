// SPDX-License-Identifier: Apache-2.0
/* workload: makes a known number of real kernel events, for live tests.
 *
 *   workload tcp 10 1000      10 connections over loopback, 1000 bytes each way
 *   workload tcp 10 , open 5 /dev/null   one after the other, in one process
 *
 * A subcommand does its thing exactly as often as asked and nothing else of that kind, and
 * prints nothing unless it fails. Link it statically: a dynamic loader would open, read and
 * map files of its own before main(). Exit status: 0, 1 when something went wrong, 2 for
 * a wrong command line. */
#include "workload.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct workload *workloads; /* by name */

void workload_add(struct workload *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct workload **place = &workloads;

		while (*place && strcmp((*place)->name, list[i].name) < 0)
			place = &(*place)->next;
		list[i].next = *place;
		*place = &list[i];
	}
}

long number(const char *text)
{
	char *end;
	long value;

	errno = 0;
	value = strtol(text, &end, 0);
	if (errno || end == text || *end || value < 0) {
		fprintf(stderr, "workload: not a number: %s\n", text);
		exit(2);
	}
	return value;
}

long number_or(char **arguments, int index, long standard)
{
	for (int i = 0; i <= index; i++)
		if (!arguments[i])
			return standard;
	return number(arguments[index]);
}

static void help(FILE *to)
{
	fputs("usage: workload COMMAND [ARGUMENT ...] [, COMMAND ...]\n", to);
	for (const struct workload *one = workloads; one; one = one->next)
		fprintf(to, "  %-14s %-13s %s\n", one->name, one->arguments, one->about);
}

static const struct workload *workload_named(const char *name)
{
	for (const struct workload *one = workloads; name && one; one = one->next)
		if (!strcmp(name, one->name))
			return one;
	help(stderr);
	exit(2);
}

/* Runs the command at the start of the list; what follows its arguments, NULL at the end. */
static char **run_first(char **words)
{
	const struct workload *workload = workload_named(words[0]);
	int count = 0;
	char **rest;

	while (words[count + 1] && strcmp(words[count + 1], ","))
		count++;
	if (count < workload->required) {
		fprintf(stderr, "usage: workload %s %s\n", workload->name, workload->arguments);
		exit(2);
	}
	rest = words[count + 1] ? words + count + 2 : NULL;
	words[count + 1] = NULL;
	workload->run(words + 1);
	return rest;
}

int main(int argc, char **argv)
{
	char **words = argv + 1;

	if (argc > 1 && !strcmp(argv[1], "--help")) {
		help(stdout);
		return 0;
	}
	do
		words = run_first(words);
	while (words);
	return 0;
}
