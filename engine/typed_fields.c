// SPDX-License-Identifier: Apache-2.0
#include "typed_fields.h"

#include "schema.h"
#include "target.h"
#include "typed_code.h"

#include <errno.h>
#include <stdlib.h>

/* What is made for the early, or the late ones. */
struct half {
	struct typed_want wants[PROBE_TYPED];
	int count;
	struct typed_area area;
};

static bool has_room(const struct schema_field *room, const struct typed *typed, uint32_t offset)
{
	return offset >= room->offset && typed->access.bytes <= room->bytes &&
	       offset - room->offset <= room->bytes - typed->access.bytes;
}

static int resolve(const struct target *target, const char *path, uint32_t offset,
		   const struct schema_field *room, struct typed **typed, struct error *error)
{
	int err = typed_resolve(typed, &target->types, path, error);

	if (err)
		return err;
	if (!(*typed)->access.bytes)
		return error_set(error, -EINVAL, "%s is no value", path);
	return has_room(room, *typed, offset)
		       ? 0
		       : error_set(error, -EINVAL, "no room for %s at %u", path, offset);
}

static void add(struct half *half, const struct typed *typed, uint32_t offset)
{
	uint32_t from = offset / 8 * 8, to = (offset + typed->access.bytes + 7) / 8 * 8;

	half->wants[half->count++] = (struct typed_want){&typed->access, offset};
	half->area.from = half->count == 1 || from < half->area.from ? from : half->area.from;
	half->area.to = to > half->area.to ? to : half->area.to;
}

static int make_part(struct splice_part *part, const struct half *half, struct error *error)
{
	struct typed_code code;
	int err;

	if (!half->count)
		return 0;
	err = typed_code_make(&code, half->wants, half->count, half->area, error);
	if (!err)
		*part = (struct splice_part){code.code, code.count};
	return err;
}

int typed_fields_make(struct typed_fields *fields, const struct probe_request *request,
		      const struct target *target, const struct schema_field *room,
		      struct error *error)
{
	struct typed *resolved[PROBE_TYPED] = {0};
	struct half halves[2] = {0};
	struct error why;
	int err = 0;

	*fields = (struct typed_fields){0};
	if (request->typed_count && (!target || !room))
		return error_set(error, -EINVAL, "probe %s: has no typed fields", request->name);
	/* The code writes eights. */
	if (request->typed_count && (room->offset % 8 || room->bytes % 8))
		return error_set(error, -EINVAL,
				 "probe %s: its room for typed fields is not aligned to 8 bytes",
				 request->name);
	for (int i = 0; i < request->typed_count && !err; i++) {
		struct half *half = &halves[request->typed[i].late];

		err = resolve(target, request->typed[i].path, request->typed[i].offset, room,
			      &resolved[i], &why);
		if (err)
			break;
		add(half, resolved[i], request->typed[i].offset);
		if (resolved[i]->access.slot >= fields->slots)
			fields->slots = resolved[i]->access.slot + 1;
		if (half->area.to - room->offset > fields->bytes)
			fields->bytes = half->area.to - room->offset;
	}
	if (!err && halves[0].count && halves[1].count && halves[0].area.from < halves[1].area.to &&
	    halves[1].area.from < halves[0].area.to)
		err = error_set(&why, -EINVAL, "early and late typed fields lie among each other");
	if (!err)
		err = make_part(&fields->early, &halves[0], &why);
	if (!err)
		err = make_part(&fields->late, &halves[1], &why);
	for (int i = 0; i < request->typed_count; i++)
		typed_free(resolved[i]);
	return err ? error_set(error, err, "probe %s: %s", request->name, why.text) : 0;
}

void typed_fields_free(struct typed_fields *fields)
{
	free((void *)fields->early.code);
	free((void *)fields->late.code);
	*fields = (struct typed_fields){0};
}
