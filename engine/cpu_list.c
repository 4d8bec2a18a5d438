// SPDX-License-Identifier: Apache-2.0
#include "cpu_list.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static int read_number(const char **at)
{
	int number = 0;

	if (!isdigit((unsigned char)**at))
		return -1;
	while (isdigit((unsigned char)**at) && number < CPUS_MOST)
		number = 10 * number + *(*at)++ - '0';
	return number < CPUS_MOST ? number : -1;
}

int cpu_list_parse(const char *text, int **out)
{
	int *cpus = calloc(CPUS_MOST, sizeof(*cpus)), count = 0;
	const char *at = text;

	if (!cpus)
		return -ENOMEM;
	for (;;) {
		int first = read_number(&at), last = first;

		if (*at == '-') {
			at++;
			last = read_number(&at);
		}
		/* In order, so there are no more than the table has room for. */
		if (first < 0 || last < first || (count && first <= cpus[count - 1]))
			break;
		while (first <= last)
			cpus[count++] = first++;
		if (*at == ',') {
			at++;
			continue;
		}
		if (*at && *at != '\n')
			break;
		*out = cpus;
		return count;
	}
	free(cpus);
	return -EINVAL;
}

int cpu_list_online(int **cpus)
{
	FILE *online = fopen("/sys/devices/system/cpu/online", "re");
	char text[4096] = "";
	int err;

	if (!online)
		return -errno;
	err = fgets(text, sizeof(text), online) ? 0 : -EIO;
	fclose(online);
	return err ? err : cpu_list_parse(text, cpus);
}
