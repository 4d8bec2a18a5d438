// SPDX-License-Identifier: Apache-2.0
#include "probe.h"

#include "hook.h"
#include "record.h"
#include "schema.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct program {
	const char *section; /* of the schema */
	int slot_fd; /* prog array of one: the kernel wants the same prototype in all of one */
	int dispatcher_fd; /* -1: the program is left out */
	int link_fd;
};

struct probe {
	struct probe_request request; /* what the running body was made for */
	struct probe_setting setting;
	int slot;
	struct schema *schema; /* its object is the first body's; keeps the maps */
	struct program *programs;
	struct event_counters *counters;
	size_t counters_bytes;
	int cpus;
	bool is_cut;
	uint64_t cut; /* events when it was */
};

bool probe_request_has_field(const struct probe_request *request, const char *field)
{
	for (int i = 0; i < request->field_count; i++)
		if (!strcmp(request->fields[i], field))
			return true;
	return false;
}

/* Rodata: what a body is specialised with. */

static int rodata_write(struct schema *schema, const char *variable, const void *value,
			uint32_t bytes)
{
	struct bpf_map *map;
	uint32_t offset, size;
	int err = schema_rodata(schema->object, variable, &offset, &size);

	if (err)
		return err;
	if (size != bytes)
		return -EINVAL;
	bpf_object__for_each_map(map, schema->object)
	{
		const char *name = bpf_map__name(map);
		size_t length = strlen(name), room;
		unsigned char *initial; /* ours to write until the load */

		if (length < 7 || strcmp(name + length - 7, ".rodata"))
			continue;
		initial = (unsigned char *)bpf_map__initial_value(map, &room);
		if (!initial || offset + size > room)
			return -EINVAL;
		memcpy(initial + offset, value, size);
		return 0;
	}
	return -ENOENT;
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

static int write_knob(struct schema *schema, const struct schema_knob *knob, bool is_text,
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
	return rodata_write(schema, knob->name, value, knob->bytes);
}

static int specialise(struct schema *schema, const struct probe_request *request, int slot,
		      const struct probe_setting *setting, struct error *error)
{
	uint8_t slot8 = slot;
	uint32_t pid = setting->target_pid;
	uint8_t by_map = setting->target_by_map, except = setting->except_by_map;

	if (rodata_write(schema, "probe_slot", &slot8, sizeof(slot8)) ||
	    rodata_write(schema, "target_pid", &pid, sizeof(pid)) ||
	    rodata_write(schema, "target_by_map", &by_map, sizeof(by_map)) ||
	    rodata_write(schema, "except_by_map", &except, sizeof(except)))
		return error_set(error, -EINVAL,
				 "probe %s: its object was not built with this engine's "
				 "moonprobe.bpf.h; rebuild it",
				 schema->name);
	for (int i = 0; i < schema->field_count; i++) {
		const struct schema_field *field = &schema->fields[i];
		uint8_t want = probe_request_has_field(request, field->name);
		char variable[80];

		if (!field->switchable)
			continue;
		snprintf(variable, sizeof(variable), "want_%s", field->name);
		rodata_write(schema, variable, &want, sizeof(want));
	}
	for (int i = 0; i < request->knob_count; i++) {
		const struct schema_knob *knob = schema_knob(schema, request->knobs[i].name);

		if (!knob)
			return error_set(error, -ENOENT, "probe %s: no knob named %s", schema->name,
					 request->knobs[i].name);
		if (write_knob(schema, knob, request->knobs[i].is_text, request->knobs[i].number,
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

static bool knob_is_on(const struct schema *schema, const struct probe_request *request,
		       const char *name)
{
	for (int i = 0; i < request->knob_count; i++)
		if (!strcmp(request->knobs[i].name, name))
			return request->knobs[i].number != 0;
	return schema_knob(schema, name)->preset != 0;
}

/* Which programs this kernel and these knobs call for. */
static int choose_programs(struct schema *schema, const struct probe_request *request,
			   struct error *error)
{
	for (int i = 0; i < schema->program_count; i++) {
		const struct schema_program *one = &schema->programs[i];
		struct bpf_program *program =
			bpf_object__find_program_by_name(schema->object, one->name);
		bool load = !one->only_with || knob_is_on(schema, request, one->only_with);

		if (load && one->optional) {
			int err = hook_exists(one->section, error);

			if (err && err != -ENOENT)
				return err;
			load = !err;
		}
		bpf_program__set_autoload(program, load);
	}
	return 0;
}

/* Maps: shared ones are put in place of the object's; the probe's own are `from` an earlier
 * body when there is one. */

static int share_map(struct bpf_object *object, const char *name, int fd)
{
	struct bpf_map *map = bpf_object__find_map_by_name(object, name);

	if (!map)
		return -ENOENT;
	return fd < 0 ? bpf_map__set_autocreate(map, false) : bpf_map__reuse_fd(map, fd);
}

static int place_maps(struct schema *schema, const struct probe_setting *setting,
		      const struct schema *from, struct error *error)
{
	struct bpf_map *map;
	int err = share_map(schema->object, "ring", setting->ring_fd);

	if (!err)
		err = share_map(schema->object, "settings", setting->settings_fd);
	if (!err)
		err = share_map(schema->object, "targets",
				setting->target_by_map || setting->except_by_map
					? setting->targets_fd
					: -1);
	if (err)
		return error_set(error, err, "probe %s: sharing maps: %s", schema->name,
				 strerror(-err));
	if (!from) {
		map = bpf_object__find_map_by_name(schema->object, "counters");
		return bpf_map__set_max_entries(map, libbpf_num_possible_cpus());
	}
	bpf_object__for_each_map(map, schema->object)
	{
		const char *name = bpf_map__name(map);
		struct bpf_map *kept = bpf_object__find_map_by_name(from->object, name);

		if (bpf_map__is_internal(map) || !kept || !strcmp(name, "ring") ||
		    !strcmp(name, "settings") || !strcmp(name, "targets"))
			continue;
		err = bpf_map__reuse_fd(map, bpf_map__fd(kept));
		if (err)
			return error_set(error, err, "probe %s: keeping map %s: %s", schema->name,
					 name, strerror(-err));
	}
	return 0;
}

static int load_body(struct schema **out, const struct probe_request *request, int slot,
		     const struct probe_setting *setting, const struct schema *from,
		     struct error *error)
{
	struct asset_bytes object;
	struct schema *schema = NULL;
	char name[96];
	int err;

	snprintf(name, sizeof(name), "probes/%s.bpf.o", request->name);
	err = asset_load(setting->path, name, &object);
	if (err) {
		char near[64];

		asset_nearest(setting->path, "probes/", ".bpf.o", request->name, near,
			      sizeof(near));
		return error_set(error, err, "no probe named '%s'%s%s%s; moonprobe list shows all",
				 request->name, *near ? "; did you mean '" : "", near,
				 *near ? "'" : "");
	}
	err = schema_open(&schema, request->name, object.bytes, object.size, error);
	if (!err)
		err = specialise(schema, request, slot, setting, error);
	if (!err)
		err = choose_programs(schema, request, error);
	if (!err)
		err = place_maps(schema, setting, from, error);
	if (!err && bpf_object__load(schema->object)) {
		err = -errno;
		error_set(error, err,
			  "probe %s: the kernel refused it: %s; run with -v to see its log, "
			  "moonprobe doctor tells what this kernel allows",
			  schema->name, strerror(errno));
	}
	asset_unload(&object);
	if (err)
		schema_close(schema);
	else
		*out = schema;
	return err;
}

static int body_fd(const struct schema *schema, int index)
{
	struct bpf_program *program =
		bpf_object__find_program_by_name(schema->object, schema->programs[index].name);

	return bpf_program__autoload(program) ? bpf_program__fd(program) : -1;
}

/* Puts every body of `schema` into its slot. */
static int fill_slots(struct probe *probe, const struct schema *schema, struct error *error)
{
	const uint32_t first = 0;

	for (int i = 0; i < schema->program_count; i++) {
		int fd = body_fd(schema, i);

		if (fd >= 0 &&
		    bpf_map_update_elem(probe->programs[i].slot_fd, &first, &fd, BPF_ANY))
			return error_set(error, -errno, "probe %s: slot of %s: %s", schema->name,
					 schema->programs[i].name, strerror(errno));
	}
	return 0;
}

static int map_counters(struct probe *probe)
{
	size_t page = sysconf(_SC_PAGESIZE);
	void *rows;

	probe->cpus = libbpf_num_possible_cpus();
	probe->counters_bytes =
		(probe->cpus * sizeof(struct event_counters) + page - 1) / page * page;
	rows = mmap(NULL, probe->counters_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
		    probe_counters_fd(probe), 0);
	if (rows == MAP_FAILED)
		return -errno;
	probe->counters = rows;
	return 0;
}

/* Slot and dispatcher of one program whose body is loaded. */
static int make_dispatcher(struct probe *probe, int index, struct error *error)
{
	struct program *program = &probe->programs[index];
	const char *name = probe->schema->programs[index].name;
	struct error why;

	program->slot_fd = bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, "slot", sizeof(uint32_t),
					  sizeof(uint32_t), 1, NULL);
	if (program->slot_fd < 0)
		return error_set(error, -errno, "probe %s: slot of %s: %s", probe->request.name,
				 name, strerror(errno));
	program->dispatcher_fd =
		hook_dispatcher(name, body_fd(probe->schema, index), program->slot_fd, &why);
	if (program->dispatcher_fd < 0)
		return error_set(error, program->dispatcher_fd, "probe %s: %s", probe->request.name,
				 why.text);
	return 0;
}

int probe_open(struct probe **out, const struct probe_request *request, int slot,
	       const struct probe_setting *setting, struct error *error)
{
	struct probe *probe = calloc(1, sizeof(*probe));
	int err, loaded = 0;

	if (!probe)
		return error_set(error, -ENOMEM, "probe %s: no memory", request->name);
	probe->request = *request;
	probe->setting = *setting;
	probe->slot = slot;
	err = load_body(&probe->schema, request, slot, setting, NULL, error);
	if (err)
		goto fail;
	probe->programs = calloc(probe->schema->program_count, sizeof(*probe->programs));
	if (!probe->programs) {
		err = error_set(error, -ENOMEM, "probe %s: no memory", request->name);
		goto fail;
	}
	for (int i = 0; i < probe->schema->program_count; i++) {
		probe->programs[i].section = probe->schema->programs[i].section;
		probe->programs[i].slot_fd = -1;
		probe->programs[i].dispatcher_fd = -1;
		probe->programs[i].link_fd = -1;
	}
	for (int i = 0; i < probe->schema->program_count && !err; i++) {
		if (body_fd(probe->schema, i) < 0)
			continue;
		err = make_dispatcher(probe, i, error);
		loaded++;
	}
	if (!err && !loaded)
		err = error_set(error, -ENOENT, "probe %s: this kernel has none of its hooks",
				request->name);
	if (!err)
		err = fill_slots(probe, probe->schema, error);
	if (err)
		goto fail;
	err = map_counters(probe);
	if (err) {
		error_set(error, err, "probe %s: counters: %s", request->name, strerror(-err));
		goto fail;
	}
	*out = probe;
	return 0;
fail:
	probe_close(probe);
	return err;
}

int probe_attach(struct probe *probe, struct error *error)
{
	for (int i = 0; i < probe->schema->program_count; i++) {
		struct program *program = &probe->programs[i];
		struct error why;

		if (program->dispatcher_fd < 0 || program->link_fd >= 0)
			continue;
		program->link_fd = hook_attach(program->section, program->dispatcher_fd, &why);
		if (program->link_fd < 0)
			return error_set(error, program->link_fd, "probe %s: %s",
					 probe->request.name, why.text);
	}
	return 0;
}

void probe_detach(struct probe *probe)
{
	for (int i = 0; i < probe->schema->program_count; i++) {
		if (probe->programs[i].link_fd >= 0)
			close(probe->programs[i].link_fd);
		probe->programs[i].link_fd = -1;
	}
}

bool probe_serves(const struct probe *probe, const struct probe_request *request)
{
	const struct probe_request *own = &probe->request;

	if (strcmp(own->name, request->name) || own->knob_count != request->knob_count)
		return false;
	for (int i = 0; i < own->knob_count; i++) {
		int j = 0;

		while (j < request->knob_count &&
		       strcmp(own->knobs[i].name, request->knobs[j].name))
			j++;
		if (j == request->knob_count ||
		    own->knobs[i].is_text != request->knobs[j].is_text ||
		    own->knobs[i].number != request->knobs[j].number ||
		    strcmp(own->knobs[i].text, request->knobs[j].text))
			return false;
	}
	return true;
}

int probe_adapt(struct probe *probe, const struct probe_request *request, bool exact,
		struct error *error)
{
	struct probe_request wanted = *request;
	struct schema *body;
	bool same = true;
	int err;

	for (int i = 0; i < probe->request.field_count; i++) {
		const char *field = probe->request.fields[i];

		if (probe_request_has_field(&wanted, field))
			continue;
		if (exact)
			same = false;
		else if (wanted.field_count < PROBE_FIELDS)
			strcpy(wanted.fields[wanted.field_count++], field);
	}
	for (int i = 0; i < wanted.field_count; i++)
		if (!probe_request_has_field(&probe->request, wanted.fields[i]))
			same = false;
	if (same)
		return 0;
	err = load_body(&body, &wanted, probe->slot, &probe->setting, probe->schema, error);
	if (err)
		return err;
	err = fill_slots(probe, body, error);
	/* The slots hold the programs now, and the programs hold the maps; of the first body
	 * the schema (strings, own maps' descriptors) stays in use. */
	schema_close(body);
	if (!err)
		probe->request = wanted;
	return err;
}

const char *probe_name(const struct probe *probe)
{
	return probe->request.name;
}

int probe_slot(const struct probe *probe)
{
	return probe->slot;
}

int probe_counters_fd(const struct probe *probe)
{
	return bpf_object__find_map_fd_by_name(probe->schema->object, "counters");
}

static void find_losers(const struct probe *probe, struct probe_totals *totals)
{
	int map = bpf_object__find_map_fd_by_name(probe->schema->object, "senders"), count = 0;
	const int room = PROBE_LOSERS;
	struct probe_loser *losers = totals->losers;
	uint32_t pid, *previous = NULL;

	/* The map lives: a key that is evicted meanwhile makes the walk start again. */
	for (int seen = 0; seen < 1024 && !bpf_map_get_next_key(map, previous, &pid); seen++) {
		struct event_sender sender;
		struct probe_loser loser = {.pid = pid};
		int place = count;

		previous = &pid;
		if (bpf_map_lookup_elem(map, &pid, &sender) ||
		    sender.lost_ring + sender.refused == 0)
			continue;
		loser.lost_ring = sender.lost_ring;
		loser.refused = sender.refused;
		memcpy(loser.comm, sender.comm, sizeof(loser.comm) - 1);
		/* Insertion into the few that are wanted, largest first. */
		while (place && losers[place - 1].lost_ring + losers[place - 1].refused <
					loser.lost_ring + loser.refused) {
			if (place < room)
				losers[place] = losers[place - 1];
			place--;
		}
		if (place < room)
			losers[place] = loser;
		count += count < room;
	}
	totals->loser_count = count;
}

void probe_cut(struct probe *probe)
{
	probe->is_cut = true;
	for (int cpu = 0; cpu < probe->cpus; cpu++)
		probe->cut += probe->counters[cpu].events;
}

uint64_t probe_received(const struct probe *probe, uint64_t *waiting)
{
	uint64_t received = 0, sent = 0;

	for (int cpu = 0; cpu < probe->cpus; cpu++) {
		received += probe->counters[cpu].received;
		sent += probe->counters[cpu].events - probe->counters[cpu].lost_ring;
	}
	*waiting += sent > received ? sent - received : 0;
	return received;
}

int probe_totals(const struct probe *probe, struct probe_totals *totals)
{
	uint64_t accounted;

	memset(totals, 0, sizeof(*totals));
	for (int cpu = 0; cpu < probe->cpus; cpu++) {
		const struct event_counters *row = &probe->counters[cpu];

		totals->events += row->events;
		totals->lost_ring += row->lost_ring;
		totals->lost_map += row->lost_map;
		totals->refused += row->refused;
		totals->received += row->received;
		totals->failed += row->failed;
	}
	accounted = totals->received + totals->lost_ring;
	if (probe->is_cut)
		totals->events = probe->cut > accounted ? probe->cut : accounted;
	if (totals->events > accounted)
		totals->unhandled = totals->events - accounted;
	for (int i = 0; i < probe->schema->program_count; i++) {
		struct bpf_prog_info info = {0};
		uint32_t size = sizeof(info);

		if (probe->programs[i].dispatcher_fd < 0)
			continue;
		if (bpf_obj_get_info_by_fd(probe->programs[i].dispatcher_fd, &info, &size))
			return -errno;
		totals->missed += info.recursion_misses;
	}
	if (totals->lost_ring || totals->refused)
		find_losers(probe, totals);
	return 0;
}

void probe_close(struct probe *probe)
{
	if (!probe)
		return;
	if (probe->programs)
		probe_detach(probe);
	for (int i = 0; probe->programs && i < probe->schema->program_count; i++) {
		if (probe->programs[i].dispatcher_fd >= 0)
			close(probe->programs[i].dispatcher_fd);
		if (probe->programs[i].slot_fd >= 0)
			close(probe->programs[i].slot_fd);
	}
	if (probe->counters)
		munmap(probe->counters, probe->counters_bytes);
	free(probe->programs);
	schema_close(probe->schema);
	free(probe);
}
