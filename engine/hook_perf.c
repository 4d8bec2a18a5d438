// SPDX-License-Identifier: Apache-2.0
/* Hooks that are perf events: clocks, counters, and what tracepoints, kprobes and uprobes use. */
#include "hook.h"
#include "target.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int hook_perf_link(struct perf_event_attr *attr, pid_t pid, int cpu, int program_fd,
		   unsigned long long cookie)
{
	DECLARE_LIBBPF_OPTS(bpf_link_create_opts, options, .perf_event.bpf_cookie = cookie);
	int perf = syscall(SYS_perf_event_open, attr, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC), link;

	if (perf < 0)
		return -errno;
	link = bpf_link_create(program_fd, perf, BPF_PERF_EVENT, &options);
	if (link < 0)
		link = -errno;
	else
		ioctl(perf, PERF_EVENT_IOC_ENABLE, 0);
	close(perf); /* the link keeps it */
	return link;
}

static struct perf_event_attr attr_of(const struct target_place *place)
{
	return (struct perf_event_attr){
		.size = sizeof(struct perf_event_attr),
		.type = place->perf_type,
		.config = place->perf_config,
		.sample_period = place->period,
		.freq = place->by_frequency,
	};
}

/* Whether a machine counts something is known when it has been asked to. */
static int exists(const struct hook *hook, const char *name, struct error *error)
{
	struct perf_event_attr attr;
	int fd;

	(void)name;
	if (!hook->target)
		return 0;
	attr = attr_of(&hook->target->places[0]);
	fd = syscall(SYS_perf_event_open, &attr, -1, hook->target->places[0].cpu, -1,
		     PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return error_set(error, -ENOENT, "this kernel has no counter for %s here: %s",
				 hook->target->text, strerror(errno));
	close(fd);
	return 0;
}

static int attach(const struct hook *hook, const char *name, int program_fd,
		  struct hook_links *links, struct error *error)
{
	int err = 0;

	(void)name;
	for (int i = 0; i < hook->target->place_count; i++) {
		const struct target_place *place = &hook->target->places[i];
		struct perf_event_attr attr = attr_of(place);

		err = hook_add_link(links, hook_perf_link(&attr, -1, place->cpu, program_fd, i));
		/* The CPU has gone offline since it was listed: there is nothing to sample. */
		if (err && err != -ENODEV)
			break;
	}
	if (!err || (err == -ENODEV && links->count))
		return 0;
	return error_set(error, err, "%s: %s", hook->target->name, strerror(-err));
}

const struct hook_kind hook_perf_event = {"perf_event", exists, NULL, attach};
