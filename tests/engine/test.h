/* SPDX-License-Identifier: Apache-2.0 */
/* Test: what the engine's unit tests share: cmocka, a scratch folder, a count of descriptors.
 *
 * A test is a static function of this file's neighbours; each file has its own main(). They
 * run from the top of the tree and print TAP when CMOCKA_MESSAGE_OUTPUT=TAP. */
#ifndef MOONPROBE_TEST_H
#define MOONPROBE_TEST_H

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT_OF(array) (sizeof(array) / sizeof(*(array)))

/* Ends the test as skipped, and says why. cmocka 1.1.5 writes a skipped test as `not ok 1 # SKIP`,
 * which prove takes for a failure; so in TAP it is one that passes, with the reason before it. */
#define SKIP(reason)                                                                               \
	do {                                                                                       \
		const char *form = getenv("CMOCKA_MESSAGE_OUTPUT");                                \
		print_message("# skipped: " reason "\n");                                          \
		if (form && !strcasecmp(form, "tap"))                                              \
			return;                                                                    \
		skip();                                                                            \
	} while (0)

/* How many descriptors this process has open. */
static inline int open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = -3; /* ".", ".." and the one that looks */

	assert_non_null(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

/* A new folder under /tmp. */
static inline void scratch_make(char folder[64])
{
	strcpy(folder, "/tmp/moonprobe-test-XXXXXX");
	assert_non_null(mkdtemp(folder));
}

static inline int scratch_unlink(const char *path, const struct stat *status, int type,
				 struct FTW *walk)
{
	(void)status;
	(void)type;
	(void)walk;
	return remove(path);
}

static inline void scratch_remove(const char *folder)
{
	nftw(folder, scratch_unlink, 8, FTW_DEPTH | FTW_PHYS);
}

/* FOLDER/NAME; valid until the fourth call from here. */
static inline const char *scratch_path(const char *folder, const char *name)
{
	static char paths[4][PATH_MAX];
	static int next;
	char *path = paths[next++ % 4];

	snprintf(path, PATH_MAX, "%s/%s", folder, name);
	return path;
}

static inline void scratch_write(const char *folder, const char *name, const char *text)
{
	int fd = open(scratch_path(folder, name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* A program of tests/targets, which is built beside this one; valid until the fourth call. */
static inline const char *target_path(const char *name)
{
	static char paths[4][PATH_MAX + 64];
	static int next;
	char own[PATH_MAX] = "", *path = paths[next++ % 4];

	assert_true(readlink("/proc/self/exe", own, sizeof(own) - 1) > 0);
	*strrchr(own, '/') = 0;
	snprintf(path, sizeof(paths[0]), "%s/../targets/%s", own, name);
	return path;
}

/* Makes empty files, and folders where a name ends with a slash; the names end with NULL. */
static inline void scratch_fill(const char *folder, const char *const *names)
{
	for (; *names; names++)
		if ((*names)[strlen(*names) - 1] == '/')
			assert_int_equal(mkdir(scratch_path(folder, *names), 0755), 0);
		else
			scratch_write(folder, *names, "");
}

/* The file's text, cut at `size`; "" when there is none. */
static inline void scratch_read(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? 0 : read(fd, text, size - 1);

	text[got > 0 ? got : 0] = 0;
	if (fd >= 0)
		close(fd);
}

#endif
