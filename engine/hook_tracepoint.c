// SPDX-License-Identifier: Apache-2.0
/* Hooks on tracepoints: raw ones, and those through perf. */
#include "hook.h"
#include "kernel_btf.h"
#include "target.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int tracefs_open(void)
{
	static const char *const usual[] = {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"};
	int context, mount, err;

	for (int i = 0; i < 2; i++) {
		int fd = open(usual[i], O_PATH | O_DIRECTORY | O_CLOEXEC);

		if (fd >= 0 && !faccessat(fd, "events", X_OK, AT_EACCESS))
			return fd;
		if (fd >= 0)
			close(fd);
	}
	context = syscall(SYS_fsopen, "tracefs", FSOPEN_CLOEXEC);
	if (context < 0)
		return -errno;
	mount = -1;
	if (!syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		mount = syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, 0);
	err = mount < 0 ? -errno : mount;
	close(context);
	return err;
}

/* The id of "CATEGORY/NAME" for perf_event_open, or -errno. */
static int tracepoint_id(const char *event)
{
	char path[256], text[16] = "";
	int tracefs = tracefs_open();
	ssize_t got;
	int fd;

	if (tracefs < 0)
		return tracefs;
	snprintf(path, sizeof(path), "events/%s/id", event);
	fd = openat(tracefs, path, O_RDONLY | O_CLOEXEC);
	close(tracefs);
	if (fd < 0)
		return -errno;
	got = read(fd, text, sizeof(text) - 1);
	close(fd);
	return got > 0 ? atoi(text) : -EIO;
}

static int raw_exists(const struct hook *hook, const char *name, struct error *error)
{
	struct btf *kernel = kernel_btf_load();
	char type[128];

	(void)hook;
	if (!*name)
		return 0; /* it has been looked up */
	if (!kernel)
		return error_set(error, -errno,
				 "the kernel has no BTF (/sys/kernel/btf/vmlinux); it needs "
				 "CONFIG_DEBUG_INFO_BTF=y");
	snprintf(type, sizeof(type), "btf_trace_%s", name);
	if (btf__find_by_name_kind(kernel, type, BTF_KIND_TYPEDEF) > 0)
		return 0;
	return error_set(error, -ENOENT, "this kernel has no tracepoint %s", name);
}

static int tp_exists(const struct hook *hook, const char *name, struct error *error)
{
	int id;

	(void)hook;
	if (!*name)
		return 0;
	id = tracepoint_id(name);
	if (id == -ENOENT)
		return error_set(error, id, "this kernel has no tracepoint %s", name);
	return id < 0 ? error_set(error, id, "tracefs cannot be read: %s", strerror(-id)) : 0;
}

static int add_raw(const char *name, int program_fd, struct hook_links *links, struct error *error)
{
	int link = bpf_raw_tracepoint_open(name, program_fd);
	int err = hook_add_link(links, link < 0 ? -errno : link);

	return err ? error_set(error, err, "tracepoint %s: %s", name ? name : "", strerror(-err))
		   : 0;
}

static int attach_tp_btf(const struct hook *hook, const char *name, int program_fd,
			 struct hook_links *links, struct error *error)
{
	struct error why;
	int err = add_raw(NULL, program_fd, links, &why);

	(void)hook;
	return err ? error_set(error, err, "tracepoint %s: %s", name, strerror(-err)) : 0;
}

static int attach_raw_tp(const struct hook *hook, const char *name, int program_fd,
			 struct hook_links *links, struct error *error)
{
	int err = 0;

	if (*name)
		return add_raw(name, program_fd, links, error);
	for (int i = 0; i < hook->target->place_count && !err; i++)
		err = add_raw(hook->target->places[i].name, program_fd, links, error);
	return err;
}

static int add_perf(const char *event, int program_fd, int cookie, struct hook_links *links,
		    struct error *error)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attr),
		.sample_period = 1,
		.wakeup_events = 1,
	};
	int id = tracepoint_id(event), err;

	if (id < 0)
		return error_set(error, id, "tracepoint %s: %s", event, strerror(-id));
	attr.config = id;
	/* Any one CPU will do: programs on a tracepoint run on all of them. */
	err = hook_add_link(links, hook_perf_link(&attr, -1, 0, program_fd, cookie));
	if (!err)
		return 0;
	return error_set(error, err, "tracepoint %s: %s", event,
			 err == -E2BIG ? "the kernel takes 64 programs on one tracepoint "
					 "(BPF_TRACE_MAX_PROGS); fewer scripts, or a tp_btf probe"
				       : strerror(-err));
}

static int attach_tp(const struct hook *hook, const char *name, int program_fd,
		     struct hook_links *links, struct error *error)
{
	int err = 0;

	links->is_slow = true; /* a grace period of RCU (perf_trace_event_unreg()) */
	if (*name)
		return add_perf(name, program_fd, 0, links, error);
	for (int i = 0; i < hook->target->place_count && !err; i++)
		err = add_perf(hook->target->places[i].symbol, program_fd, i, links, error);
	return err;
}

const struct hook_kind hook_tp_btf = {"tp_btf", raw_exists, NULL, attach_tp_btf};
const struct hook_kind hook_raw_tp = {"raw_tp", raw_exists, NULL, attach_raw_tp};
const struct hook_kind hook_tp = {"tp", tp_exists, NULL, attach_tp};
