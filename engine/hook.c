// SPDX-License-Identifier: Apache-2.0
#include "hook.h"

#include "kernel_btf.h"
#include "template.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/mount.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
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

static bool starts(const char *section, const char *prefix, const char **rest)
{
	size_t length = strlen(prefix);

	if (strncmp(section, prefix, length))
		return false;
	*rest = section + length;
	return true;
}

static int has_raw_tracepoint(const char *name, struct error *error)
{
	struct btf *kernel = kernel_btf_load();
	char type[128];

	if (!kernel)
		return error_set(error, -errno,
				 "the kernel has no BTF (/sys/kernel/btf/vmlinux); it needs "
				 "CONFIG_DEBUG_INFO_BTF=y");
	snprintf(type, sizeof(type), "btf_trace_%s", name);
	if (btf__find_by_name_kind(kernel, type, BTF_KIND_TYPEDEF) > 0)
		return 0;
	return error_set(error, -ENOENT, "this kernel has no tracepoint %s", name);
}

int hook_exists(const char *section, struct error *error)
{
	const char *name;

	if (starts(section, "tp_btf/", &name) || starts(section, "raw_tp/", &name))
		return has_raw_tracepoint(name, error);
	if (starts(section, "tp/", &name)) {
		int id = tracepoint_id(name);

		if (id == -ENOENT)
			return error_set(error, id, "this kernel has no tracepoint %s", name);
		return id < 0 ? error_set(error, id, "tracefs cannot be read: %s", strerror(-id))
			      : 0;
	}
	return error_set(error, -EINVAL, "unknown kind of hook: %s", section);
}

int hook_dispatcher(const struct template_program *body, int slot_fd, struct error *error)
{
	DECLARE_LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = body->attach_type,
			    .attach_btf_id = body->attach_btf_id,
			    .attach_btf_obj_fd = body->attach_btf_fd);
	struct bpf_insn code[] = {
		/* r1 is the context; bpf_tail_call(r1, slot, 0) */
		{.code = BPF_LD | BPF_DW | BPF_IMM,
		 .dst_reg = BPF_REG_2,
		 .src_reg = BPF_PSEUDO_MAP_FD,
		 .imm = slot_fd},
		{0},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3, .imm = 0},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_tail_call},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	int fd;

	fd = bpf_prog_load(body->type, body->name, "Dual BSD/GPL", code,
			   sizeof(code) / sizeof(*code), &options);
	if (fd < 0)
		return error_set(error, -errno, "dispatcher for %s: %s", body->name,
				 strerror(errno));
	return fd;
}

static int attach_perf_tracepoint(const char *event, int program_fd, struct error *error)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attr),
		.sample_period = 1,
		.wakeup_events = 1,
	};
	int id = tracepoint_id(event), perf, link;

	if (id < 0)
		return error_set(error, id, "tracepoint %s: %s", event, strerror(-id));
	attr.config = id;
	/* Any one CPU will do: programs on a tracepoint run on all of them. */
	perf = syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	if (perf < 0)
		return error_set(error, -errno, "tracepoint %s: perf_event_open: %s", event,
				 strerror(errno));
	link = bpf_link_create(program_fd, perf, BPF_PERF_EVENT, NULL);
	if (link < 0)
		error_set(error, -errno, "tracepoint %s: %s", event,
			  errno == E2BIG ? "the kernel takes 64 programs on one tracepoint "
					   "(BPF_TRACE_MAX_PROGS); fewer scripts, or a tp_btf probe"
					 : strerror(errno));
	else
		ioctl(perf, PERF_EVENT_IOC_ENABLE, 0);
	close(perf); /* the link keeps it */
	return link;
}

int hook_attach(const char *section, int program_fd, struct error *error)
{
	const char *name;
	int link;

	if (starts(section, "tp/", &name))
		return attach_perf_tracepoint(name, program_fd, error);
	if (starts(section, "tp_btf/", &name))
		link = bpf_raw_tracepoint_open(NULL, program_fd);
	else if (starts(section, "raw_tp/", &name))
		link = bpf_raw_tracepoint_open(name, program_fd);
	else
		return error_set(error, -EINVAL, "unknown kind of hook: %s", section);
	if (link < 0)
		return error_set(error, -errno, "tracepoint %s: %s", name, strerror(errno));
	return link;
}
