// SPDX-License-Identifier: Apache-2.0
#include "golden.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define GOLDEN_BYTES (16 << 20) /* more is no text that anybody compares */

static int path_of(const char *test, char *path, size_t size)
{
	size_t length = strlen(test);

	if (length > 4 && !strcmp(test + length - 4, ".lua"))
		length -= 4;
	return (size_t)snprintf(path, size, "%.*s.golden", (int)length, test) < size
		       ? 0
		       : -ENAMETOOLONG;
}

int golden_open(const char *test, char *found, size_t size)
{
	int err = path_of(test, found, size), fd;
	struct stat status;

	if (err)
		return err;
	fd = open(found, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &status) || !S_ISREG(status.st_mode)) {
		close(fd);
		return -EINVAL;
	}
	return fd;
}

/* 0 or -errno. */
static int copy(int from, int to)
{
	char part[16384];
	off_t at = 0;
	ssize_t got;

	while ((got = pread(from, part, sizeof(part), at)) > 0) {
		if (at + got > GOLDEN_BYTES)
			return -EFBIG;
		if (write(to, part, got) != got)
			return -EIO;
		at += got;
	}
	return got < 0 ? -errno : 0;
}

int golden_write(const char *test, int from, char *found, size_t size)
{
	int err = path_of(test, found, size), fd;
	struct stat owner;

	if (err)
		return err;
	fd = open(found, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW, 0644);
	if (fd < 0)
		return -errno;
	err = copy(from, fd);
	/* Tests that are run as root should not leave files of root's. */
	if (!err && !geteuid() && !stat(test, &owner) && fchown(fd, owner.st_uid, owner.st_gid))
		err = -errno;
	close(fd);
	return err ? err : golden_open(test, found, size);
}
