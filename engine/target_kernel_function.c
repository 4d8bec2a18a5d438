// SPDX-License-Identifier: Apache-2.0
/* Kernel functions: FUNC, FUNC+0x10, or a wildcard, as functions.h reads them. */
#include "functions.h"
#include "module_btf.h"
#include "target.h"

#include <bpf/btf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

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
	errno = 0;
	*offset = strtoull(plus + 1, &end, 0); /* which takes signs and spaces, too */
	if (plus[1] < '0' || plus[1] > '9' || *end || errno)
		return error_set(error, -EINVAL, "%s: behind the plus: bytes, as 0x10 or 16", text);
	return functions_is_wildcard(name)
		       ? error_set(error, -EINVAL, "%s: an offset is for one function", text)
		       : 0;
}

/* Among the types of one of them: a module's lie behind those of the kernel. 0: none. */
static int find_function(const struct btf *btf, const char *name)
{
	const struct btf *base = btf ? btf__base_btf(btf) : NULL;

	for (uint32_t id = base ? btf__type_cnt(base) : 1; btf && id < btf__type_cnt(btf); id++) {
		const struct btf_type *type = btf__type_by_id(btf, id);

		if (btf_is_func(type) && !strcmp(btf__name_by_offset(btf, type->name_off), name))
			return id;
	}
	return 0;
}

/* Where a function's types are: in the kernel's, or in its module's and nowhere else, as the kernel
 * may have another function of that name. */
static struct btf *types_of(struct target *target)
{
	struct btf *kernel = target_kernel_btf(target);

	if (kernel && *target->module)
		target->module_btf = module_btf_load(target->module, kernel, &target->btf_fd);
	return *target->module ? target->module_btf : kernel;
}

/* The types of one function; without them it has no names for its arguments and can have no
 * trampoline. */
static int find_types(struct target *target, struct error *error)
{
	struct btf *btf = types_of(target);
	int id = find_function(btf, target->places[0].symbol), err;

	if (!id)
		return 0;
	err = typed_function(&target->types, btf, id, error);
	if (err)
		return err;
	/* Without the module's object there is no way to say which module it is. */
	target->btf_id = !*target->module || target->btf_fd ? id : 0;
	target->arguments = btf_vlen(btf__type_by_id(btf, btf__type_by_id(btf, id)->type));
	return 0;
}

/* Until 6.4 the kernel looks for the name alone, first in itself and then in one module after the
 * other, whichever it is told (31bf1dbccfb0, "bpf: Fix attaching fentry/fexit/fmod_ret/lsm to
 * modules"); so it does for a kprobe. */
static bool goes_by_name(void)
{
	struct utsname kernel;
	int major, minor;

	return uname(&kernel) || sscanf(kernel.release, "%d.%d", &major, &minor) != 2 ||
	       major < 6 || (major == 6 && minor < 4);
}

/* Refuses a function that was asked for with its module when the kernel would find another one. */
static int check_name(const struct target *target, struct error *error)
{
	const char *name = target->places[0].symbol;
	struct functions first;
	int err = 0;

	if (!strchr(target->text, ':') || !*target->module || !goes_by_name())
		return 0;
	if (!functions_match(name, &first, error) && strcmp(first.list[0].module, target->module))
		err = error_set(error, -EOPNOTSUPP,
				"%s has a %s, too, which this kernel would take (before 6.4)",
				*first.list[0].module ? first.list[0].module : "the kernel itself",
				name);
	functions_free(&first);
	return err;
}

static int add_places(struct target *target, const char *name, uint64_t offset, struct error *error)
{
	struct functions functions = {0};
	int err = functions_match(name, &functions, error);

	for (size_t i = 0; i < functions.count && !err; i++) {
		const char *one = functions.list[i].name;
		struct target_place *place;

		/* Two modules may have one of that name; the kernel is told names only. */
		if (i && !strcmp(one, functions.list[i - 1].name))
			continue;
		place = target_add_place(target, one, one);
		if (!place)
			err = error_set(error, -ENOMEM, "no memory");
		else
			place->offset = offset;
	}
	if (!err && functions.count == 1)
		snprintf(target->module, sizeof(target->module), "%s", functions.list[0].module);
	functions_free(&functions);
	return err;
}

static int open_function(struct target *target, bool is_return, struct error *error)
{
	struct error why;
	char name[128];
	uint64_t offset;
	int err = split(target->text, name, sizeof(name), &offset, &why);

	if (!err && is_return && offset)
		err = error_set(&why, -EINVAL,
				"a return is of a whole function, without an offset");
	if (!err)
		err = add_places(target, name, offset, &why);
	if (err)
		return error_set(error, err, "probe %s: %s", target->name, why.text);
	target->is_wildcard = functions_is_wildcard(name);
	if (!target->is_wildcard)
		err = check_name(target, &why);
	/* Behind its first instruction the registers hold something else. */
	if (!err && !target->is_wildcard && !offset)
		err = find_types(target, &why);
	target->types.is_raw = true;
	return err ? error_set(error, err, "probe %s: %s", target->name, why.text) : 0;
}

static int open_return(struct target *target, const struct target_setting *setting,
		       struct error *error)
{
	(void)setting;
	return open_function(target, true, error);
}

static int open_call(struct target *target, const struct target_setting *setting,
		     struct error *error)
{
	int err = open_function(target, false, error);

	(void)setting;
	typed_source_of_call(&target->types);
	return err;
}

const struct target_kind target_kernel_function = {"kernel_function", open_call};
const struct target_kind target_kernel_return = {"kernel_return", open_return};
