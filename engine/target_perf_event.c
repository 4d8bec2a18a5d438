// SPDX-License-Identifier: Apache-2.0
/* Counters: software:NAME or hardware:NAME, and perhaps :COUNT, one event for so many. Names as
 * perf(1) has them. On every CPU that is there. */
#include "nearest.h"
#include "target.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct counter {
	const char *name;
	uint64_t config;
	uint64_t period; /* when none is given */
};

static const struct counter software[] = {
	{"cpu-clock", PERF_COUNT_SW_CPU_CLOCK, 1000000},
	{"task-clock", PERF_COUNT_SW_TASK_CLOCK, 1000000},
	{"page-faults", PERF_COUNT_SW_PAGE_FAULTS, 100},
	{"faults", PERF_COUNT_SW_PAGE_FAULTS, 100},
	{"minor-faults", PERF_COUNT_SW_PAGE_FAULTS_MIN, 100},
	{"major-faults", PERF_COUNT_SW_PAGE_FAULTS_MAJ, 1},
	{"context-switches", PERF_COUNT_SW_CONTEXT_SWITCHES, 1000},
	{"cs", PERF_COUNT_SW_CONTEXT_SWITCHES, 1000},
	{"cpu-migrations", PERF_COUNT_SW_CPU_MIGRATIONS, 1},
	{"alignment-faults", PERF_COUNT_SW_ALIGNMENT_FAULTS, 1},
	{"emulation-faults", PERF_COUNT_SW_EMULATION_FAULTS, 1},
	{NULL},
};

static const struct counter hardware[] = {
	{"cpu-cycles", PERF_COUNT_HW_CPU_CYCLES, 1000000},
	{"cycles", PERF_COUNT_HW_CPU_CYCLES, 1000000},
	{"instructions", PERF_COUNT_HW_INSTRUCTIONS, 1000000},
	{"cache-references", PERF_COUNT_HW_CACHE_REFERENCES, 1000000},
	{"cache-misses", PERF_COUNT_HW_CACHE_MISSES, 1000000},
	{"branch-instructions", PERF_COUNT_HW_BRANCH_INSTRUCTIONS, 100000},
	{"branches", PERF_COUNT_HW_BRANCH_INSTRUCTIONS, 100000},
	{"branch-misses", PERF_COUNT_HW_BRANCH_MISSES, 100000},
	{"bus-cycles", PERF_COUNT_HW_BUS_CYCLES, 100000},
	{"ref-cycles", PERF_COUNT_HW_REF_CPU_CYCLES, 1000000},
	{NULL},
};

static const struct counter *find(const struct target *target, const struct counter *counters,
				  struct error *error)
{
	size_t length = strcspn(target->text, ":");
	char name[64];
	struct nearest nearest;

	snprintf(name, sizeof(name), "%.*s", (int)length, target->text);
	nearest_start(&nearest, name);
	for (; counters->name; counters++) {
		if (!strcmp(counters->name, name))
			return counters;
		nearest_offer(&nearest, counters->name);
	}
	error_set(error, -ENOENT, "probe %s: there is no counter %s%s%s%s", target->name, name,
		  *nearest_name(&nearest) ? "; did you mean " : "", nearest_name(&nearest),
		  *nearest_name(&nearest) ? "?" : "");
	return NULL;
}

/* Digits only: strtoull() takes signs and spaces, too. 0: it is no number that the kernel takes. */
static uint64_t read_period(const char *text)
{
	uint64_t period = text[strspn(text, "0123456789")] ? 0 : strtoull(text, NULL, 10);

	return period > INT64_MAX ? 0 : period;
}

static int open(struct target *target, uint32_t type, const struct counter *counters,
		struct error *error)
{
	const struct counter *counter = find(target, counters, error);
	const char *count = strchr(target->text, ':');
	struct target_place like = {.perf_type = type};

	if (!counter)
		return -ENOENT;
	like.perf_config = counter->config;
	like.period = count ? read_period(count + 1) : counter->period;
	if (!like.period)
		return error_set(error, -EINVAL,
				 "probe %s: behind the counter: how many are an event",
				 target->name);
	return target_add_cpus(target, &like, error);
}

static int open_software(struct target *target, const struct target_setting *setting,
			 struct error *error)
{
	(void)setting;
	return open(target, PERF_TYPE_SOFTWARE, software, error);
}

static int open_hardware(struct target *target, const struct target_setting *setting,
			 struct error *error)
{
	(void)setting;
	return open(target, PERF_TYPE_HARDWARE, hardware, error);
}

const struct target_kind target_software_event = {"software_event", open_software};
const struct target_kind target_hardware_event = {"hardware_event", open_hardware};
