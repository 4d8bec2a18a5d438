// SPDX-License-Identifier: Apache-2.0
/* moonprobe list: what can be probed, from the objects' own BTF. */
#include "command_line.h"
#include "hook.h"
#include "json.h"
#include "list_target.h"
#include "schema.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

struct list {
	const struct search_path *path;
	const char *pattern; /* NULL: all */
	bool json;
	int shown, failed;
};

/* "" when every needed hook exists, else why not. */
static void why_not(const struct schema *schema, struct error *why)
{
	int usable = 0;

	why->text[0] = 0;
	for (int i = 0; i < schema->program_count; i++) {
		const struct hook hook = {.section = schema->programs[i].section};
		struct error error;

		if (!hook_exists(&hook, &error)) {
			usable++;
		} else if (!schema->programs[i].optional) {
			*why = error;
			return;
		} else if (!usable) {
			*why = error;
		}
	}
	if (usable)
		why->text[0] = 0;
}

static void type_of(const struct schema_field *field, char *type, size_t size)
{
	char base[64];

	if (*field->type)
		snprintf(base, sizeof(base), "%s", field->type);
	else if (field->kind == SCHEMA_TEXT)
		snprintf(base, sizeof(base), "text");
	else if (field->kind == SCHEMA_BOOL)
		snprintf(base, sizeof(base), "bool");
	else
		snprintf(base, sizeof(base), "%c%u", field->kind == SCHEMA_SIGNED ? 's' : 'u',
			 8 * field->element_bytes);
	if (field->elements)
		snprintf(type, size, "%s[%u]", base, field->elements);
	else
		snprintf(type, size, "%s", base);
}

static void print_text(const struct schema *schema, const struct error *why, bool full)
{
	if (!full) {
		char name[sizeof(schema->name) + 4];

		snprintf(name, sizeof(name), "%s%s", schema->name, schema->target ? ":..." : "");
		printf("%-16s %s%s%s%s\n", name, schema->about, *why->text ? " [" : "", why->text,
		       *why->text ? "]" : "");
		return;
	}
	printf("%s\n  %s\n  Cannot see: %s\n  Attaches here: %s%s\n", schema->name, schema->about,
	       schema->blind, *why->text ? "no, " : "yes", why->text);
	printf("  Fields:\n");
	for (int i = 0; i < schema->field_count; i++) {
		const struct schema_field *field = &schema->fields[i];
		char type[96];

		if (!*field->doc)
			continue; /* of the header: plumbing */
		type_of(field, type, sizeof(type));
		printf("    %-16s %-14s %s\n", field->name, type, field->doc);
	}
	if (schema->knob_count)
		printf("  Knobs:\n");
	for (int i = 0; i < schema->knob_count; i++) {
		const struct schema_knob *knob = &schema->knobs[i];

		if (knob->kind == SCHEMA_TEXT)
			printf("    %-16s %s (default '%s')\n", knob->name, knob->doc,
			       knob->preset_text);
		else
			printf("    %-16s %s (default %.0f)\n", knob->name, knob->doc,
			       knob->preset);
	}
	printf("\n");
}

static void json_member(const char *name, const char *text, bool first)
{
	printf("%s\"%s\":", first ? "" : ",", name);
	json_text(stdout, text);
}

static void print_json(const struct schema *schema, const struct error *why)
{
	printf("{");
	json_member("probe", schema->name, true);
	json_member("about", schema->about, false);
	json_member("blind", schema->blind, false);
	if (schema->target)
		json_member("target", schema->target, false);
	printf(",\"attaches\":%s", *why->text ? "false" : "true");
	if (*why->text)
		json_member("why_not", why->text, false);
	printf(",\"event_bytes\":%u,\"fields\":[", schema->event_bytes);
	for (int i = 0; i < schema->field_count; i++) {
		const struct schema_field *field = &schema->fields[i];
		char type[96];

		type_of(field, type, sizeof(type));
		printf("%s{", i ? "," : "");
		json_member("name", field->name, true);
		json_member("type", type, false);
		json_member("unit", schema_unit(field->name), false);
		json_member("doc", field->doc, false);
		printf(",\"late\":%s", field->late ? "true" : "false");
		for (int v = 0; v < field->value_count; v++) {
			printf("%s", v ? "," : ",\"values\":[");
			json_text(stdout, field->values[v].name);
		}
		printf("%s}", field->value_count ? "]" : "");
	}
	printf("],\"knobs\":[");
	for (int i = 0; i < schema->knob_count; i++) {
		const struct schema_knob *knob = &schema->knobs[i];

		printf("%s{", i ? "," : "");
		json_member("name", knob->name, true);
		json_member("doc", knob->doc, false);
		if (knob->kind == SCHEMA_TEXT)
			json_member("default", knob->preset_text, false);
		else
			printf(",\"default\":%.0f", knob->preset);
		printf("}");
	}
	printf("],\"hooks\":[");
	for (int i = 0; i < schema->program_count; i++) {
		printf("%s", i ? "," : "");
		json_text(stdout, schema->programs[i].section);
	}
	printf("]}\n");
}

static int show(const char *name, void *context)
{
	struct list *list = context;
	struct asset_bytes object;
	struct schema *schema;
	struct error error;
	char asset[96];

	if (list->pattern && !strstr(name, list->pattern) && fnmatch(list->pattern, name, 0))
		return 0;
	snprintf(asset, sizeof(asset), "probes/%s.bpf.o", name);
	if (asset_load(list->path, asset, &object))
		return 0;
	if (schema_open(&schema, name, object.bytes, object.size, &error)) {
		error_print("%s", error.text);
		list->failed++;
	} else {
		why_not(schema, &error);
		if (list->json)
			print_json(schema, &error);
		else
			print_text(schema, &error, list->pattern != NULL);
		schema_close(schema);
		list->shown++;
	}
	asset_unload(&object);
	return 0;
}

static int list_main(struct command_line *line)
{
	const struct search_path *path = &line->script.path;
	struct list list = {.path = path};
	struct error error;
	char near[64];

	if (line->argc > 1)
		return options_mistake(line, "one pattern at most; quote it: 'tcp_*'");
	list.pattern = *line->argv;
	list.json = line->script.json;
	if (list.pattern && strchr(list.pattern, ':')) {
		if (!list_target(path, list.pattern, list.json, &error))
			return STATUS_OK;
		error_print("list: %s", error.text);
		return STATUS_USAGE;
	}
	asset_each(path, "probes/", ".bpf.o", show, &list);
	if (!list.shown && list.pattern) {
		asset_nearest(path, "probes/", ".bpf.o", list.pattern, near, sizeof(near));
		error_print("list: no probe matches '%s'%s%s%s", list.pattern,
			    *near ? "; did you mean '" : "", near, *near ? "'?" : "");
		list.failed++;
	}
	return list.failed ? STATUS_USAGE : STATUS_OK;
}

const struct subcommand list_subcommand = {
	.name = "list",
	.summary = "show the probes, their fields and knobs",
	.operands = "[PATTERN]",
	.options = {&option_format, &option_folder, &option_help},
	.about =
		"Lists the probes and whether this kernel can attach them. With a PATTERN (tcp_*, "
		"or a part of a name) also their fields and knobs, and what they cannot see. Of a "
		"generic probe, with a colon and what it is attached to: all that matches, and the "
		"arguments of one.",
	.more = "  moonprobe list\n"
		"  moonprobe list process_exec\n"
		"  moonprobe list -f json 'tcp_*'\n"
		"  moonprobe list 'kprobe:tcp_*'\n"
		"  moonprobe list rawtracepoint:sched_switch",
	.main = list_main,
};
