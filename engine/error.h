/* SPDX-License-Identifier: Apache-2.0 */
/* Error: one line that says what failed, where, why and what to do.
 *
 * A function that can fail in a way a user should read about takes a `struct error *` last,
 * fills it once, where it knows most, and returns the -errno. The caller that decides what
 * to do prints it, once. */
#ifndef MOONPROBE_ERROR_H
#define MOONPROBE_ERROR_H

struct error {
	char text[600];
};

/* Writes the line and returns `err` (a -errno), so that it can end a function. */
int error_set(struct error *error, int err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* "moonprobe: LINE" to stderr. */
void error_print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same of something with a name: "moonprobe: NAME: LINE". A line that starts with the name, as
 * Lua's own do with file and line, gets it once. */
void error_about(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
