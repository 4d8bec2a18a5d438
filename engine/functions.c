// SPDX-License-Identifier: Apache-2.0
#include "functions.h"

#include "hook.h"
#include "kernel_btf.h"
#include "nearest.h"

#include <bpf/btf.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* More than any kernel's list has (5 MB for 120,000 symbols). */
#define LIST_BYTES (256u << 20)
#define NEAREST_NS 2000000000ULL /* far more than any machine needs: it is an error that waits */
#define TOO_LATE ~0u

/* What of a pattern is asked of each name. */
struct wanted {
	char module[64]; /* wildcard; "" any */
	char name[256];
	size_t fixed; /* bytes of the name before the first wildcard */
	bool wildcard, pieces;
};

bool functions_is_wildcard(const char *pattern)
{
	return strpbrk(pattern, "*?[");
}

static int parse(const char *pattern, struct wanted *wanted, struct error *error)
{
	const char *colon = strchr(pattern, ':'), *name = colon ? colon + 1 : pattern;

	memset(wanted, 0, sizeof(*wanted));
	if (!*name || strlen(name) >= sizeof(wanted->name) ||
	    (colon && (size_t)(colon - pattern) >= sizeof(wanted->module)))
		return error_set(error, -EINVAL, "'%s' is no name of a kernel function", pattern);
	if (colon)
		memcpy(wanted->module, pattern, colon - pattern);
	strcpy(wanted->name, name);
	wanted->fixed = strcspn(name, "*?[");
	wanted->wildcard = name[wanted->fixed];
	wanted->pieces = strchr(name, '.');
	return 0;
}

static bool starts(const char *name, const char *prefix)
{
	return !strncmp(name, prefix, strlen(prefix));
}

/* A name that a wildcard does not mean. */
static bool is_left_out(const struct wanted *wanted, const char *name, const char *module)
{
	/* Compiled BPF programs and trampolines are in kallsyms (bpf_jit_kallsyms), as are those
	 * of ftrace and kprobes. No probe can be set in them. */
	if (!strcmp(module, "bpf") || starts(module, "__builtin__"))
		return true;
	if (!wanted->wildcard)
		return false;
	/* What ftrace calls functions that have been overridden by the linker since 6.0. */
	if (starts(name, "__ftrace_invalid_address__"))
		return true;
	if ((starts(name, "__pfx_") && !starts(wanted->name, "__pfx_")) ||
	    (starts(name, "__cfi_") && !starts(wanted->name, "__cfi_")))
		return true;
	if (wanted->pieces)
		return false;
	return strstr(name, ".cold") || strstr(name, ".part.");
}

static bool matches(const struct wanted *wanted, const char *name, const char *module)
{
	if (strncmp(name, wanted->name, wanted->fixed))
		return false;
	if (!wanted->wildcard ? name[wanted->fixed] : fnmatch(wanted->name, name, 0))
		return false;
	if (*wanted->module && fnmatch(wanted->module, *module ? module : "vmlinux", 0))
		return false;
	return !is_left_out(wanted, name, module);
}

/* All of a file in the kernel, which knows no size: NULL and errno. Ends in a newline and 0. */
static char *read_all(int fd)
{
	size_t size = 0, room = 0;
	char *text = NULL;

	for (;;) {
		ssize_t got;

		if (room - size < 65536) {
			char *larger = realloc(text, room = room ? 2 * room : 1 << 20);

			if (!larger || room > LIST_BYTES) {
				free(larger ? larger : text);
				errno = ENOMEM;
				return NULL;
			}
			text = larger;
		}
		got = read(fd, text + size, room - size - 2);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			free(text);
			return NULL;
		}
		if (!got)
			break;
		size += got;
	}
	text[size] = '\n';
	text[size + 1] = 0;
	return text;
}

/* Cuts "ADDRESS TYPE NAME\t[MODULE]" (kallsyms; of functions only) or "NAME [MODULE]"
 * (available_filter_functions) in place. NULL when the line is no function. */
static char *cut(char *line, bool kallsyms, const char **module)
{
	char *name = line, *rest;

	if (kallsyms) {
		name = strchr(line, ' ');
		if (!name || !name[1] || !strchr("tTwW", name[1]) || name[2] != ' ')
			return NULL;
		name += 3;
	}
	*module = "";
	rest = name + strcspn(name, " \t");
	if (*rest) {
		char *open = strchr(rest, '['), *close = open ? strchr(open, ']') : NULL;

		*rest = 0;
		if (close) {
			*close = 0;
			*module = open + 1;
		}
	}
	return *name ? name : NULL;
}

static int add(struct functions *functions, const char *name, const char *module)
{
	/* Room is there for any power of two. */
	if (!(functions->count & (functions->count - 1))) {
		size_t room = functions->count ? 2 * functions->count : 1;
		struct function *larger = realloc(functions->list, room * sizeof(*larger));

		if (!larger)
			return -ENOMEM;
		functions->list = larger;
	}
	functions->list[functions->count++] = (struct function){name, module};
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const struct function *left = a, *right = b;
	int order = strcmp(left->name, right->name);

	return order ? order : strcmp(left->module, right->module);
}

static void sort_each_once(struct functions *functions)
{
	size_t kept = 0;

	if (functions->count)
		qsort(functions->list, functions->count, sizeof(*functions->list), by_name);
	for (size_t i = 0; i < functions->count; i++)
		if (!kept || by_name(&functions->list[kept - 1], &functions->list[i]))
			functions->list[kept++] = functions->list[i];
	functions->count = kept;
}

/* Drops what the kernel's list of forbidden kprobes has: lines "0xSTART-0xEND\tNAME". */
static int drop_forbidden(struct functions *functions, int fd)
{
	char *text = fd < 0 ? NULL : read_all(fd), *line, *after;
	struct functions forbidden = {0};
	size_t kept = 0;
	int err = 0;

	for (line = text; line && !err && (after = strchr(line, '\n')); line = after + 1) {
		char *name;

		*after = 0;
		name = strchr(line, '\t');
		if (name) {
			name[1 + strcspn(name + 1, " \t")] = 0;
			err = add(&forbidden, name + 1, "");
		}
	}
	sort_each_once(&forbidden);
	for (size_t i = 0; i < functions->count; i++) {
		struct function name = {functions->list[i].name, ""};

		if (!forbidden.count ||
		    !bsearch(&name, forbidden.list, forbidden.count, sizeof(name), by_name))
			functions->list[kept++] = functions->list[i];
	}
	functions->count = kept;
	functions_free(&forbidden);
	free(text);
	return err;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

/* For the error: the nearest of all names that were read. Costs 3 ms for 120,000. */
struct near {
	struct nearest nearest;
	uint64_t until_ns;
	unsigned int offered;
};

static void near_start(struct near *near, const struct wanted *wanted)
{
	char name[NEAREST_NAME];
	size_t length = 0;

	/* Of a wildcard, what is no wildcard. */
	for (const char *at = wanted->name; *at && length < sizeof(name) - 1; at++)
		if (!strchr("*?[]", *at))
			name[length++] = *at;
	name[length] = 0;
	nearest_start(&near->nearest, name);
	near->until_ns = 0;
	near->offered = 0;
}

static void near_offer(struct near *near, const struct wanted *wanted, const char *name,
		       const char *module)
{
	if (near->offered == TOO_LATE || strchr(name, '.') || is_left_out(wanted, name, module))
		return;
	if (!near->until_ns)
		near->until_ns = now_ns() + NEAREST_NS;
	nearest_offer(&near->nearest, name);
	if (++near->offered % 256 == 0 && now_ns() > near->until_ns)
		near->offered = TOO_LATE;
}

static int not_found(const struct near *near, const char *pattern, struct error *error)
{
	const char *nearest = nearest_name(&near->nearest);

	return error_set(error, -ENOENT, "the kernel has no function %s%s%s%s%s",
			 functions_is_wildcard(pattern) ? "that matches " : "", pattern,
			 *nearest ? "; did you mean " : "", nearest, *nearest ? "?" : "");
}

/* Takes what matches out of functions->text; offers `near` all the names up to there. */
static int take(struct functions *functions, const struct wanted *wanted, bool kallsyms,
		struct near *near)
{
	char *line = functions->text, *after;

	for (; (after = strchr(line, '\n')); line = after + 1) {
		const char *module;
		char *name;

		*after = 0;
		name = cut(line, kallsyms, &module);
		if (!name)
			continue;
		near_offer(near, wanted, name, module);
		if (!matches(wanted, name, module))
			continue;
		if (add(functions, name, module))
			return -ENOMEM;
		if (!wanted->wildcard)
			return 0;
	}
	return 0;
}

static int read_list(struct functions *functions, const struct wanted *wanted, int fd,
		     bool kallsyms, struct near *near)
{
	functions_free(functions);
	if (fd < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return -ENOENT;
	functions->text = read_all(fd);
	if (!functions->text)
		return -errno;
	if (!functions->text[1]) /* a kernel without ftrace */
		return -ENOENT;
	functions->traceable = !kallsyms;
	return take(functions, wanted, kallsyms, near);
}

int functions_match_in(const struct functions_source *source, const char *pattern,
		       struct functions *functions, struct error *error)
{
	struct wanted wanted;
	struct near near;
	int err;

	memset(functions, 0, sizeof(*functions));
	err = parse(pattern, &wanted, error);
	if (err)
		return err;
	near_start(&near, &wanted);
	/* The list of ftrace takes the kernel longer to write than kallsyms: not for one name. */
	err = -ENOENT;
	if (wanted.wildcard)
		err = read_list(functions, &wanted, source->available, false, &near);
	if (err)
		err = read_list(functions, &wanted, source->kallsyms, true, &near);
	if (err)
		return error_set(error, err, "/proc/kallsyms cannot be read: %s", strerror(-err));
	sort_each_once(functions);
	if (wanted.wildcard && functions->count && drop_forbidden(functions, source->blacklist))
		return error_set(error, -ENOMEM, "out of memory");
	if (functions->count)
		return 0;
	return not_found(&near, pattern, error);
}

/* Whether the kernel's own types have the function; says nothing of modules. */
static bool is_in_btf(const char *name)
{
	const struct btf *kernel = kernel_btf_load();

	return kernel && btf__find_by_name_kind(kernel, name, BTF_KIND_FUNC) > 0;
}

static int of_one_name(const char *name, struct functions *functions)
{
	memset(functions, 0, sizeof(*functions));
	functions->text = strdup(name);
	if (!functions->text || add(functions, functions->text, ""))
		return -ENOMEM;
	return 0;
}

int functions_match(const char *pattern, struct functions *functions, struct error *error)
{
	struct functions_source source = {-1, -1, -1};
	int err, tracefs;

	if (!strchr(pattern, ':') && !functions_is_wildcard(pattern) && is_in_btf(pattern)) {
		if (of_one_name(pattern, functions))
			return error_set(error, -ENOMEM, "out of memory");
		return 0;
	}
	if (functions_is_wildcard(pattern)) {
		tracefs = tracefs_open();
		if (tracefs >= 0) {
			source.available =
				openat(tracefs, "available_filter_functions", O_RDONLY | O_CLOEXEC);
			close(tracefs);
		}
		source.blacklist =
			open("/sys/kernel/debug/kprobes/blacklist", O_RDONLY | O_CLOEXEC);
	}
	source.kallsyms = open("/proc/kallsyms", O_RDONLY | O_CLOEXEC);
	err = functions_match_in(&source, pattern, functions, error);
	if (source.available >= 0)
		close(source.available);
	if (source.blacklist >= 0)
		close(source.blacklist);
	if (source.kallsyms >= 0)
		close(source.kallsyms);
	return err;
}

void functions_free(struct functions *functions)
{
	free(functions->list);
	free(functions->text);
	memset(functions, 0, sizeof(*functions));
}
