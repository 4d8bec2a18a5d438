// SPDX-License-Identifier: Apache-2.0
#include "target.h"

#include "binary.h"
#include "cpu_list.h"
#include "kernel_btf.h"
#include "nearest.h"

#include <bpf/btf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct target_kind *const kinds[] = {
	&target_kernel_function, &target_kernel_return,	 &target_raw_tracepoint, &target_tracepoint,
	&target_user_function,	 &target_user_return,	 &target_usdt,		 &target_lsm_hook,
	&target_iterator,	 &target_software_event, &target_hardware_event, &target_profile,
	&target_interval,
};

int target_open(struct target **out, const char *kind, const char *name,
		const struct target_setting *setting, struct error *error)
{
	struct target *target = calloc(1, sizeof(*target));
	int err = -EINVAL;

	if (!target)
		return error_set(error, -ENOMEM, "probe %s: no memory", name);
	target->arguments = -1;
	if ((size_t)snprintf(target->name, sizeof(target->name), "%s", name) >= TARGET_NAME)
		error_set(error, err, "probe %.40s...: its name is longer than %d bytes", name,
			  TARGET_NAME - 1);
	else if (!(target->text = strchr(target->name, ':')) || !*++target->text)
		error_set(error, err, "probe %s: nothing behind the colon", name);
	else {
		size_t i = 0, count = sizeof(kinds) / sizeof(*kinds);

		while (i < count && strcmp(kinds[i]->name, kind))
			i++;
		err = i < count ? kinds[i]->open(target, setting, error)
				: error_set(error, -EINVAL, "probe %s: unknown kind of target: %s",
					    name, kind);
	}
	if (err)
		target_close(target);
	else
		*out = target;
	return err;
}

struct target_place *target_add_place(struct target *target, const char *name, const char *symbol)
{
	struct target_place *places =
		reallocarray(target->places, target->place_count + 1, sizeof(*places));
	struct target_place *one;

	if (!places)
		return NULL;
	target->places = places;
	one = &places[target->place_count];
	*one = (struct target_place){.name = strdup(name), .symbol = strdup(symbol), .cpu = -1};
	target->place_count++;
	return one->name && one->symbol ? one : NULL;
}

struct btf *target_kernel_btf(struct target *target)
{
	if (target->keeps_kernel_btf)
		return kernel_btf_load();
	target->keeps_kernel_btf = kernel_btf_keep();
	return target->keeps_kernel_btf ? kernel_btf_load() : NULL;
}

int target_not_found(const struct target *target, const struct btf *kernel, const char *what,
		     const char *prefix, int kind, struct error *error)
{
	struct nearest nearest;

	nearest_start(&nearest, target->text);
	for (uint32_t id = 1; id < btf__type_cnt(kernel); id++) {
		const struct btf_type *type = btf__type_by_id(kernel, id);
		const char *name = btf__name_by_offset(kernel, type->name_off);

		if (btf_kind(type) == kind && !strncmp(name, prefix, strlen(prefix)))
			nearest_offer(&nearest, name + strlen(prefix));
	}
	return error_set(error, -ENOENT, "probe %s: this kernel has no such %s%s%s%s", target->name,
			 what, *nearest_name(&nearest) ? "; did you mean " : "",
			 nearest_name(&nearest), *nearest_name(&nearest) ? "?" : "");
}

void target_forget_types(struct target *target)
{
	typed_source_free(&target->types);
	target->types.btf = NULL;
	btf__free(target->module_btf);
	target->module_btf = NULL;
	binary_types_free(&target->binary_types);
	if (target->keeps_kernel_btf)
		kernel_btf_let_go();
	target->keeps_kernel_btf = false;
}

static int add_cpu(struct target *target, const struct target_place *like, int cpu)
{
	char name[16];
	struct target_place *place;

	snprintf(name, sizeof(name), "CPU %d", cpu);
	place = target_add_place(target, name, "");
	if (!place)
		return -ENOMEM;
	place->perf_type = like->perf_type;
	place->perf_config = like->perf_config;
	place->period = like->period;
	place->by_frequency = like->by_frequency;
	place->cpu = cpu;
	return 0;
}

int target_add_cpus(struct target *target, const struct target_place *like, struct error *error)
{
	int *cpus, count = cpu_list_online(&cpus), err = 0;

	if (count < 0)
		return error_set(error, count, "probe %s: which CPUs there are cannot be read: %s",
				 target->name, strerror(-count));
	for (int i = 0; i < count && !err; i++)
		err = add_cpu(target, like, cpus[i]);
	free(cpus);
	return err ? error_set(error, err, "probe %s: no memory", target->name) : 0;
}

void target_close(struct target *target)
{
	if (!target)
		return;
	for (int i = 0; i < target->place_count; i++) {
		free(target->places[i].name);
		free(target->places[i].symbol);
	}
	free(target->places);
	target_forget_types(target);
	tracepoint_format_free(&target->format);
	free(target->slots);
	free(target->more_slots);
	binary_close(target->binary);
	if (target->btf_fd)
		close(target->btf_fd);
	free(target);
}
