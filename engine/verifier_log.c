// SPDX-License-Identifier: Apache-2.0
#include "verifier_log.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "12: (79) ..." */
static int instruction_of(const char *line)
{
	char *end;
	long number;

	if (!isdigit((unsigned char)*line))
		return -1;
	number = strtol(line, &end, 10);
	return !strncmp(end, ": (", 3) ? (int)number : -1;
}

/* What is no reason: states of registers, statistics. */
static int is_filling(const char *line)
{
	return !*line || *line == '\n' || isdigit((unsigned char)*line) || *line == ';' ||
	       !strncmp(line, "processed ", 10) || !strncmp(line, "from ", 5) ||
	       !strncmp(line, "verification time", 17) || !strncmp(line, "stack depth", 11) ||
	       !strncmp(line, "mark_precise", 12) || !strncmp(line, "caller", 6) ||
	       !strncmp(line, "callee", 6) || *line == ' ';
}

int verifier_log_end(const char *log, char *reason, size_t size)
{
	int last = -1;

	*reason = 0;
	while (*log) {
		int length = (int)strcspn(log, "\n"), number = instruction_of(log);

		if (number >= 0) {
			last = number;
			*reason = 0;
		} else if (!is_filling(log)) {
			size_t said = strlen(reason);

			snprintf(reason + said, size - said, "%s%.*s", said ? "; " : "", length,
				 log);
		}
		log += length + (log[length] == '\n');
	}
	return last;
}
