// SPDX-License-Identifier: Apache-2.0
/* Iterators: NAME of those the kernel has: task, task_file, tcp, udp, bpf_map... What one hands
 * over is struct bpf_iter__NAME. */
#include "nearest.h"
#include "target.h"

#include <bpf/btf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PREFIX "bpf_iter__"

static int not_found(const struct target *target, const struct btf *kernel, struct error *error)
{
	struct nearest nearest;

	nearest_start(&nearest, target->text);
	for (uint32_t id = 1; id < btf__type_cnt(kernel); id++) {
		const struct btf_type *type = btf__type_by_id(kernel, id);
		const char *name = btf__name_by_offset(kernel, type->name_off);

		if (btf_is_struct(type) && !strncmp(name, PREFIX, strlen(PREFIX)))
			nearest_offer(&nearest, name + strlen(PREFIX));
	}
	return error_set(error, -ENOENT, "probe %s: this kernel has no such iterator%s%s%s",
			 target->name, *nearest_name(&nearest) ? "; did you mean " : "",
			 nearest_name(&nearest), *nearest_name(&nearest) ? "?" : "");
}

static int open(struct target *target, const struct target_setting *setting, struct error *error)
{
	struct btf *kernel = target_kernel_btf(target);
	char name[TARGET_NAME + sizeof(PREFIX)];
	struct error why;
	int id, err;

	(void)setting;
	if (!kernel)
		return error_set(error, -ENOENT, "probe %s: the kernel has no BTF", target->name);
	snprintf(name, sizeof(name), PREFIX "%s", target->text);
	id = btf__find_by_name_kind(kernel, name, BTF_KIND_STRUCT);
	if (id <= 0)
		return not_found(target, kernel, error);
	err = typed_struct(&target->types, kernel, id, 0, "args", &why);
	if (err)
		return error_set(error, err, "probe %s: %s", target->name, why.text);
	return target_add_place(target, target->text, target->text) ? 0 : -ENOMEM;
}

const struct target_kind target_iterator = {"iterator", open};
