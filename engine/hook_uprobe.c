// SPDX-License-Identifier: Apache-2.0
/* Hooks by a breakpoint in a user program or library (uprobes). */
#include "hook.h"
#include "perf_pmu.h"
#include "target.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdint.h>
#include <string.h>

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

const struct hook_kind hook_uprobe = {"uprobe", exists, NULL, attach_uprobe};
const struct hook_kind hook_uretprobe = {"uretprobe", exists, NULL, attach_uretprobe};
