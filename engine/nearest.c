// SPDX-License-Identifier: Apache-2.0
#include "nearest.h"

#include <stdio.h>
#include <string.h>

static int smaller(int a, int b)
{
	return a < b ? a : b;
}

/* Levenshtein distance, names cut at NEAREST_NAME - 1. */
static int distance(const char *a, const char *b)
{
	int row[NEAREST_NAME];
	int width = smaller((int)strlen(b), NEAREST_NAME - 1);

	for (int j = 0; j <= width; j++)
		row[j] = j;
	for (int i = 0; a[i]; i++) {
		int diagonal = row[0];

		row[0] = i + 1;
		for (int j = 0; j < width; j++) {
			int above = row[j + 1];

			row[j + 1] = smaller(smaller(above, row[j]) + 1, diagonal + (a[i] != b[j]));
			diagonal = above;
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

	/* The start of a longer name is what people type when they guess. */
	if (strlen(nearest->misspelt) >= 3 && strstr(name, nearest->misspelt))
		away = 1;
	if (away < nearest->distance) {
		nearest->distance = away;
		snprintf(nearest->name, sizeof(nearest->name), "%s", name);
	}
}

const char *nearest_name(const struct nearest *nearest)
{
	return nearest->name;
}
