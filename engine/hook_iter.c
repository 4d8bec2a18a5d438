// SPDX-License-Identifier: Apache-2.0
/* Hooks that are walks through all of something, once, when they are attached (BPF iterators). */
#include "hook.h"
#include "target.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <unistd.h>

static int exists(const struct hook *hook, const char *name, struct error *error)
{
	(void)hook;
	(void)name;
	(void)error;
	return 0; /* the target has been looked up */
}

static int prepare(const struct hook *hook, struct bpf_program *program, struct error *error)
{
	const char *name = hook->target->places[0].symbol;
	int err = bpf_program__set_attach_target(program, 0, name);

	return err ? error_set(error, err, "%s: %s", name, strerror(-err)) : 0;
}

/* Reading it is what makes the kernel walk; what a program writes there we do not use. */
static int walk(int link)
{
	int fd = bpf_iter_create(link);
	char nothing[4096];
	ssize_t got;

	if (fd < 0)
		return -errno;
	do {
		got = read(fd, nothing, sizeof(nothing));
	} while (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR)));
	got = got < 0 ? -errno : 0;
	close(fd);
	return got;
}

static int attach(const struct hook *hook, const char *name, int program_fd,
		  struct hook_links *links, struct error *error)
{
	/* Of tasks and what they have; others do not know a process (since 6.1, f0d74c4da1f0). */
	union bpf_iter_link_info info = {.task.pid = hook->pid};
	DECLARE_LIBBPF_OPTS(bpf_link_create_opts, options);
	int link, err;

	(void)name;
	if (hook->pid && !strncmp(hook->target->text, "task", 4)) {
		options.iter_info = &info;
		options.iter_info_len = sizeof(info);
	}
	link = bpf_link_create(program_fd, 0, BPF_TRACE_ITER, &options);
	err = hook_add_link(links, link < 0 ? -errno : link);
	if (!err)
		err = walk(link);
	/* Those of the entries of one map (EBADF), of cgroups (EINVAL). */
	if (link == -EBADF || (link == -EINVAL && !options.iter_info))
		return error_set(error, err,
				 "%s: it walks through one map or cgroup, and which one cannot be "
				 "said here",
				 hook->target->text);
	return err ? error_set(error, err, "%s: %s", hook->target->text, strerror(-err)) : 0;
}

const struct hook_kind hook_iter = {"iter", exists, prepare, attach};
