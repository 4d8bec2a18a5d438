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

/* Which characters a name has. An edit adds or removes at most two of them. */
static uint64_t letters_of(const char *name, int length)
{
	uint64_t letters = 0;

	for (int i = 0; i < length; i++)
		letters |= 1ULL << (name[i] & 63);
	return letters;
}

/* Edits it takes at least: a look that spares nearly all of 200,000 names the real count. */
static int distance_at_least(const struct nearest *nearest, const char *name)
{
	int length = (int)strnlen(name, NEAREST_NAME - 1);
	int longer = length - nearest->length;
	int letters = __builtin_popcountll(nearest->letters ^ letters_of(name, length));

	longer = longer < 0 ? -longer : longer;
	return (letters + 1) / 2 > longer ? (letters + 1) / 2 : longer;
}

void nearest_start(struct nearest *nearest, const char *misspelt)
{
	snprintf(nearest->misspelt, sizeof(nearest->misspelt), "%s", misspelt);
	nearest->name[0] = 0;
	nearest->length = (int)strlen(nearest->misspelt);
	nearest->letters = letters_of(nearest->misspelt, nearest->length);
	/* Farther than half the word is another word. */
	nearest->distance = nearest->length / 2 + 1;
}

void nearest_offer(struct nearest *nearest, const char *name)
{
	/* No farther: names are of any file, and there may be many that go on and on. */
	size_t length = strnlen(name, NEAREST_NAME);
	const char *part = memmem(name, length, nearest->misspelt, nearest->length);
	int away;

	/* Part of a longer name is what people type when they guess, above all its start. */
	if (part && nearest->length >= 3)
		away = part == name ? 0 : 1;
	else if (distance_at_least(nearest, name) >= nearest->distance)
		return;
	else
		away = distance(nearest->misspelt, name);
	/* Of names that begin so, the shortest has the least to guess. */
	if (away < nearest->distance || (!away && length < strlen(nearest->name))) {
		nearest->distance = away;
		snprintf(nearest->name, sizeof(nearest->name), "%.*s", (int)length, name);
	}
}

const char *nearest_name(const struct nearest *nearest)
{
	return nearest->name;
}
