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

static struct target_place *add_clock(struct target *target, int cpu)
{
	char name[16];
	struct target_place *place;

	snprintf(name, sizeof(name), "CPU %d", cpu);
	place = target_add_place(target, name, "");
	if (!place)
		return NULL;
	place->perf_type = PERF_TYPE_SOFTWARE;
	place->perf_config = PERF_COUNT_SW_CPU_CLOCK;
	place->cpu = cpu;
	return place;
}

static int add_clocks(struct target *target, const int *cpus, int count, unsigned long hz)
{
	for (int i = 0; i < count; i++) {
		struct target_place *place = add_clock(target, cpus[i]);

		if (!place)
			return -ENOMEM;
		place->period = hz;
		place->by_frequency = true;
	}
	return 0;
}

/* Digits only: strtoul() takes signs and spaces, too. */
static unsigned long read_hz(const char *text)
{
	return text[strspn(text, "0123456789")] ? 0 : strtoul(text, NULL, 10);
}

static int unknown_cpus(const struct target *target, int err, struct error *error)
{
	return error_set(error, err, "probe %s: which CPUs there are cannot be read: %s",
			 target->name, strerror(-err));
}

static int open_profile(struct target *target, const struct target_setting *setting,
			struct error *error)
{
	unsigned long hz = read_hz(target->text);
	int *cpus, count, err;

	(void)setting;
	if (!hz || hz > HZ_MAX)
		return error_set(error, -EINVAL,
				 "probe %s: samples a second, 1 to %d, as profile:99", target->name,
				 HZ_MAX);
	count = cpu_list_online(&cpus);
	if (count < 0)
		return unknown_cpus(target, count, error);
	err = add_clocks(target, cpus, count, hz);
	free(cpus);
	return err ? error_set(error, err, "probe %s: no memory", target->name) : 0;
}

/* On the first CPU: on some machines number 0 can be switched off. */
static int open_interval(struct target *target, const struct target_setting *setting,
			 struct error *error)
{
	struct target_place *place;
	int *cpus, count;
	uint64_t ns;

	(void)setting;
	if (duration_parse(target->text, &ns) || ns < 10000)
		return error_set(error, -EINVAL,
				 "probe %s: a time of at least 10us, as interval:1s", target->name);
	count = cpu_list_online(&cpus);
	if (count < 0)
		return unknown_cpus(target, count, error);
	place = add_clock(target, cpus[0]);
	free(cpus);
	if (!place)
		return error_set(error, -ENOMEM, "probe %s: no memory", target->name);
	place->period = ns;
	return 0;
}

const struct target_kind target_profile = {"profile", open_profile};
const struct target_kind target_interval = {"interval", open_interval};
