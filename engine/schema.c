// SPDX-License-Identifier: Apache-2.0
#include "schema.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *name_of(const struct btf *btf, uint32_t offset)
{
	const char *name = btf__name_by_offset(btf, offset);

	return name ? name : "";
}

/* The text of a decl tag `prefix...` on (type, component), or NULL. */
static const char *tag_of(const struct btf *btf, uint32_t type_id, int component,
			  const char *prefix)
{
	uint32_t count = btf__type_cnt(btf);

	for (uint32_t id = 1; id < count; id++) {
		const struct btf_type *type = btf__type_by_id(btf, id);
		const char *text;

		if (!btf_is_decl_tag(type) || type->type != type_id ||
		    btf_decl_tag(type)->component_idx != component)
			continue;
		text = name_of(btf, type->name_off);
		if (!strncmp(text, prefix, strlen(prefix)))
			return text + strlen(prefix);
	}
	return NULL;
}

static const struct btf_type *skip_qualifiers(const struct btf *btf, uint32_t id, const char **name)
{
	const struct btf_type *type = btf__type_by_id(btf, id);

	while (type && (btf_is_mod(type) || btf_is_typedef(type))) {
		/* The outermost typedef is the name people gave it; __u32 says nothing. */
		if (btf_is_typedef(type) && name && !**name &&
		    strncmp(name_of(btf, type->name_off), "__", 2))
			*name = name_of(btf, type->name_off);
		type = btf__type_by_id(btf, type->type);
	}
	return type;
}

static int keep_values(struct schema *schema, const struct btf *btf, const struct btf_type *type,
		       struct schema_field *field)
{
	int count = btf_vlen(type);
	struct schema_value *values =
		reallocarray(schema->values, schema->value_count + count, sizeof(*values));

	if (!values)
		return -ENOMEM;
	schema->values = values;
	for (int i = 0; i < count; i++) {
		const struct btf_enum *one = btf_enum(type) + i;

		values[schema->value_count + i].name = name_of(btf, one->name_off);
		values[schema->value_count + i].value = one->val;
	}
	/* The array may still move: an index until place_values(). */
	field->values = (void *)(uintptr_t)schema->value_count;
	field->value_count = count;
	schema->value_count += count;
	return 0;
}

/* Kind, sizes, type name and enum values of a field or knob. */
static int describe(struct schema *schema, const struct btf *btf, uint32_t type_id,
		    struct schema_field *field)
{
	const struct btf_type *type;

	field->type = "";
	type = skip_qualifiers(btf, type_id, &field->type);
	if (type && btf_is_array(type)) {
		field->elements = btf_array(type)->nelems;
		type = skip_qualifiers(btf, btf_array(type)->type, &field->type);
	}
	if (!type)
		return -EINVAL;
	field->element_bytes = type->size;
	field->bytes = type->size * (field->elements ? field->elements : 1);
	if (btf_is_enum(type)) {
		field->kind = SCHEMA_UNSIGNED;
		if (!*field->type)
			field->type = name_of(btf, type->name_off);
		return keep_values(schema, btf, type, field);
	}
	if (btf_is_struct(type) || btf_is_union(type)) {
		field->kind = SCHEMA_STRUCT;
		field->type = name_of(btf, type->name_off);
		return 0;
	}
	if (!btf_is_int(type))
		return -EINVAL;
	if (field->elements && type->size == 1 && !strcmp(name_of(btf, type->name_off), "char")) {
		field->kind = SCHEMA_TEXT;
		field->elements = 0;
	} else if (btf_int_encoding(type) & BTF_INT_BOOL) {
		field->kind = SCHEMA_BOOL;
	} else {
		field->kind =
			btf_int_encoding(type) & BTF_INT_SIGNED ? SCHEMA_SIGNED : SCHEMA_UNSIGNED;
	}
	return 0;
}

static const struct btf_type *rodata_section(const struct btf *btf)
{
	int id = btf ? btf__find_by_name_kind(btf, ".rodata", BTF_KIND_DATASEC) : -ENOENT;

	return id > 0 ? btf__type_by_id(btf, id) : NULL;
}

/* The id of a variable of .rodata, or 0. */
static uint32_t rodata_variable(const struct btf *btf, const char *name)
{
	const struct btf_type *section = rodata_section(btf);

	for (int i = 0; section && i < btf_vlen(section); i++) {
		uint32_t id = btf_var_secinfos(section)[i].type;

		if (!strcmp(name_of(btf, btf__type_by_id(btf, id)->name_off), name))
			return id;
	}
	return 0;
}

/* Appends the members of a struct; an embedded event_context is flattened, so e.pid works. */
static int read_members(struct schema *schema, const struct btf *btf, uint32_t type_id,
			uint32_t base, struct error *error)
{
	const struct btf_type *type = btf__type_by_id(btf, type_id);

	for (int i = 0; i < btf_vlen(type); i++) {
		const struct btf_member *member = btf_members(type) + i;
		const char *name = name_of(btf, member->name_off), *ignored = "";
		const struct btf_type *inner = skip_qualifiers(btf, member->type, &ignored);
		uint32_t offset = base + btf_member_bit_offset(type, i) / 8;
		struct schema_field *field, *fields;
		char variable[80];
		uint32_t want;

		if (inner && btf_is_struct(inner) &&
		    (!strcmp(name, "context") || !strcmp(name, "header"))) {
			int err = read_members(schema, btf, member->type, offset, error);

			if (err)
				return err;
			continue;
		}
		fields = reallocarray(schema->fields, schema->field_count + 1, sizeof(*fields));
		if (!fields)
			return error_set(error, -ENOMEM, "probe %s: no memory", schema->name);
		schema->fields = fields;
		field = &fields[schema->field_count];
		memset(field, 0, sizeof(*field));
		field->name = name;
		field->offset = offset;
		field->doc = tag_of(btf, type_id, i, "doc:");
		if (!field->doc)
			field->doc = "";
		if (btf_member_bitfield_size(type, i) || describe(schema, btf, member->type, field))
			return error_set(
				error, -EINVAL,
				"probe %s: field %s: only integers, enums, text and structs "
				"can be fields",
				schema->name, name);
		snprintf(variable, sizeof(variable), "want_%s", name);
		want = rodata_variable(btf, variable);
		field->switchable = want != 0;
		field->late = want && tag_of(btf, want, -1, "late");
		schema->field_count++;
	}
	return 0;
}

struct bpf_map *schema_rodata_map(const struct bpf_object *object)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, object)
	{
		const char *name = bpf_map__name(map);
		size_t length = strlen(name);

		if (length >= 7 && !strcmp(name + length - 7, ".rodata"))
			return map;
	}
	return NULL;
}

int schema_rodata(const struct bpf_object *object, const char *variable, uint32_t *offset,
		  uint32_t *bytes)
{
	const struct btf *btf = bpf_object__btf(object);
	const struct btf_type *section = rodata_section(btf);

	for (int i = 0; section && i < btf_vlen(section); i++) {
		const struct btf_var_secinfo *place = btf_var_secinfos(section) + i;
		const struct btf_type *type = btf__type_by_id(btf, place->type);

		if (!strcmp(name_of(btf, type->name_off), variable)) {
			*offset = place->offset;
			*bytes = place->size;
			return 0;
		}
	}
	return -ENOENT;
}

static double number_at(const void *bytes, uint32_t size, enum schema_kind kind)
{
	uint64_t value = 0;

	memcpy(&value, bytes, size < 8 ? size : 8); /* little-endian, like every matrix kernel */
	if (kind == SCHEMA_SIGNED && size < 8 && value >> (8 * size - 1))
		value |= ~0ull << (8 * size);
	return kind == SCHEMA_SIGNED ? (double)(int64_t)value : (double)value;
}

static int read_knobs(struct schema *schema, const struct btf *btf, struct error *error)
{
	const struct btf_type *section = rodata_section(btf);
	struct bpf_map *map = schema_rodata_map(schema->object);
	size_t size = 0;
	const unsigned char *presets = map ? bpf_map__initial_value(map, &size) : NULL;

	for (int i = 0; section && presets && i < btf_vlen(section); i++) {
		const struct btf_var_secinfo *place = btf_var_secinfos(section) + i;
		const struct btf_type *variable = btf__type_by_id(btf, place->type);
		const char *doc = tag_of(btf, place->type, -1, "knob:");
		struct schema_field as_field = {0};
		struct schema_knob *knobs, *knob;

		if (!doc)
			continue;
		knobs = reallocarray(schema->knobs, schema->knob_count + 1, sizeof(*knobs));
		if (!knobs)
			return error_set(error, -ENOMEM, "probe %s: no memory", schema->name);
		schema->knobs = knobs;
		knob = &knobs[schema->knob_count++];
		memset(knob, 0, sizeof(*knob));
		knob->name = name_of(btf, variable->name_off);
		knob->doc = doc;
		knob->offset = place->offset;
		knob->bytes = place->size;
		if (describe(schema, btf, variable->type, &as_field) ||
		    as_field.kind == SCHEMA_STRUCT || as_field.elements ||
		    place->offset + place->size > size)
			return error_set(error, -EINVAL,
					 "probe %s: knob %s: only integers and text can be knobs",
					 schema->name, knob->name);
		knob->kind = as_field.kind;
		if (knob->kind == SCHEMA_TEXT)
			knob->preset_text = (const char *)presets + place->offset;
		else
			knob->preset = number_at(presets + place->offset, place->size, knob->kind);
	}
	return 0;
}

static int read_programs(struct schema *schema, const struct btf *btf, struct error *error)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, schema->object)
	{
		const char *section = bpf_program__section_name(program);
		const char *name = bpf_program__name(program);
		int id = btf__find_by_name_kind(btf, name, BTF_KIND_FUNC);
		struct schema_program *programs, *one;

		programs = reallocarray(schema->programs, schema->program_count + 1,
					sizeof(*programs));
		if (!programs)
			return error_set(error, -ENOMEM, "probe %s: no memory", schema->name);
		schema->programs = programs;
		one = &programs[schema->program_count++];
		one->name = name;
		/* libbpf has taken the `?` off, and turned loading off for it. */
		one->optional = !bpf_program__autoload(program);
		one->section = section;
		one->only_with = id > 0 ? tag_of(btf, id, -1, "only_with:") : NULL;
		if (one->only_with && !schema_knob(schema, one->only_with))
			return error_set(error, -EINVAL, "probe %s: program %s: no knob named %s",
					 schema->name, name, one->only_with);
	}
	if (!schema->program_count)
		return error_set(error, -EINVAL, "probe %s: has no SEC() program", schema->name);
	return 0;
}

static int read_event(struct schema *schema, const struct btf *btf, struct error *error)
{
	int stage = btf__find_by_name_kind(btf, "stage_early", BTF_KIND_FUNC);
	const struct btf_type *proto, *pointer;
	uint32_t event;

	if (stage < 0)
		return error_set(error, -EINVAL,
				 "probe %s: declares no event; end its struct with PROBE(...)",
				 schema->name);
	proto = btf__type_by_id(btf, btf__type_by_id(btf, stage)->type);
	pointer = btf__type_by_id(btf, btf_params(proto)[0].type);
	event = pointer->type;
	schema->event_bytes = btf__resolve_size(btf, event);
	schema->about = tag_of(btf, stage, -1, "about:");
	schema->blind = tag_of(btf, stage, -1, "blind:");
	if (!schema->about || !schema->blind)
		return error_set(error, -EINVAL, "probe %s: PROBE() lacks its sentences",
				 schema->name);
	return read_members(schema, btf, event, 0, error);
}

/* Fields and knobs that are enums have all been read: their values stay where they are. */
static void place_values(struct schema *schema)
{
	for (int i = 0; i < schema->field_count; i++)
		if (schema->fields[i].value_count)
			schema->fields[i].values =
				schema->values + (uintptr_t)schema->fields[i].values;
}

int schema_open(struct schema **out, const char *name, const void *bytes, size_t size,
		struct error *error)
{
	DECLARE_LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = name);
	struct schema *schema = calloc(1, sizeof(*schema));
	const struct btf *btf;
	char why[128];
	int err;

	if (!schema)
		return error_set(error, -ENOMEM, "probe %s: no memory", name);
	snprintf(schema->name, sizeof(schema->name), "%s", name);
	schema->object = bpf_object__open_mem(bytes, size, &options);
	if (!schema->object) {
		err = -errno;
		libbpf_strerror(err, why, sizeof(why)); /* knows its own numbers too */
		error_set(error, err, "probe %s: not a BPF object: %s", name, why);
		goto fail;
	}
	btf = bpf_object__btf(schema->object);
	if (!btf) {
		err = error_set(error, -EINVAL, "probe %s: built without BTF; compile with -g",
				name);
		goto fail;
	}
	err = read_event(schema, btf, error);
	if (!err)
		err = read_knobs(schema, btf, error);
	if (!err)
		err = read_programs(schema, btf, error);
	if (err)
		goto fail;
	place_values(schema);
	*out = schema;
	return 0;
fail:
	schema_close(schema);
	return err;
}

void schema_close(struct schema *schema)
{
	if (!schema)
		return;
	bpf_object__close(schema->object);
	free(schema->fields);
	free(schema->knobs);
	free(schema->programs);
	free(schema->values);
	free(schema);
}

const struct schema_field *schema_field(const struct schema *schema, const char *name)
{
	for (int i = 0; i < schema->field_count; i++)
		if (!strcmp(schema->fields[i].name, name))
			return &schema->fields[i];
	return NULL;
}

const struct schema_knob *schema_knob(const struct schema *schema, const char *name)
{
	for (int i = 0; i < schema->knob_count; i++)
		if (!strcmp(schema->knobs[i].name, name))
			return &schema->knobs[i];
	return NULL;
}

const char *schema_unit(const char *field_name)
{
	static const char *const units[] = {"ns", "us", "ms", "bytes"};
	const char *end = strrchr(field_name, '_');

	for (size_t i = 0; end && i < sizeof(units) / sizeof(*units); i++)
		if (!strcmp(end + 1, units[i]))
			return units[i];
	return "";
}
