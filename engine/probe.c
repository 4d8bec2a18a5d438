// SPDX-License-Identifier: Apache-2.0
#include "probe.h"

#include "body.h"
#include "clock.h"
#include "hook.h"
#include "rodata.h"
#include "schema.h"
#include "splice.h"
#include "target.h"
#include "template.h"
#include "typed_fields.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct program {
	const char *section; /* of the schema */
	int slot_fd; /* prog array of one: the kernel wants the same prototype in all of one */
	int dispatcher_fd; /* -1: the program is left out */
	bool attached;
	struct hook_links links;
};

struct probe {
	struct probe_request request; /* name and knobs; the fields are the bodies' */
	struct probe_setting setting;
	uint8_t slot;
	uint8_t generation;    /* of the newest body */
	struct schema *schema; /* its object keeps the maps */
	struct target *target; /* NULL: it is no generic probe */
	struct typed_fields typed;
	struct template *template;
	struct program *programs;
	struct body *bodies;	/* all there are, the newest first */
	struct body *installed; /* the one in the slots */
	bool was_staged;	/* or one before it */
	struct counters counters;
};

static bool knob_is_on(const struct schema *schema, const struct probe_request *request,
		       const char *name)
{
	for (int i = 0; i < request->knob_count; i++)
		if (!strcmp(request->knobs[i].name, name))
			return request->knobs[i].number != 0;
	return schema_knob(schema, name)->preset != 0;
}

static struct hook hook_of(const struct probe *probe, const char *section)
{
	return (struct hook){section, probe->target, probe->setting.target_pid};
}

static bool is_called_for(const struct probe *probe, const struct schema_program *program)
{
	return !program->only_with ||
	       knob_is_on(probe->schema, &probe->request, program->only_with);
}

/* The first choice all of whose hooks can be had; 0 when the programs have none. -ENOENT with the
 * reason of the last. */
static int make_choice(const struct probe *probe, struct error *error)
{
	const struct schema *schema = probe->schema;
	bool any = false;

	for (int choice = 1; choice <= schema->program_count; choice++) {
		bool works = false;

		for (int i = 0; i < schema->program_count; i++) {
			const struct schema_program *one = &schema->programs[i];
			struct hook hook = hook_of(probe, one->section);

			if (one->choice != choice || !is_called_for(probe, one))
				continue;
			any = true;
			works = !hook_exists(&hook, error);
			if (!works)
				break;
		}
		if (works)
			return choice;
	}
	return any ? -ENOENT : 0;
}

/* Which programs this kernel and these knobs call for. */
static int choose_programs(struct probe *probe, struct error *error)
{
	const struct schema *schema = probe->schema;
	struct error why = {0};
	int choice = make_choice(probe, &why);

	if (choice < 0)
		return error_set(error, choice, "probe %s: %s", probe->request.name, why.text);
	for (int i = 0; i < schema->program_count; i++) {
		const struct schema_program *one = &schema->programs[i];
		struct hook hook = hook_of(probe, one->section);
		struct bpf_program *program =
			bpf_object__find_program_by_name(schema->object, one->name);
		bool load = is_called_for(probe, one) && (!one->choice || one->choice == choice);

		if (load && one->optional && !one->choice) {
			int err = hook_exists(&hook, error);

			if (err && err != -ENOENT)
				return err;
			load = !err;
		}
		bpf_program__set_autoload(program, load);
		if (load && hook_prepare(&hook, program, &why))
			return error_set(error, -EINVAL, "probe %s: %s", probe->request.name,
					 why.text);
	}
	return 0;
}

static int share_map(struct bpf_object *object, const char *name, int fd)
{
	struct bpf_map *map = bpf_object__find_map_by_name(object, name);

	if (!map)
		return -ENOENT;
	return fd < 0 ? bpf_map__set_autocreate(map, false) : bpf_map__reuse_fd(map, fd);
}

static int share_stacks(struct bpf_object *object, const struct stack_maps *maps)
{
	int err;

	if (!bpf_object__find_map_by_name(object, "stacks"))
		return 0;
	err = share_map(object, "stacks", maps->traces_fd);
	if (!err)
		err = share_map(object, "stacks_second", maps->second_fd);
	if (!err)
		err = share_map(object, "stack_owners", maps->owners_fd);
	return err ? err : share_map(object, "stack_news", maps->news_fd);
}

/* The script's maps in place of the object's. */
static int place_maps(struct schema *schema, const struct probe_setting *setting,
		      struct error *error)
{
	bool by_map = setting->target_by_map || setting->except_by_map;
	int err = share_map(schema->object, "ring", setting->ring_fd);

	if (!err)
		err = share_map(schema->object, "settings", setting->settings_fd);
	if (!err)
		err = share_map(schema->object, "targets", by_map ? setting->targets_fd : -1);
	if (!err)
		err = share_stacks(schema->object, &setting->stacks);
	if (!err)
		err = bpf_map__set_max_entries(
			bpf_object__find_map_by_name(schema->object, "counters"),
			libbpf_num_possible_cpus());
	return err ? error_set(error, err, "probe %s: sharing maps: %s", schema->name,
			       strerror(-err))
		   : 0;
}

int probe_load_object(const struct search_path *path, const char *name, struct asset_bytes *object,
		      struct error *error)
{
	char family[64], file[96], near[64];
	int err;

	snprintf(family, sizeof(family), "%.*s", (int)strcspn(name, ":"), name);
	snprintf(file, sizeof(file), "probes/%s.bpf.o", family);
	err = strpbrk(family, "/.") ? -ENOENT : asset_load(path, file, object);
	if (!err)
		return 0;
	asset_nearest(path, "probes/", ".bpf.o", family, near, sizeof(near));
	return error_set(error, err, "no probe named '%s'%s%s%s; moonprobe list shows all", family,
			 *near ? "; did you mean '" : "", near, *near ? "'" : "");
}

static int find_target(struct probe *probe, struct error *error)
{
	const struct target_setting setting = {.pid = probe->setting.target_pid};
	const char *name = probe->request.name, *kind = probe->schema->target;

	if (!kind != !strchr(name, ':'))
		return error_set(error, -EINVAL, "probe %s: %s", name,
				 kind ? "a colon and what it is attached to are missing"
				      : "nothing can follow its name");
	return kind ? target_open(&probe->target, kind, name, &setting, error) : 0;
}

static int open_object(struct probe *probe, struct error *error)
{
	const struct probe_request *request = &probe->request;
	const struct search_path *path = probe->setting.path;
	struct asset_bytes object;
	int err;

	err = probe_load_object(path, request->name, &object, error);
	if (err)
		return err;
	err = schema_open(&probe->schema, request->name, object.bytes, object.size, error);
	if (!err)
		err = find_target(probe, error);
	if (!err)
		err = typed_fields_make(&probe->typed, request, probe->target,
					schema_field(probe->schema, "typed"), error);
	if (!err)
		err = choose_programs(probe, error);
	if (!err)
		err = place_maps(probe->schema, &probe->setting, error);
	if (!err) {
		err = template_open(&probe->template, probe->schema->object);
		if (!err && probe->target && probe->target->btf_fd)
			err = template_aim(probe->template, probe->target->btf_id,
					   probe->target->btf_fd);
		if (err)
			error_set(error, err,
				  "probe %s: it cannot be prepared for this kernel: %s; run with "
				  "-v to see why, moonprobe doctor tells what this kernel allows",
				  request->name, strerror(-err));
	}
	if (probe->target)
		target_forget_types(probe->target);
	asset_unload(&object);
	return err;
}

static int make_dispatcher(struct probe *probe, int index, struct error *error)
{
	const struct template_program *body = &probe->template->programs[index];
	struct program *program = &probe->programs[index];
	struct error why;

	if (!body->count)
		return 0;
	program->slot_fd = bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, "slot", sizeof(uint32_t),
					  sizeof(uint32_t), 1, NULL);
	if (program->slot_fd < 0)
		return error_set(error, -errno, "probe %s: slot of %s: %s", probe->request.name,
				 body->name, strerror(errno));
	program->dispatcher_fd = hook_dispatcher(body, program->slot_fd, &why);
	if (program->dispatcher_fd < 0)
		return error_set(error, program->dispatcher_fd, "probe %s: %s", probe->request.name,
				 why.text);
	return 0;
}

static int make_dispatchers(struct probe *probe, struct error *error)
{
	const struct schema *schema = probe->schema;
	int err = 0, made = 0;

	probe->programs = calloc(schema->program_count, sizeof(*probe->programs));
	if (!probe->programs)
		return error_set(error, -ENOMEM, "probe %s: no memory", schema->name);
	for (int i = 0; i < schema->program_count; i++)
		probe->programs[i] = (struct program){
			.section = schema->programs[i].section, .slot_fd = -1, .dispatcher_fd = -1};
	for (int i = 0; i < schema->program_count && !err; i++) {
		err = make_dispatcher(probe, i, error);
		made += probe->programs[i].dispatcher_fd >= 0;
	}
	if (!err && !made)
		return error_set(error, -ENOENT, "probe %s: this kernel has none of its hooks",
				 schema->name);
	return err;
}

int probe_open(struct probe **out, const struct probe_request *request, uint8_t slot,
	       const struct probe_setting *setting, struct error *error)
{
	struct probe *probe = calloc(1, sizeof(*probe));
	int err;

	if (!probe)
		return error_set(error, -ENOMEM, "probe %s: no memory", request->name);
	probe->request = *request;
	probe->setting = *setting;
	probe->slot = slot;
	err = open_object(probe, error);
	if (!err)
		err = make_dispatchers(probe, error);
	if (!err) {
		err = counters_map(&probe->counters, probe_counters_fd(probe));
		if (err)
			error_set(error, err, "probe %s: counters: %s", request->name,
				  strerror(-err));
	}
	if (err)
		probe_close(probe);
	else
		*out = probe;
	return err;
}

int probe_attach(struct probe *probe, struct error *error)
{
	for (int i = 0; i < probe->schema->program_count; i++) {
		struct program *program = &probe->programs[i];
		struct hook hook = hook_of(probe, program->section);
		struct error why;
		int err;

		if (program->dispatcher_fd < 0 || program->attached)
			continue;
		err = hook_attach(&hook, program->dispatcher_fd, &program->links, &why);
		if (err) {
			probe_detach(probe);
			return error_set(error, err, "probe %s: %s", probe->request.name, why.text);
		}
		program->attached = true;
	}
	return 0;
}

void probe_detach(struct probe *probe)
{
	for (int i = 0; i < probe->schema->program_count; i++) {
		hook_detach(&probe->programs[i].links);
		probe->programs[i].attached = false;
	}
}

bool probe_is_walk(const struct probe *probe)
{
	struct hook hook = hook_of(probe, probe->schema->programs[0].section);

	return hook_is_walk(&hook);
}

bool probe_serves(const struct probe *probe, const struct probe_request *request)
{
	if (probe->setting.stacks.traces_fd < 0 && probe_request_has_stacks(request))
		return false;
	return probe_request_is_alike(&probe->request, request);
}

/* The template's constants with this probe's in them, for the caller to free. */
static int make_rodata(const struct probe *probe, const struct probe_wish *wish, uint8_t slot,
		       uint8_t generation, unsigned char **out, struct error *error)
{
	struct probe_request request = probe->request;
	struct rodata rodata = {.schema = probe->schema, .size = probe->template->rodata_bytes};
	int err;

	rodata.bytes = malloc(rodata.size + 1);
	if (!rodata.bytes)
		return error_set(error, -ENOMEM, "probe %s: no memory", request.name);
	memcpy(rodata.bytes, probe->template->rodata, rodata.size);
	request.field_count = 0;
	probe_request_add_fields(&request, wish->request);
	err = rodata_specialise(&rodata, &request, &probe->setting, wish->plan, slot, generation,
				error);
	if (!err && probe->target)
		err = rodata_target(&rodata, probe->target, probe->typed.bytes, error);
	if (err)
		free(rodata.bytes);
	else
		*out = rodata.bytes;
	return err;
}

/* What fetches the arguments: each costs, and few read those beyond the first. */
static struct splice_part slots_of(const struct probe *probe)
{
	const struct target *target = probe->target;

	if (!target)
		return (struct splice_part){0};
	if (target->more_slots && probe->typed.slots > TYPED_ARGS)
		return (struct splice_part){target->more_slots, target->more_slots_count};
	return (struct splice_part){target->slots, target->slots_count};
}

/* The body that counts; NULL: of a probe that is let go, what it has counted was handed over. */
static const struct body *counting_body(const struct probe *probe)
{
	for (int i = 0; i < probe->schema->program_count; i++)
		if (probe->programs[i].attached)
			return probe->installed;
	return NULL;
}

int probe_body(struct probe *probe, const struct probe_wish *wish, struct body **out,
	       struct error *error)
{
	const struct splice_part parts[SPLICE_STUBS] = {
		[SPLICE_TYPED_EARLY] = probe->typed.early,
		[SPLICE_TYPED_LATE] = probe->typed.late,
		[SPLICE_SLOTS] = slots_of(probe),
	};
	struct body_wish inner = {
		.template = probe->template,
		.event_bytes = probe->schema->event_bytes,
		.parts = parts,
		.plan = wish->plan,
		.others = probe->bodies,
		.before = {wish->before, counting_body(probe)},
		.like = wish->like,
		.verbose = probe->setting.verbose,
	};
	uint8_t generation = wish->like ? wish->like->generation : probe->generation + 1;
	const struct body *follows = wish->like ? wish->like : wish->before;
	uint8_t slot = follows ? follows->slot : probe->slot;
	unsigned char *rodata;
	struct error why;
	int err = make_rodata(probe, wish, slot, generation, &rodata, error);

	if (err)
		return err;
	inner.rodata = rodata;
	inner.generation_at = rodata_generation_at(probe->schema);
	err = body_load(out, &inner, &why);
	free(rodata);
	if (err)
		return error_set(error, err, "probe %s: %s", probe->request.name, why.text);
	(*out)->slot = slot;
	(*out)->generation = generation;
	(*out)->field_count = wish->request->field_count;
	(*out)->references = 1;
	(*out)->next = probe->bodies;
	probe->bodies = *out;
	if (!wish->like)
		probe->generation = generation;
	return 0;
}

void probe_give_back(struct probe *probe, struct body *body)
{
	struct body **link = &probe->bodies;

	if (!body || --body->references)
		return;
	while (*link != body)
		link = &(*link)->next;
	*link = body->next;
	body_close(body);
}

int probe_install(struct probe *probe, struct body *body, uint64_t *took_ns, struct error *error)
{
	struct body *before = probe->installed;
	const uint32_t first = 0;
	uint64_t start = clock_now_ns();

	*took_ns = 0;
	if (before == body)
		return 0;
	for (int i = 0; i < body->program_count; i++) {
		const struct body_program *program = &body->programs[i];

		if (program->fd < 0 || (before && before->programs[i].number == program->number))
			continue;
		if (!bpf_map_update_elem(probe->programs[i].slot_fd, &first, &program->fd, BPF_ANY))
			continue;
		error_set(error, -errno, "probe %s: slot of %s: %s", probe->request.name,
			  probe->template->programs[i].name, strerror(errno));
		probe->installed = NULL; /* some of both */
		probe_give_back(probe, before);
		return -EIO;
	}
	*took_ns = body->load_ns + clock_now_ns() - start;
	body->references++;
	probe->installed = body;
	probe->was_staged |= body->is_staged;
	probe_give_back(probe, before);
	return before != NULL;
}

static bool sends(const struct template_program *program)
{
	return splice_has(program->code, program->count, SPLICE_EARLY);
}

void probe_mute(struct probe *probe)
{
	const struct template *template = probe->template;
	const uint32_t first = 0;
	bool some_note = false;

	if (!probe->installed)
		return;
	for (int i = 0; i < template->program_count; i++)
		some_note |= template->programs[i].count && !sends(&template->programs[i]);
	for (int i = 0; i < template->program_count; i++)
		if (template->programs[i].count && !(some_note && sends(&template->programs[i])))
			bpf_map_delete_elem(probe->programs[i].slot_fd, &first);
	probe_give_back(probe, probe->installed);
	probe->installed = NULL;
}

int probe_program(const struct probe *probe, int index, const struct body *body,
		  struct probe_program *out)
{
	struct bpf_prog_info code = {0}, runs = {0};
	uint32_t size = sizeof(code);
	int dispatcher_fd;

	if (index >= probe->schema->program_count)
		return -ENOENT;
	dispatcher_fd = probe->programs[index].dispatcher_fd;
	if (dispatcher_fd < 0)
		return 0;
	if (bpf_obj_get_info_by_fd(body->programs[index].fd, &code, &size))
		return -errno;
	size = sizeof(runs);
	/* A body that is tail-called runs on its dispatcher's account. */
	if (bpf_obj_get_info_by_fd(dispatcher_fd, &runs, &size))
		return -errno;
	*out = (struct probe_program){
		.section = probe->programs[index].section,
		.instructions = code.xlated_prog_len / sizeof(struct bpf_insn),
		.bytes = code.jited_prog_len,
		.runs = runs.run_cnt,
		.ns = runs.run_time_ns,
	};
	return 1;
}

const char *probe_name(const struct probe *probe)
{
	return probe->request.name;
}

int probe_slot(const struct probe *probe)
{
	return probe->slot;
}

void probe_renumber(struct probe *probe, uint8_t slot)
{
	probe->slot = slot;
}

int probe_counters_fd(const struct probe *probe)
{
	return bpf_object__find_map_fd_by_name(probe->schema->object, "counters");
}

void probe_cut(struct probe *probe)
{
	counters_cut(&probe->counters);
}

uint64_t probe_received(const struct probe *probe, uint64_t *waiting)
{
	return counters_received(&probe->counters, waiting);
}

int probe_totals(const struct probe *probe, struct probe_totals *totals)
{
	counters_totals(&probe->counters,
			bpf_object__find_map_fd_by_name(probe->schema->object, "senders"), totals);
	for (int i = 0; i < probe->schema->program_count; i++) {
		struct bpf_prog_info info = {0};
		uint32_t size = sizeof(info);

		if (probe->programs[i].dispatcher_fd < 0)
			continue;
		if (bpf_obj_get_info_by_fd(probe->programs[i].dispatcher_fd, &info, &size))
			return -errno;
		totals->missed += info.recursion_misses;
	}
	totals->was_staged = probe->was_staged;
	return 0;
}

void probe_close(struct probe *probe)
{
	if (!probe)
		return;
	if (probe->programs)
		probe_detach(probe);
	probe_give_back(probe, probe->installed);
	for (int i = 0; probe->programs && i < probe->schema->program_count; i++) {
		if (probe->programs[i].dispatcher_fd >= 0)
			close(probe->programs[i].dispatcher_fd);
		if (probe->programs[i].slot_fd >= 0)
			close(probe->programs[i].slot_fd);
	}
	counters_unmap(&probe->counters);
	free(probe->programs);
	typed_fields_free(&probe->typed);
	target_close(probe->target);
	template_close(probe->template);
	schema_close(probe->schema);
	free(probe);
}
