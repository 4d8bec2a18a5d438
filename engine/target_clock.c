// SPDX-License-Identifier: Apache-2.0
/* Clocks: profile:HZ, so many times a second on each CPU; interval:TIME, on one CPU. A clock of the
 * CPU's (PERF_COUNT_SW_CPU_CLOCK) counts while it works on something, so an idle one is silent. */
#include "duration.h"
#include "target.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>

#define HZ_MAX 100000 /* kernel.perf_event_max_sample_rate is 100,000 at first */

static int open_profile(struct target *target, const struct target_setting *setting,
			struct error *error)
{
	char *end;
	unsigned long hz = strtoul(target->text, &end, 10);
	const struct target_place like = {
		.perf_type = PERF_TYPE_SOFTWARE,
		.perf_config = PERF_COUNT_SW_CPU_CLOCK,
		.period = hz,
		.by_frequency = true,
	};

	(void)setting;
	if (*end || !hz || hz > HZ_MAX)
		return error_set(error, -EINVAL,
				 "probe %s: samples a second, 1 to %d, as profile:99", target->name,
				 HZ_MAX);
	return target_add_cpus(target, &like, error);
}

static int open_interval(struct target *target, const struct target_setting *setting,
			 struct error *error)
{
	struct target_place *place;
	uint64_t ns;

	(void)setting;
	if (duration_parse(target->text, &ns) || ns < 10000)
		return error_set(error, -EINVAL,
				 "probe %s: a time of at least 10us, as interval:1s", target->name);
	place = target_add_place(target, "CPU 0", "");
	if (!place)
		return error_set(error, -ENOMEM, "probe %s: no memory", target->name);
	place->perf_type = PERF_TYPE_SOFTWARE;
	place->perf_config = PERF_COUNT_SW_CPU_CLOCK;
	place->cpu = 0;
	place->period = ns;
	return 0;
}

const struct target_kind target_profile = {"profile", open_profile};
const struct target_kind target_interval = {"interval", open_interval};
