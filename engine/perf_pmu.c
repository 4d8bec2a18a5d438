// SPDX-License-Identifier: Apache-2.0
#include "perf_pmu.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The first number in a file, or -errno. */
static int read_number(const char *name, const char *file)
{
	char path[256], line[64] = "";
	const char *digits;
	FILE *from;

	snprintf(path, sizeof(path), "/sys/bus/event_source/devices/%s/%s", name, file);
	from = fopen(path, "re");
	if (!from)
		return -errno;
	digits = fgets(line, sizeof(line), from) ? strpbrk(line, "0123456789") : NULL;
	fclose(from);
	return digits ? atoi(digits) : -EINVAL;
}

int perf_pmu_type(const char *name)
{
	return read_number(name, "type");
}

int perf_pmu_bit(const char *name, const char *format)
{
	char file[64];
	int bit;

	snprintf(file, sizeof(file), "format/%s", format);
	bit = read_number(name, file); /* "config:0" */
	return bit < 0 ? 0 : bit;
}
