/* SPDX-License-Identifier: Apache-2.0 */
/* Golden: the texts a test expects, in a file beside the test.
 *
 *   scripts/execsnoop_test.lua  ->  scripts/execsnoop_test.golden
 *
 * A worker may write nothing, so the host does it. What is in it: stdlib/testing/golden.lua. */
#ifndef MOONPROBE_GOLDEN_H
#define MOONPROBE_GOLDEN_H

#include <stddef.h>

/* Opens it to read: a descriptor, or -errno. The path is written to `found`. */
int golden_open(const char *test, char *found, size_t size);

/* Writes what is in the file `from`, for whom the test belongs to; then as golden_open(). */
int golden_write(const char *test, int from, char *found, size_t size);

#endif
