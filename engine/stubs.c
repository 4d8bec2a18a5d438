// SPDX-License-Identifier: Apache-2.0
#include "stubs.h"

#include "check.h"

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

/* Runs the generator with `fd` as its stdout. */
static int generate(const struct search_path *path, int fd, struct error *error)
{
	struct names probes = {.count = 0};
	int ours = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	int err = ours < 0 ? -errno : asset_each(path, "probes/", ".bpf.o", keep_name, &probes);

	fflush(stdout);
	if (!err && dup2(fd, STDOUT_FILENO) < 0)
		err = -errno;
	if (err)
		error_set(error, err, "types: %s", strerror(-err));
	else if (check_types(path, probes.count, probes.names))
		err = error_set(error, -EPROTO, "types: nothing was written");
	if (ours >= 0) {
		dup2(ours, STDOUT_FILENO);
		close(ours);
	}
	while (probes.count)
		free(probes.names[--probes.count]);
	return err;
}

/* Those above a file. */
static int make_folders(const char *file)
{
	char part[4096];

	for (const char *slash = strchr(file, '/'); slash; slash = strchr(slash + 1, '/')) {
		snprintf(part, sizeof(part), "%.*s", (int)(slash - file), file);
		if (*part && mkdir(part, 0755) && errno != EEXIST)
			return -errno;
	}
	return 0;
}

static int write_file(const char *file, const char *text, size_t size, struct error *error)
{
	int err = make_folders(file);
	FILE *out = err ? NULL : fopen(file, "we");

	if (!err && !out)
		err = -errno;
	if (out) {
		if (fwrite(text, 1, size, out) != size)
			err = -EIO;
		if (fclose(out))
			err = -errno;
	}
	return err ? error_set(error, err, "%s: %s", file, strerror(-err)) : 0;
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
static int split(const char *folder, const char *text, size_t size, struct error *error)
{
	const char *end = text + size;
	int count = 0;

	while (text < end) {
		const char *line = memchr(text, '\n', end - text);
		const char *space = line ? memchr(text, ' ', line - text) : NULL;
		size_t length = space ? space - text : 0, bytes;
		char file[4096];
		int err;

		bytes = space ? strtoul(space + 1, NULL, 10) : 0;
		if (!is_stub_name(text, length) || bytes > (size_t)(end - line - 1))
			return error_set(error, -EPROTO,
					 "types: the worker wrote no list of files");
		if ((size_t)snprintf(file, sizeof(file), "%s/%.*s", folder, (int)length, text) >=
		    sizeof(file))
			return error_set(error, -ENAMETOOLONG, "%.60s...: name too long", folder);
		err = write_file(file, line + 1, bytes, error);
		if (err)
			return err;
		text = line + 1 + bytes;
		count++;
	}
	return count;
}

/* What the generator wrote, as files. */
static int write_all(const char *folder, int fd, struct error *error)
{
	struct stat status;
	char *text = MAP_FAILED;
	int count;

	if (!fstat(fd, &status) && status.st_size)
		text = mmap(NULL, status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (text == MAP_FAILED)
		return error_set(error, -EPROTO, "types: the worker wrote nothing");
	count = split(folder, text, status.st_size, error);
	munmap(text, status.st_size);
	return count;
}

int stubs_write(const struct search_path *path, const char *folder, struct error *error)
{
	int fd = memfd_create("stubs", MFD_CLOEXEC), err;

	if (fd < 0)
		return error_set(error, -errno, "types: memory: %s", strerror(errno));
	err = generate(path, fd, error);
	if (!err)
		err = write_all(folder, fd, error);
	close(fd);
	return err;
}
