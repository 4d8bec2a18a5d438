// SPDX-License-Identifier: Apache-2.0
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_source(const char *file, int memory, struct error *error)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat status;
	char part[16384];
	ssize_t got;

	if (fd < 0)
		return error_set(error, -errno, "%s: %s", file, strerror(errno));
	if (fstat(fd, &status) || !S_ISREG(status.st_mode)) {
		close(fd);
		return error_set(error, -EINVAL, "%s: is no regular file any more", file);
	}
	while ((got = read(fd, part, sizeof(part))) > 0)
		if (write(memory, part, got) != got)
			got = -1;
	close(fd);
	return got ? error_set(error, -EIO, "%s: cannot be read: %s", file, strerror(errno)) : 0;
}

int source_open(const struct script_options *options, struct error *error)
{
	int fd = memfd_create("source", MFD_CLOEXEC), err = 0;

	if (fd < 0)
		return error_set(error, -errno, "%s: memfd_create: %s", options->name,
				 strerror(errno));
	if (options->file)
		err = read_source(options->file, fd, error);
	else if (write(fd, options->text, strlen(options->text)) != (ssize_t)strlen(options->text))
		err = error_set(error, -EIO, "%s: cannot be handed over", options->name);
	if (err)
		close(fd);
	return err ? err : fd;
}
