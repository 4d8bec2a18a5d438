// SPDX-License-Identifier: Apache-2.0
/* Hooks by a breakpoint at a kernel function (kprobes), one link for each or one for many. */
#include "hook.h"
#include "perf_pmu.h"
#include "target.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int single_exists(const struct hook *hook, const char *name, struct error *error)
{
	int type = perf_pmu_type("kprobe");

	(void)hook;
	(void)name;
	return type < 0 ? error_set(error, -ENOENT,
				    "this kernel has no kprobes (CONFIG_KPROBE_EVENTS)")
			: 0;
}

static int attach_each(const struct hook *hook, bool is_return, int program_fd,
		       struct hook_links *links, struct error *error)
{
	int type = perf_pmu_type("kprobe"), refused = 0, err = 0;
	uint64_t config = is_return ? 1ull << perf_pmu_bit("kprobe", "retprobe") : 0;

	for (int i = 0; i < hook->target->place_count; i++) {
		const struct target_place *place = &hook->target->places[i];
		struct perf_event_attr attr = {
			.type = type,
			.size = sizeof(attr),
			.config = config,
			.config1 = (uintptr_t)place->symbol,
			.config2 = place->offset,
		};

		err = hook_add_link(links, hook_perf_link(&attr, -1, 0, program_fd, i));
		/* Of many some cannot have one (kernel/kprobes.c, the blacklist). */
		if (hook->target->is_wildcard && hook_is_refusal(err)) {
			refused++;
			err = 0;
		}
		if (err)
			return error_set(error, err, "kprobe at %s: %s", place->name,
					 strerror(-err));
	}
	if (!links->count)
		return error_set(error, -ENOENT, "none of the %d functions of %s can have a kprobe",
				 refused, hook->target->text);
	return 0;
}

static int attach_kprobe(const struct hook *hook, const char *name, int program_fd,
			 struct hook_links *links, struct error *error)
{
	(void)name;
	return attach_each(hook, false, program_fd, links, error);
}

static int attach_kretprobe(const struct hook *hook, const char *name, int program_fd,
			    struct hook_links *links, struct error *error)
{
	(void)name;
	return attach_each(hook, true, program_fd, links, error);
}

static int link_many(const struct hook *hook, int program_fd, int from, int to, uint32_t flags)
{
	const struct target *target = hook->target;
	const char **symbols = calloc(to - from, sizeof(*symbols));
	__u64 *cookies = calloc(to - from, sizeof(*cookies));
	DECLARE_LIBBPF_OPTS(bpf_link_create_opts, options, .kprobe_multi.flags = flags,
			    .kprobe_multi.cnt = to - from, .kprobe_multi.syms = symbols,
			    .kprobe_multi.cookies = cookies);
	int link = -ENOMEM;

	if (symbols && cookies) {
		for (int i = from; i < to; i++) {
			symbols[i - from] = target->places[i].symbol;
			cookies[i - from] = i;
		}
		link = bpf_link_create(program_fd, 0, BPF_TRACE_KPROBE_MULTI, &options);
		if (link < 0)
			link = -errno;
	}
	free(symbols);
	free(cookies);
	return link;
}

static int link_calls(const struct hook *hook, int program_fd, int from, int to)
{
	return link_many(hook, program_fd, from, to, 0);
}

static int link_returns(const struct hook *hook, int program_fd, int from, int to)
{
	return link_many(hook, program_fd, from, to, BPF_F_KPROBE_MULTI_RETURN);
}

/* Whether this kernel has fprobe only an attempt tells: with no functions it is refused for
 * that (EINVAL), without fprobe for what it is (EOPNOTSUPP). */
static int multi_exists(const struct hook *hook, const char *name, struct error *error)
{
	const struct bpf_insn nothing[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	DECLARE_LIBBPF_OPTS(bpf_prog_load_opts, options,
			    .expected_attach_type = BPF_TRACE_KPROBE_MULTI);
	DECLARE_LIBBPF_OPTS(bpf_link_create_opts, none);
	int fd, link, err;

	(void)name;
	if (hook->target && !hook->target->is_wildcard)
		return error_set(error, -ENOENT, "kprobe.multi is for many functions");
	fd = bpf_prog_load(BPF_PROG_TYPE_KPROBE, "try", "Dual BSD/GPL", nothing,
			   sizeof(nothing) / sizeof(*nothing), &options);
	if (fd < 0)
		return error_set(error, -ENOENT, "this kernel has no kprobe.multi: %s",
				 strerror(errno));
	link = bpf_link_create(fd, 0, BPF_TRACE_KPROBE_MULTI, &none);
	err = link < 0 ? -errno : 0;
	if (link >= 0)
		close(link);
	close(fd);
	return err == -EOPNOTSUPP || err == -ENOSYS
		       ? error_set(error, -ENOENT,
				   "this kernel has no kprobe.multi (CONFIG_FPROBE)")
		       : 0;
}

static int attach_multi(const struct hook *hook, int program_fd, hook_link_range *link,
			struct hook_links *links, struct error *error)
{
	int err = hook_add_many(hook, program_fd, link, links);

	return err ? error_set(error, err, "%d functions of %s: %s", hook->target->place_count,
			       hook->target->text, strerror(-err))
		   : 0;
}

static int attach_kprobe_multi(const struct hook *hook, const char *name, int program_fd,
			       struct hook_links *links, struct error *error)
{
	(void)name;
	return attach_multi(hook, program_fd, link_calls, links, error);
}

static int attach_kretprobe_multi(const struct hook *hook, const char *name, int program_fd,
				  struct hook_links *links, struct error *error)
{
	(void)name;
	return attach_multi(hook, program_fd, link_returns, links, error);
}

const struct hook_kind hook_kprobe = {"kprobe", single_exists, NULL, attach_kprobe};
const struct hook_kind hook_kretprobe = {"kretprobe", single_exists, NULL, attach_kretprobe};
const struct hook_kind hook_kprobe_multi = {"kprobe.multi", multi_exists, NULL,
					    attach_kprobe_multi};
const struct hook_kind hook_kretprobe_multi = {"kretprobe.multi", multi_exists, NULL,
					       attach_kretprobe_multi};
