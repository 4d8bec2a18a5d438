// SPDX-License-Identifier: Apache-2.0
/* Kernel functions: FUNC, FUNC+0x10, or a wildcard, as functions.h reads them. */
#include "functions.h"
#include "kernel_btf.h"
#include "target.h"

#include <bpf/btf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "vfs_read+0x10": the name, and how far from its start. */
static int split(const char *text, char *name, size_t size, uint64_t *offset, struct error *error)
{
	const char *plus = strchr(text, '+');
	size_t length = plus ? (size_t)(plus - text) : strlen(text);
	char *end;

	*offset = 0;
	if (length >= size)
		return error_set(error, -EINVAL, "%.40s...: no function has so long a name", text);
	memcpy(name, text, length);
	name[length] = 0;
	if (!plus)
		return 0;
	*offset = strtoull(plus + 1, &end, 0);
	if (!plus[1] || *end)
		return error_set(error, -EINVAL, "%s: behind the plus: bytes, as 0x10 or 16", text);
	return functions_is_wildcard(name)
		       ? error_set(error, -EINVAL, "%s: an offset is for one function", text)
		       : 0;
}

/* The types of one function; without them it has no names for its arguments. */
static int find_types(struct target *target, struct error *error)
{
	struct btf *kernel = kernel_btf_load();
	const struct target_place *place = target->places;
	int id = kernel ? btf__find_by_name_kind(kernel, place->symbol, BTF_KIND_FUNC) : 0;
	int err;

	if (id <= 0)
		return 0;
	err = typed_function(&target->types, kernel, id, error);
	if (err)
		return err;
	target->btf_id = id;
	target->arguments = btf_vlen(btf__type_by_id(kernel, btf__type_by_id(kernel, id)->type));
	return 0;
}

static int open_return(struct target *target, const struct target_setting *setting,
		       struct error *error)
{
	struct functions functions = {0};
	struct error why;
	char name[128];
	uint64_t offset;
	int err;

	(void)setting;
	err = split(target->text, name, sizeof(name), &offset, &why);
	if (!err)
		err = functions_match(name, &functions, &why);
	for (size_t i = 0; i < functions.count && !err; i++) {
		struct target_place *place =
			target_add_place(target, functions.list[i].name, functions.list[i].name);

		if (!place)
			err = error_set(&why, -ENOMEM, "no memory");
		else
			place->offset = offset;
	}
	functions_free(&functions);
	target->is_wildcard = functions_is_wildcard(name);
	/* Behind its first instruction the registers hold something else. */
	if (!err && !target->is_wildcard && !offset)
		err = find_types(target, &why);
	target->types.is_raw = true;
	return err ? error_set(error, err, "probe %s: %s", target->name, why.text) : 0;
}

static int open_call(struct target *target, const struct target_setting *setting,
		     struct error *error)
{
	int err = open_return(target, setting, error);

	typed_source_of_call(&target->types);
	return err;
}

const struct target_kind target_kernel_function = {"kernel_function", open_call};
const struct target_kind target_kernel_return = {"kernel_return", open_return};
