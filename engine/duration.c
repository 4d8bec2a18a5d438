// SPDX-License-Identifier: Apache-2.0
#include "duration.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct unit {
	const char *name;
	double factor;
};

static int parse(const char *text, const struct unit *units, double *value)
{
	char *end;

	/* strtod(3) also knows signs, spaces, exponents, hexadecimal, inf and nan. */
	*value = strtod(text, &end);
	if (*text < '0' || *text > '9' || end != text + strspn(text, "0123456789."))
		return -EINVAL;
	for (const struct unit *unit = units; unit->name; unit++)
		if (!strcmp(end, unit->name)) {
			*value *= unit->factor;
			return *value < 9e18 ? 0 : -EINVAL;
		}
	return -EINVAL;
}

int duration_parse(const char *text, uint64_t *ns)
{
	static const struct unit units[] = {
		{"ns", 1},   {"us", 1e3},   {"ms", 1e6}, {"s", 1e9},
		{"m", 60e9}, {"h", 3600e9}, {NULL, 0},
	};
	double value;

	if (parse(text, units, &value))
		return -EINVAL;
	*ns = (uint64_t)value;
	return 0;
}

int size_parse(const char *text, size_t *bytes)
{
	static const struct unit units[] = {
		{"", 1}, {"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {NULL, 0},
	};
	double value;

	if (parse(text, units, &value))
		return -EINVAL;
	*bytes = (size_t)value;
	return 0;
}
