// SPDX-License-Identifier: Apache-2.0
/* Hooks by a breakpoint in a user program or library (uprobes). */
#include "hook.h"
#include "perf_pmu.h"
#include "target.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int exists(const struct hook *hook, const char *name, struct error *error)
{
	(void)hook;
	(void)name;
	return perf_pmu_type("uprobe") < 0
		       ? error_set(error, -ENOENT,
				   "this kernel has no uprobes (CONFIG_UPROBE_EVENTS)")
		       : 0;
}

static int attach_each(const struct hook *hook, bool is_return, int program_fd,
		       struct hook_links *links, struct error *error)
{
	uint64_t config = is_return ? 1ull << perf_pmu_bit("uprobe", "retprobe") : 0;
	int type = perf_pmu_type("uprobe");

	for (int i = 0; i < hook->target->place_count; i++) {
		const struct target_place *place = &hook->target->places[i];
		struct perf_event_attr attr = {
			.type = type,
			.size = sizeof(attr),
			/* kernel/events/core.c: the counter to raise while somebody looks */
			.config = config | place->semaphore << 32,
			.config1 = (uintptr_t)place->symbol,
			.config2 = place->offset,
		};
		pid_t pid = hook->pid ? hook->pid : -1;
		int err = hook_add_link(
			links, hook_perf_link(&attr, pid, pid < 0 ? 0 : -1, program_fd, i));

		if (err)
			return error_set(error, err, "uprobe at %s in %s: %s", place->name,
					 place->symbol, strerror(-err));
	}
	return 0;
}

static int attach_uprobe(const struct hook *hook, const char *name, int program_fd,
			 struct hook_links *links, struct error *error)
{
	(void)name;
	return attach_each(hook, false, program_fd, links, error);
}

static int attach_uretprobe(const struct hook *hook, const char *name, int program_fd,
			    struct hook_links *links, struct error *error)
{
	(void)name;
	return attach_each(hook, true, program_fd, links, error);
}

/* One link for many, since 6.6 (89ae89f53d20, "bpf: Add multi uprobe link"). Each perf event
 * takes up to a tenth of a second to close there, the link as long for all. What follows is from
 * that kernel's include/uapi/linux/bpf.h; the headers we build with may be older. */
#define ATTACH_TYPE_UPROBE_MULTI 48
#define UPROBE_MULTI_RETURN 1u

struct uprobe_multi_link {
	uint32_t program_fd, target_fd, attach_type, flags;
	uint64_t path, offsets, ref_ctr_offsets, cookies;
	uint32_t count, multi_flags, pid;
	uint32_t spare;
};

static int link_create(struct uprobe_multi_link *attr)
{
	int link = syscall(SYS_bpf, BPF_LINK_CREATE, attr, sizeof(*attr));

	return link < 0 ? -errno : link;
}

static int prepare_multi(const struct hook *hook, struct bpf_program *program, struct error *error)
{
	(void)hook;
	(void)error;
	bpf_program__set_type(program, BPF_PROG_TYPE_KPROBE);
	return bpf_program__set_expected_attach_type(program, ATTACH_TYPE_UPROBE_MULTI);
}

/* A kernel that has them refuses a folder for what it is (EBADF), another one the type (EINVAL). */
static int multi_exists(const struct hook *hook, const char *name, struct error *error)
{
	const struct bpf_insn nothing[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	DECLARE_LIBBPF_OPTS(bpf_prog_load_opts, options,
			    .expected_attach_type = ATTACH_TYPE_UPROBE_MULTI);
	const uint64_t offset = 0;
	struct uprobe_multi_link attr = {
		.attach_type = ATTACH_TYPE_UPROBE_MULTI,
		.path = (uintptr_t) "/",
		.offsets = (uintptr_t)&offset,
		.count = 1,
	};
	int link = -EINVAL, fd = bpf_prog_load(BPF_PROG_TYPE_KPROBE, "try", "Dual BSD/GPL", nothing,
					       sizeof(nothing) / sizeof(*nothing), &options);

	(void)hook;
	(void)name;
	if (fd >= 0) {
		attr.program_fd = fd;
		link = link_create(&attr);
		close(fd);
	}
	return link == -EBADF ? 0
			      : error_set(error, -ENOENT, "this kernel has no uprobe.multi (6.6)");
}

static int attach_multi(const struct hook *hook, bool is_return, int program_fd,
			struct hook_links *links, struct error *error)
{
	const struct target *target = hook->target;
	uint64_t *numbers = calloc(3 * (size_t)target->place_count, sizeof(*numbers));
	uint64_t *semaphores = numbers + target->place_count;
	uint64_t *cookies = semaphores + target->place_count;
	struct uprobe_multi_link attr = {
		.program_fd = program_fd,
		.attach_type = ATTACH_TYPE_UPROBE_MULTI,
		.path = (uintptr_t)target->file,
		.offsets = (uintptr_t)numbers,
		.ref_ctr_offsets = (uintptr_t)semaphores,
		.cookies = (uintptr_t)cookies,
		.count = target->place_count,
		.multi_flags = is_return ? UPROBE_MULTI_RETURN : 0,
		.pid = hook->pid,
	};
	int err;

	if (!numbers)
		return error_set(error, -ENOMEM, "no memory");
	for (int i = 0; i < target->place_count; i++) {
		numbers[i] = target->places[i].offset;
		semaphores[i] = target->places[i].semaphore;
		cookies[i] = i;
	}
	err = hook_add_link(links, link_create(&attr));
	free(numbers);
	return err ? error_set(error, err, "%d places of %s: %s", target->place_count, target->text,
			       strerror(-err))
		   : 0;
}

static int attach_uprobe_multi(const struct hook *hook, const char *name, int program_fd,
			       struct hook_links *links, struct error *error)
{
	(void)name;
	return attach_multi(hook, false, program_fd, links, error);
}

static int attach_uretprobe_multi(const struct hook *hook, const char *name, int program_fd,
				  struct hook_links *links, struct error *error)
{
	(void)name;
	return attach_multi(hook, true, program_fd, links, error);
}

const struct hook_kind hook_uprobe_multi = {"uprobe.multi", multi_exists, prepare_multi,
					    attach_uprobe_multi};
const struct hook_kind hook_uretprobe_multi = {"uretprobe.multi", multi_exists, prepare_multi,
					       attach_uretprobe_multi};
const struct hook_kind hook_uprobe = {"uprobe", exists, NULL, attach_uprobe};
const struct hook_kind hook_uretprobe = {"uretprobe", exists, NULL, attach_uretprobe};
