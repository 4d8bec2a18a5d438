// SPDX-License-Identifier: Apache-2.0
#include "stubs.h"

#include "check.h"
#include "error.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST_PROBES 1024

struct names {
	char *names[MOST_PROBES];
	int count;
};

static int keep_name(const char *name, void *context)
{
	struct names *list = context;

	if (list->count == MOST_PROBES)
		return -E2BIG;
	list->names[list->count] = strdup(name);
	return list->names[list->count] ? (list->count++, 0) : -ENOMEM;
}

static int check_types(const struct search_path *path, int argc, char **argv)
{
	struct script_options options = SCRIPT_OPTIONS_PRESET;

	options.name = "types";
	options.text = "require('moonprobe.types.all').write()";
	options.folder = ".";
	options.check = true;
	options.allow = "stdlib";
	options.path = *path;
	options.argc = argc;
	options.argv = argv;
	return check_script(&options);
}

/* Runs the generator with `fd` as its stdout. 0 or -errno. */
static int generate(const struct search_path *path, int fd)
{
	struct names probes = {.count = 0};
	int ours = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3), err;

	if (ours < 0)
		return -errno;
	err = asset_each(path, "probes/", ".bpf.o", keep_name, &probes);
	fflush(stdout);
	if (!err && dup2(fd, STDOUT_FILENO) < 0)
		err = -errno;
	if (!err && check_types(path, probes.count, probes.names))
		err = -EPROTO;
	dup2(ours, STDOUT_FILENO);
	close(ours);
	while (probes.count)
		free(probes.names[--probes.count]);
	return err;
}

int stubs_make_folders(const char *file)
{
	char part[4096];

	for (const char *slash = strchr(file, '/'); slash; slash = strchr(slash + 1, '/')) {
		snprintf(part, sizeof(part), "%.*s", (int)(slash - file), file);
		if (*part && mkdir(part, 0755) && errno != EEXIST)
			return -errno;
	}
	return 0;
}

static int write_file(const char *file, const char *text, size_t size)
{
	int err = stubs_make_folders(file);
	FILE *out = err ? NULL : fopen(file, "we");

	if (!err && !out)
		err = -errno;
	if (out) {
		if (fwrite(text, 1, size, out) != size)
			err = -EIO;
		if (fclose(out))
			err = -errno;
	}
	if (err)
		error_print("%s: %s", file, strerror(-err));
	return err;
}

/* A name the worker may choose: it stays below the folder. */
static bool is_stub_name(const char *name, size_t length)
{
	if (!length || *name == '/' || memmem(name, length, "..", 2))
		return false;
	for (size_t i = 0; i < length; i++)
		if (!isalnum((unsigned char)name[i]) && !strchr("_/.", name[i]))
			return false;
	return true;
}

/* "NAME BYTES\n" and the bytes, again and again. Files written, or -errno. */
static int split(const char *folder, const char *text, size_t size)
{
	const char *end = text + size;
	int count = 0;

	while (text < end) {
		const char *line = memchr(text, '\n', end - text);
		const char *space = line ? memchr(text, ' ', line - text) : NULL;
		char file[4096];
		size_t bytes;
		int err;

		if (!space || !is_stub_name(text, space - text))
			return -EPROTO;
		bytes = strtoul(space + 1, NULL, 10);
		if (bytes > (size_t)(end - line - 1))
			return -EPROTO;
		if ((size_t)snprintf(file, sizeof(file), "%s/%.*s", folder, (int)(space - text),
				     text) >= sizeof(file))
			return -ENAMETOOLONG;
		err = write_file(file, line + 1, bytes);
		if (err)
			return err;
		text = line + 1 + bytes;
		count++;
	}
	return count ? count : -EPROTO;
}

int stubs_write(const struct search_path *path, const char *folder)
{
	int fd = memfd_create("stubs", MFD_CLOEXEC), err;
	struct stat status;
	char *text;

	if (fd < 0 || generate(path, fd)) {
		err = fd < 0 ? -errno : -EPROTO; /* which has been told */
		goto done;
	}
	err = fstat(fd, &status) ? -errno : 0;
	if (err || !status.st_size) {
		err = err ? err : -EPROTO;
		goto done;
	}
	text = mmap(NULL, status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (text == MAP_FAILED) {
		err = -errno;
		goto done;
	}
	err = split(folder, text, status.st_size);
	munmap(text, status.st_size);
done:
	if (fd >= 0)
		close(fd);
	return err;
}
