// SPDX-License-Identifier: Apache-2.0
/* Raw tracepoints: NAME, with the arguments the kernel hands over, typed by its BTF. */
#include "target.h"

#include <bpf/btf.h>
#include <errno.h>

static int open(struct target *target, const struct target_setting *setting, struct error *error)
{
	struct btf *kernel = target_kernel_btf(target);
	struct error why;
	int err;

	(void)setting;
	if (!kernel)
		return error_set(error, -ENOENT, "probe %s: the kernel has no BTF", target->name);
	err = typed_raw_tracepoint(&target->types, kernel, target->text, &why);
	if (err == -ENOENT)
		return target_not_found(target, kernel, "tracepoint", "btf_trace_",
					BTF_KIND_TYPEDEF, error);
	if (err)
		return error_set(error, err, "probe %s: %s", target->name, why.text);
	target->arguments = target->types.root_count;
	if (!target_add_place(target, target->text, target->text))
		return error_set(error, -ENOMEM, "probe %s: no memory", target->name);
	return 0;
}

const struct target_kind target_raw_tracepoint = {"raw_tracepoint", open};
