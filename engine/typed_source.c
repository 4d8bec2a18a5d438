// SPDX-License-Identifier: Apache-2.0
/* The roots that functions, tracepoints and records have. */
#include "typed.h"

#include "typed_types.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IN_REGISTERS 16 /* bytes of a struct that is returned so */

static const char by_value[] = "is a struct passed by value, which cannot be read";
static const char behind[] = "comes after what is passed by value, so its place is not known";
static const char on_stack[] = "is not among the first six arguments, which come in registers";
static const char is_float[] = "is a floating-point number, which cannot be read";
static const char is_wide[] = "is an integer of more than 64 bits, which cannot be read";
static const char returned[] = "is a struct returned by value, which cannot be read";
static const char at_return[] = "is known when it has returned: kretprobe, fexit, uretprobe";
static const char is_odd[] = "has a type that cannot be passed";

void typed_source_of_call(struct typed_source *source)
{
	for (int i = 0; i < source->root_count; i++)
		if (!strcmp(source->roots[i].name, "ret"))
			source->roots[i].refused = at_return;
}

void typed_source_free(struct typed_source *source)
{
	for (int i = 0; i < source->root_count; i++)
		free((void *)source->roots[i].name);
	free(source->roots);
	source->roots = NULL;
	source->root_count = 0;
	btf__free(source->own);
	source->own = NULL;
}

static int start(struct typed_source *source, const struct btf *btf, const char *name, int roots,
		 struct error *error)
{
	*source = (struct typed_source){.btf = btf};
	snprintf(source->name, sizeof(source->name), "%s", name);
	if (btf__pointer_size(btf) != sizeof(uint64_t))
		return error_set(error, -EINVAL, "%s: its pointers are not of 64 bits", name);
	source->roots = calloc(roots ? roots : 1, sizeof(*source->roots));
	return source->roots ? 0 : error_set(error, -ENOMEM, "%s: no memory", name);
}

/* Takes the name. */
static int add(struct typed_source *source, char *name, const struct typed_root *like,
	       struct error *error)
{
	struct typed_root *root = &source->roots[source->root_count];

	if (!name)
		return error_set(error, -ENOMEM, "%s: no memory", source->name);
	*root = *like;
	root->name = name;
	source->root_count++;
	return 0;
}

static char *argument_name(const char *name, int number)
{
	char *text;
	int length = *name ? asprintf(&text, "args.%s", name) : asprintf(&text, "args.%d", number);

	return length < 0 ? NULL : text;
}

/* Why no value of this type comes in a register of integers; NULL: it does. */
static const char *refusal(const struct btf *btf, uint32_t id, const char *of_struct)
{
	struct typed_bare bare;

	if (!typed_bare(&bare, btf, id))
		return is_odd;
	switch (btf_kind(bare.type)) {
	case BTF_KIND_INT:
		return bare.type->size > 8 ? is_wide : NULL;
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
	case BTF_KIND_PTR:
		return NULL;
	case BTF_KIND_FLOAT:
		return is_float;
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return of_struct;
	}
	return is_odd;
}

/* A struct too large for registers is returned through an argument nobody wrote. */
static bool returns_through_argument(const struct btf *btf, uint32_t id)
{
	struct typed_bare bare;

	return typed_bare(&bare, btf, id) && btf_is_composite(bare.type) &&
	       bare.type->size > IN_REGISTERS;
}

static int add_arguments(struct typed_source *source, const struct btf_type *proto,
			 const struct btf_type *named, int skip, struct error *error)
{
	const struct btf_param *params = btf_params(proto), *names = btf_params(named);
	bool is_moved = returns_through_argument(source->btf, proto->type);
	int slot = 0, err = 0;

	for (int i = skip; i < btf_vlen(proto) && !err; i++) {
		struct typed_root root = {.type = params[i].type};

		if (!root.type) /* the dots of a variable number of them */
			break;
		root.refused = refusal(source->btf, root.type, by_value);
		if (root.refused != is_float) {
			if (is_moved)
				root.refused = behind;
			is_moved |= root.refused != NULL;
			root.slot = slot++;
		}
		if (!root.refused && root.slot >= TYPED_ARGS) {
			root.slot = 0;
			root.refused = on_stack;
		}
		err = add(source,
			  argument_name(typed_text(source->btf, names[i].name_off), i - skip + 1),
			  &root, error);
	}
	return err;
}

static int ended(struct typed_source *source, int err)
{
	if (err)
		typed_source_free(source);
	return err;
}

int typed_function(struct typed_source *source, const struct btf *btf, uint32_t func,
		   struct error *error)
{
	const struct btf_type *type = btf__type_by_id(btf, func), *proto = NULL;
	struct typed_root ret = {.slot = TYPED_RET_SLOT};
	const char *name = type ? typed_text(btf, type->name_off) : "";
	int err;

	*source = (struct typed_source){0};
	if (type && btf_is_func(type))
		proto = btf__type_by_id(btf, type->type);
	if (!proto || !btf_is_func_proto(proto))
		return error_set(error, -EINVAL, "type %u is not a function", func);
	err = start(source, btf, name, btf_vlen(proto) + 1, error);
	if (!err)
		err = add_arguments(source, proto, proto, 0, error);
	ret.type = proto->type;
	if (!err && ret.type) {
		ret.refused = refusal(btf, ret.type, returned);
		err = add(source, strdup("ret"), &ret, error);
	}
	return ended(source, err);
}

/* A prototype of the same length whose parameters have names: those of a pointer to a function
 * have none in the kernel's BTF. */
static const struct btf_type *named_proto(const struct btf *btf, const char *name,
					  const struct btf_type *like)
{
	static const char *const prefixes[] = {"__traceiter_", "__probestub_", "__bpf_trace_"};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++) {
		const struct btf_type *proto;
		char function[160];
		int id;

		snprintf(function, sizeof(function), "%s%s", prefixes[i], name);
		id = btf__find_by_name_kind(btf, function, BTF_KIND_FUNC);
		if (id <= 0)
			continue;
		proto = btf__type_by_id(btf, btf__type_by_id(btf, id)->type);
		if (proto && btf_is_func_proto(proto) && btf_vlen(proto) == btf_vlen(like))
			return proto;
	}
	return like;
}

int typed_raw_tracepoint(struct typed_source *source, const struct btf *btf, const char *name,
			 struct error *error)
{
	struct typed_bare pointer, proto;
	char type[128];
	int id, err;

	*source = (struct typed_source){0};
	if ((size_t)snprintf(type, sizeof(type), "btf_trace_%s", name) >= sizeof(type))
		return error_set(error, -ENOENT, "no tracepoint has so long a name");
	id = btf__find_by_name_kind(btf, type, BTF_KIND_TYPEDEF);
	if (id <= 0)
		return error_set(error, -ENOENT, "no tracepoint is named %s", name);
	if (!typed_bare(&pointer, btf, id) || !btf_is_ptr(pointer.type) ||
	    !typed_bare(&proto, btf, pointer.type->type) || !btf_is_func_proto(proto.type))
		return error_set(error, -EINVAL, "type %s is not a tracepoint's", type);
	err = start(source, btf, name, btf_vlen(proto.type), error);
	if (!err)
		err = add_arguments(source, proto.type, named_proto(btf, name, proto.type), 1,
				    error);
	return ended(source, err);
}

int typed_struct(struct typed_source *source, const struct btf *btf, uint32_t type, int slot,
		 const char *prefix, struct error *error)
{
	const struct typed_root root = {.type = type, .slot = slot, .in_memory = true};
	struct typed_bare bare;
	int err;

	*source = (struct typed_source){0};
	if (!typed_bare(&bare, btf, type) || !btf_is_composite(bare.type))
		return error_set(error, -EINVAL, "type %u is not a struct", type);
	err = start(source, btf, typed_text(btf, bare.type->name_off), 1, error);
	if (!err)
		err = add(source, strdup(prefix), &root, error);
	return ended(source, err);
}
