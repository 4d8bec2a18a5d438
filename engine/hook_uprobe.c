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
		int err =
			place->semaphore > UINT32_MAX
				? -EINVAL /* no room for it */
				: hook_add_link(links, hook_perf_link(&attr, pid, pid < 0 ? 0 : -1,
								      program_fd, i));

		if (hook->target->is_wildcard && hook_is_refusal(err) &&
		    (links->count || i < hook->target->place_count - 1))
			continue;
		if (err)
			return error_set(error, err, "uprobe at %s in %s: %s", place->name,
					 hook->target->name, strerror(-err));
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

static int link_many(const struct hook *hook, int program_fd, int from, int to, uint32_t flags)
{
	const struct target *target = hook->target;
	size_t count = to - from;
	uint64_t *numbers = calloc(3 * count, sizeof(*numbers));
	struct uprobe_multi_link attr = {
		.program_fd = program_fd,
		.attach_type = ATTACH_TYPE_UPROBE_MULTI,
		.path = (uintptr_t)target->file,
		.offsets = (uintptr_t)numbers,
		.count = count,
		.multi_flags = flags,
		.pid = hook->pid,
	};
	int link;

	if (!numbers)
		return -ENOMEM;
	attr.ref_ctr_offsets = (uintptr_t)(numbers + count);
	attr.cookies = (uintptr_t)(numbers + 2 * count);
	for (int i = from; i < to; i++) {
		numbers[i - from] = target->places[i].offset;
		numbers[count + i - from] = target->places[i].semaphore;
		numbers[2 * count + i - from] = i;
	}
	link = link_create(&attr);
	free(numbers);
	return link;
}

static int link_calls(const struct hook *hook, int program_fd, int from, int to)
{
	return link_many(hook, program_fd, from, to, 0);
}

static int link_returns(const struct hook *hook, int program_fd, int from, int to)
{
	return link_many(hook, program_fd, from, to, UPROBE_MULTI_RETURN);
}

static int attach_multi(const struct hook *hook, int program_fd, hook_link_range *link,
			struct hook_links *links, struct error *error)
{
	int err = hook_add_many(hook, program_fd, link, links);

	return err ? error_set(error, err, "%d places of %s: %s", hook->target->place_count,
			       hook->target->text, strerror(-err))
		   : 0;
}

static int attach_uprobe_multi(const struct hook *hook, const char *name, int program_fd,
			       struct hook_links *links, struct error *error)
{
	(void)name;
	return attach_multi(hook, program_fd, link_calls, links, error);
}

static int attach_uretprobe_multi(const struct hook *hook, const char *name, int program_fd,
				  struct hook_links *links, struct error *error)
{
	(void)name;
	return attach_multi(hook, program_fd, link_returns, links, error);
}

const struct hook_kind hook_uprobe_multi = {"uprobe.multi", multi_exists, prepare_multi,
					    attach_uprobe_multi};
const struct hook_kind hook_uretprobe_multi = {"uretprobe.multi", multi_exists, prepare_multi,
					       attach_uretprobe_multi};
const struct hook_kind hook_uprobe = {"uprobe", exists, NULL, attach_uprobe};
const struct hook_kind hook_uretprobe = {"uretprobe", exists, NULL, attach_uretprobe};
