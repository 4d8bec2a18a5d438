// SPDX-License-Identifier: Apache-2.0
#include "rodata.h"

#include "plan_file.h"
#include "schema.h"
#include "stage_check.h"
#include "target.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static int put(struct rodata *rodata, const char *variable, const void *value, uint32_t bytes)
{
	uint32_t offset, size;
	int err = schema_rodata(rodata->schema->object, variable, &offset, &size);

	if (err)
		return err;
	if (size != bytes || offset + size > rodata->size)
		return -EINVAL;
	memcpy(rodata->bytes + offset, value, size);
	return 0;
}

/* Is it an integer that a knob of this size and kind can hold? */
static bool fits(const struct schema_knob *knob, double number)
{
	int bits = 8 * (int)knob->bytes - (knob->kind == SCHEMA_SIGNED);
	double most = ldexp(1, bits);

	if (knob->kind == SCHEMA_BOOL)
		return number == 0 || number == 1;
	return number == floor(number) && number < most &&
	       number >= (knob->kind == SCHEMA_SIGNED ? -most : 0);
}

static int put_knob(struct rodata *rodata, const struct schema_knob *knob, bool is_text,
		    double number, const char *text)
{
	unsigned char value[256] = {0};

	if (knob->bytes > sizeof(value) || is_text != (knob->kind == SCHEMA_TEXT))
		return -EINVAL;
	if (is_text) {
		if (strlen(text) >= knob->bytes)
			return -E2BIG;
		memcpy(value, text, strlen(text));
	} else {
		uint64_t bits;

		if (!fits(knob, number))
			return -ERANGE;
		bits = number < 0 ? (uint64_t)(int64_t)number : (uint64_t)number;
		memcpy(value, &bits, knob->bytes);
	}
	return put(rodata, knob->name, value, knob->bytes);
}

static int put_knobs(struct rodata *rodata, const struct probe_request *request,
		     struct error *error)
{
	const struct schema *schema = rodata->schema;

	for (int i = 0; i < request->knob_count; i++) {
		const struct schema_knob *knob = schema_knob(schema, request->knobs[i].name);

		if (!knob)
			return error_set(error, -ENOENT, "probe %s: no knob named %s", schema->name,
					 request->knobs[i].name);
		if (put_knob(rodata, knob, request->knobs[i].is_text, request->knobs[i].number,
			     request->knobs[i].text))
			return error_set(error, -EINVAL, "probe %s: knob %s: %s, it has %u bytes%s",
					 schema->name, knob->name,
					 request->knobs[i].is_text ? "the text is too long"
								   : "not an integer it can hold",
					 knob->bytes,
					 knob->kind == SCHEMA_SIGNED ? ", signed" : "");
	}
	return 0;
}

static void put_fields(struct rodata *rodata, const struct probe_request *request)
{
	for (int i = 0; i < rodata->schema->field_count; i++) {
		const struct schema_field *field = &rodata->schema->fields[i];
		uint8_t want = probe_request_has_field(request, field->name);
		char variable[80];

		if (!field->switchable)
			continue;
		snprintf(variable, sizeof(variable), "want_%s", field->name);
		put(rodata, variable, &want, sizeof(want));
	}
}

/* May the early stage be asked before it is known whose event it is? */
static bool comes_first(const struct schema *schema, const struct plan *plan)
{
	const struct schema_field *pid = schema_field(schema, "pid");
	const struct schema_field *tid = schema_field(schema, "tid");
	const struct plan_code *early = plan ? &plan->stages[PLAN_EARLY] : NULL;

	return early && early->count && pid && tid &&
	       stage_only_asks(early->code, early->count, pid->offset, tid->offset + tid->bytes);
}

int rodata_generation_at(const struct schema *schema)
{
	uint32_t offset, size;
	int err = schema_rodata(schema->object, "generation", &offset, &size);

	return err ? err : (int)offset;
}

int rodata_target(struct rodata *rodata, const struct target *target, uint32_t typed_bytes,
		  struct error *error)
{
	int32_t arguments = target->arguments;
	bool many_places = target->place_count > 1;

	if (put(rodata, "typed_bytes", &typed_bytes, sizeof(typed_bytes)) ||
	    put(rodata, "arguments", &arguments, sizeof(arguments)) ||
	    put(rodata, "many_places", &many_places, sizeof(many_places)))
		return error_set(error, -EINVAL,
				 "probe %s: its object was not built with this engine's "
				 "target.bpf.h; rebuild it",
				 target->name);
	return 0;
}

int rodata_specialise(struct rodata *rodata, const struct probe_request *request,
		      const struct probe_setting *setting, const struct plan *plan, uint8_t slot,
		      uint8_t generation, struct error *error)
{
	uint32_t pid = setting->target_pid;
	uint8_t by_map = setting->target_by_map, except = setting->except_by_map;
	uint8_t early_first = comes_first(rodata->schema, plan);

	if (put(rodata, "probe_slot", &slot, sizeof(slot)) ||
	    put(rodata, "generation", &generation, sizeof(generation)) ||
	    put(rodata, "target_pid", &pid, sizeof(pid)) ||
	    put(rodata, "target_by_map", &by_map, sizeof(by_map)) ||
	    put(rodata, "except_by_map", &except, sizeof(except)) ||
	    put(rodata, "early_first", &early_first, sizeof(early_first)))
		return error_set(error, -EINVAL,
				 "probe %s: its object was not built with this engine's "
				 "moonprobe.bpf.h; rebuild it",
				 rodata->schema->name);
	put_fields(rodata, request);
	return put_knobs(rodata, request, error);
}
