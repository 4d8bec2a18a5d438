// SPDX-License-Identifier: Apache-2.0
#include "nearest.h"

#include <stdio.h>
#include <string.h>

static int smaller(int a, int b)
{
	return a < b ? a : b;
}

/* Edits that make b of a: insert, delete, replace, swap neighbours. Names are cut at
 * NEAREST_NAME - 1. */
static int distance(const char *a, const char *b)
{
	int rows[3][NEAREST_NAME];
	int *before = rows[0], *above = rows[1], *row = rows[2];
	int width = smaller((int)strlen(b), NEAREST_NAME - 1);

	for (int j = 0; j <= width; j++)
		row[j] = j;
	for (int i = 0; a[i]; i++) {
		int *oldest = before;

		before = above;
		above = row;
		row = oldest;
		row[0] = i + 1;
		for (int j = 0; j < width; j++) {
			row[j + 1] = smaller(smaller(above[j + 1], row[j]) + 1,
					     above[j] + (a[i] != b[j]));
			if (i && j && a[i] == b[j - 1] && a[i - 1] == b[j])
				row[j + 1] = smaller(row[j + 1], before[j - 1] + 1);
		}
	}
	return row[width];
}

void nearest_start(struct nearest *nearest, const char *misspelt)
{
	snprintf(nearest->misspelt, sizeof(nearest->misspelt), "%s", misspelt);
	nearest->name[0] = 0;
	/* Farther than half the word is another word. */
	nearest->distance = (int)strlen(nearest->misspelt) / 2 + 1;
}

void nearest_offer(struct nearest *nearest, const char *name)
{
	int away = distance(nearest->misspelt, name);

	const char *part = strstr(name, nearest->misspelt);

	/* Part of a longer name is what people type when they guess, above all its start. */
	if (part && strlen(nearest->misspelt) >= 3)
		away = part == name ? 0 : 1;
	if (away < nearest->distance) {
		nearest->distance = away;
		snprintf(nearest->name, sizeof(nearest->name), "%s", name);
	}
}

const char *nearest_name(const struct nearest *nearest)
{
	return nearest->name;
}
