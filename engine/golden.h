/* SPDX-License-Identifier: Apache-2.0 */
/* Golden: the text a test expects, in a file beside the test.
 *
 *   scripts/execsnoop_test.lua, "wide"  ->  scripts/execsnoop_test.wide.golden
 *
 * A worker may write nothing, so the host does it; no name leads to any other file. */
#ifndef MOONPROBE_GOLDEN_H
#define MOONPROBE_GOLDEN_H

#include <stddef.h>

/* Opens it to read: a descriptor, or -errno; -EINVAL: a name with more than letters, digits, - and
 * _. The path is written to `found`. */
int golden_open(const char *test, const char *name, char *found, size_t size);

/* Writes what is in the file `from`, for whom the test belongs to; then as golden_open(). */
int golden_write(const char *test, const char *name, int from, char *found, size_t size);

#endif
