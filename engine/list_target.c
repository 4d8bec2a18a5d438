// SPDX-License-Identifier: Apache-2.0
#include "list_target.h"

#include "json.h"
#include "targets.h"
#include "typed_types.h"

#include <bpf/btf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* "struct sock *", "unsigned int": the type in C, as far as a line needs it. */
static void type_in_c(const struct btf *btf, uint32_t id, char *text, size_t size)
{
	const struct btf_type *type = btf ? btf__type_by_id(btf, id) : NULL;
	const char *name, *before = "";
	char stars[8] = "";

	/* Types of a file may be a circle. */
	for (int i = 0; i < 32 && type && id && (btf_is_mod(type) || btf_is_ptr(type)); i++) {
		if (btf_is_ptr(type) && strlen(stars) + 2 < sizeof(stars))
			strcat(stars, "*");
		id = type->type;
		type = btf__type_by_id(btf, id);
	}
	name = type && id ? btf__name_by_offset(btf, type->name_off) : "void";
	if (type && id && btf_is_composite(type))
		before = btf_is_union(type) ? "union " : "struct ";
	else if (type && id && btf_is_any_enum(type))
		before = "enum ";
	else if (type && id && btf_is_func_proto(type))
		name = "function";
	snprintf(text, size, "%s%s%s%s", before, name && *name ? name : "(no name)",
		 *stars ? " " : "", stars);
}

static void print_places(const struct target *target, bool json)
{
	const char *part = strchr(target->text, ':');

	for (int i = 0; i < target->place_count; i++) {
		/* All but the last part: with a file or a category there are three. */
		bool is_third = part && !strchr(target->places[i].name, ':');
		const char *last = target->binary || is_third ? part + 1 : target->text;
		char name[2 * TARGET_NAME];

		snprintf(name, sizeof(name), "%.*s%s", (int)(last - target->name), target->name,
			 target->is_wildcard ? target->places[i].name : last);
		if (json) {
			printf("{\"probe\":");
			json_text(stdout, name);
			printf("}\n");
		} else {
			printf("%s\n", name);
		}
	}
}

static void print_roots(const struct target *target)
{
	const struct typed_source *types = &target->types;
	int shown = 0;

	for (int i = 0; i < types->root_count; i++) {
		const struct typed_root *root = &types->roots[i];
		char type[TYPED_TYPE_NAME];
		struct typed_bare bare;

		if (root->refused || (types->raw_arguments && !root->type))
			continue;
		type_in_c(types->btf, root->type, type, sizeof(type));
		if (root->is_dynamic)
			strcpy(type, "char[]");
		else if (typed_bare(&bare, types->btf, root->type) && btf_is_array(bare.type))
			typed_type_name(type, types->btf, root->type);
		else if (root->called)
			snprintf(type, sizeof(type), "%s", root->called);
		printf("    %-24s %s\n", root->name, type);
		shown++;
	}
	if (types->raw_arguments > TYPED_ARGS)
		printf("    nothing by type; e.arg0 to e.arg%d, e.string.arg0\n",
		       types->raw_arguments - 1);
	else if (!shown)
		printf("    nothing by type; e.arg0 and so on, e.string.arg0\n");
}

int list_target(const struct search_path *path, const char *name, bool json, struct error *error)
{
	const struct target_setting setting = {0};
	struct targets targets = {0};
	const struct target *target = targets_find(&targets, path, name, &setting, error);

	if (!target)
		return -ENOENT;
	print_places(target, json);
	if (!json && !target->is_wildcard)
		print_roots(target);
	targets_close(&targets);
	return 0;
}
