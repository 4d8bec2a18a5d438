// SPDX-License-Identifier: Apache-2.0
/* Security hooks: NAME as in include/linux/lsm_hook_defs.h: the kernel's function bpf_lsm_NAME. */
#include "target.h"

#include <bpf/btf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PREFIX "bpf_lsm_"

static int open(struct target *target, const struct target_setting *setting, struct error *error)
{
	struct btf *kernel = target_kernel_btf(target);
	char function[TARGET_NAME + sizeof(PREFIX)];
	struct error why;
	int id, err;

	(void)setting;
	if (!kernel)
		return error_set(error, -ENOENT, "probe %s: the kernel has no BTF", target->name);
	snprintf(function, sizeof(function), PREFIX "%s", target->text);
	id = btf__find_by_name_kind(kernel, function, BTF_KIND_FUNC);
	if (id <= 0)
		return target_not_found(target, kernel, "security hook", PREFIX, BTF_KIND_FUNC,
					error);
	err = typed_function(&target->types, kernel, id, &why);
	if (err)
		return error_set(error, err, "probe %s: %s", target->name, why.text);
	typed_source_of_call(&target->types);
	target->types.is_raw = true;
	target->btf_id = id;
	target->arguments = btf_vlen(btf__type_by_id(kernel, btf__type_by_id(kernel, id)->type));
	return target_add_place(target, target->text, target->text) ? 0 : -ENOMEM;
}

const struct target_kind target_lsm_hook = {"lsm_hook", open};
