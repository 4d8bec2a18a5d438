/* SPDX-License-Identifier: Apache-2.0 */
/* Nearest: the known name a misspelt one probably meant (edit distance). */
#ifndef MOONPROBE_NEAREST_H
#define MOONPROBE_NEAREST_H

#include <stdint.h>

#define NEAREST_NAME 64

struct nearest {
	char misspelt[NEAREST_NAME];
	char name[NEAREST_NAME];
	int distance, length;
	uint64_t letters;
};

void nearest_start(struct nearest *nearest, const char *misspelt);
void nearest_offer(struct nearest *nearest, const char *name);
const char *nearest_name(const struct nearest *nearest); /* "" when nothing is near */

#endif
