// SPDX-License-Identifier: Apache-2.0
/* Clocks: profile:HZ, so many times a second on each CPU; interval:TIME, on one CPU. A clock of the
 * CPU's (PERF_COUNT_SW_CPU_CLOCK) counts while it works on something, so an idle one is silent. */
#include "cpu_list.h"
#include "duration.h"
#include "target.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HZ_MAX 100000 /* kernel.perf_event_max_sample_rate is 100,000 at first */

/* Digits only: strtoul() takes signs and spaces, too. */
static unsigned long read_hz(const char *text)
{
	return text[strspn(text, "0123456789")] ? 0 : strtoul(text, NULL, 10);
}

static int open_profile(struct target *target, const struct target_setting *setting,
			struct error *error)
{
	unsigned long hz = read_hz(target->text);
	const struct target_place like = {
		.perf_type = PERF_TYPE_SOFTWARE,
		.perf_config = PERF_COUNT_SW_CPU_CLOCK,
		.period = hz,
		.by_frequency = true,
	};

	(void)setting;
	if (!hz || hz > HZ_MAX)
		return error_set(error, -EINVAL,
				 "probe %s: samples a second, 1 to %d, as profile:99", target->name,
				 HZ_MAX);
	return target_add_cpus(target, &like, error);
}

/* On the first CPU: on some machines number 0 can be switched off. */
static int open_interval(struct target *target, const struct target_setting *setting,
			 struct error *error)
{
	struct target_place *place;
	int *cpus, count, cpu;
	char name[16];
	uint64_t ns;

	(void)setting;
	if (duration_parse(target->text, &ns) || ns < 10000)
		return error_set(error, -EINVAL,
				 "probe %s: a time of at least 10us, as interval:1s", target->name);
	count = cpu_list_online(&cpus);
	if (count < 0)
		return error_set(error, count, "probe %s: which CPUs there are cannot be read: %s",
				 target->name, strerror(-count));
	cpu = cpus[0];
	free(cpus);
	snprintf(name, sizeof(name), "CPU %d", cpu);
	place = target_add_place(target, name, "");
	if (!place)
		return error_set(error, -ENOMEM, "probe %s: no memory", target->name);
	place->perf_type = PERF_TYPE_SOFTWARE;
	place->perf_config = PERF_COUNT_SW_CPU_CLOCK;
	place->cpu = cpu;
	place->period = ns;
	return 0;
}

const struct target_kind target_profile = {"profile", open_profile};
const struct target_kind target_interval = {"interval", open_interval};
