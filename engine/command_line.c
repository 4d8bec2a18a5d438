// SPDX-License-Identifier: Apache-2.0
#include "command_line.h"

#include "privilege.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool verbose_libbpf;

static int libbpf_message(enum libbpf_print_level level, const char *format, va_list args)
{
	/* Quiet by default: whoever calls libbpf says in one line what failed. */
	if (!verbose_libbpf || level == LIBBPF_DEBUG)
		return 0;
	return vfprintf(stderr, format, args);
}

void setup_libbpf(bool verbose)
{
	verbose_libbpf = verbose;
	libbpf_set_print(libbpf_message);
	/* Not needed since kernel 5.11, and refused without CAP_SYS_RESOURCE. */
	libbpf_set_memlock_rlim(0);
}

/* Looks at the first bytes: a program or picture given by mistake is told as such. */
static int check_source(const char *file, struct error *error)
{
	struct stat status;
	char start[512];
	ssize_t got;
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return error_set(error, -errno, "%s: %s", file, strerror(errno));
	if (fstat(fd, &status) || !S_ISREG(status.st_mode)) {
		close(fd);
		return error_set(error, -EINVAL, "%s: is %s, not a Lua script", file,
				 S_ISDIR(status.st_mode) ? "a directory" : "no regular file");
	}
	got = read(fd, start, sizeof(start));
	close(fd);
	if (got < 0)
		return error_set(error, -errno, "%s: %s", file, strerror(errno));
	if (memchr(start, 0, got) || (got && start[0] == '\033'))
		return error_set(error, -EINVAL, "%s: is a binary file, not a Lua script", file);
	return 0;
}

static void set_file(struct script_source *source, struct script_options *options)
{
	const char *slash = strrchr(source->file, '/');

	snprintf(source->folder, sizeof(source->folder), "%.*s",
		 !slash			 ? 1
		 : slash == source->file ? 1
					 : (int)(slash - source->file),
		 slash ? source->file : ".");
	options->file = source->file;
	options->folder = source->folder;
}

static bool is_folder(const char *name)
{
	struct stat status;

	return !stat(name, &status) && S_ISDIR(status.st_mode);
}

int script_source_find(struct script_source *source, struct script_options *options,
		       struct error *error)
{
	const char *name = options->name;
	const struct asset *embedded;
	char asset[256], near[64];
	int fd, err;

	if (options->text) {
		options->folder = ".";
		return 0;
	}
	/* A folder here that is called profile or trace does not hide the tool. */
	if (strchr(name, '/') || (!access(name, F_OK) && !is_folder(name))) {
		if ((size_t)snprintf(source->file, sizeof(source->file), "%s", name) >=
		    sizeof(source->file))
			return error_set(error, -ENAMETOOLONG, "%.60s...: name too long", name);
		err = check_source(name, error);
		set_file(source, options);
		return err;
	}
	snprintf(asset, sizeof(asset), "scripts/%s.lua", name);
	fd = search_path_open(&options->path, asset, source->file, sizeof(source->file));
	if (fd >= 0) {
		close(fd);
		set_file(source, options);
		return 0;
	}
	embedded = asset_embedded(asset);
	if (embedded) {
		options->text = (const char *)embedded->bytes;
		return 0;
	}
	if (is_folder(name))
		return check_source(name, error);
	asset_nearest(&options->path, "scripts/", ".lua", name, near, sizeof(near));
	return error_set(error, -ENOENT, "no script file and no tool named '%s'%s%s%s", name,
			 *near ? "; did you mean '" : "", near, *near ? "'?" : "");
}

int check_kernel(struct error *error)
{
	int err = privilege_check(error);

	if (!err && access("/sys/kernel/btf/vmlinux", R_OK))
		err = error_set(error, -ENOENT,
				"the kernel has no BTF (/sys/kernel/btf/vmlinux: %s); it needs "
				"CONFIG_DEBUG_INFO_BTF=y",
				strerror(errno));
	return err;
}
