// SPDX-License-Identifier: Apache-2.0
/* Iterators: NAME of those the kernel has: task, task_file, tcp, udp, bpf_map... What one hands
 * over is struct bpf_iter__NAME. */
#include "target.h"

#include <bpf/btf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PREFIX "bpf_iter__"

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
		return target_not_found(target, kernel, "iterator", PREFIX, BTF_KIND_STRUCT, error);
	err = typed_struct(&target->types, kernel, id, 0, "args", &why);
	if (err)
		return error_set(error, err, "probe %s: %s", target->name, why.text);
	return target_add_place(target, target->text, target->text) ? 0 : -ENOMEM;
}

const struct target_kind target_iterator = {"iterator", open};
