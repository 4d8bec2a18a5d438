// SPDX-License-Identifier: Apache-2.0
#include "kernel_side.h"

#include "record.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct kernel_side_past {
	char name[PROBE_NAME];
	struct probe_totals totals;
};

int kernel_side_open(struct kernel_side *side, struct loop *loop,
		     const struct script_options *options, struct error *error)
{
	size_t ring_bytes = options->ring_bytes;
	bool all = !options->target_pid && options->targets_fd < 0;
	int err;

	memset(side, 0, sizeof(*side));
	side->stack_entries = options->stacks;
	side->setting = (struct probe_setting){
		.path = &options->path,
		.targets_fd = all ? options->own_pids_fd : options->targets_fd,
		.target_pid = options->target_pid,
		.target_by_map = options->targets_fd >= 0,
		.except_by_map = all && options->own_pids_fd >= 0,
		.settings_fd = -1,
		.stacks = {-1, -1, -1, -1},
		.verbose = options->verbose,
	};
	side->setting.ring_fd =
		bpf_map_create(BPF_MAP_TYPE_RINGBUF, "ring", 0, 0, ring_bytes, NULL);
	if (side->setting.ring_fd < 0)
		return error_set(
			error, -errno, "ring of %zu bytes: %s%s", ring_bytes, strerror(errno),
			errno == EINVAL ? "; it must be a power of two of at least a page" : "");
	side->setting.settings_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "settings", sizeof(uint32_t),
						   sizeof(struct script_settings), 1, NULL);
	if (side->setting.settings_fd < 0)
		return error_set(error, -errno, "settings map: %s", strerror(errno));
	err = stacks_open(&side->stacks, loop);
	return err ? error_set(error, err, "no memory") : 0;
}

/* There are many more numbers than probes, so one that is free is near. */
static uint8_t take_slot(struct kernel_side *side)
{
	bool used;

	do {
		used = false;
		for (int i = 0; i < KERNEL_SIDE_PROBES; i++)
			if (side->probes[i] && probe_slot(side->probes[i]) == side->next_slot)
				used = true;
		side->next_slot++;
	} while (used);
	return side->next_slot - 1;
}

struct probe *kernel_side_find(struct kernel_side *side, const struct probe_request *request,
			       bool (*taken)(const void *context, const struct probe *probe),
			       const void *context, struct error *error)
{
	int room;

	for (int i = 0; i < KERNEL_SIDE_PROBES; i++) {
		struct probe *probe = side->probes[i];

		if (probe && probe_serves(probe, request) && !taken(context, probe))
			return probe;
	}
	for (room = 0; room < KERNEL_SIDE_PROBES && side->probes[room]; room++)
		;
	if (room == KERNEL_SIDE_PROBES) {
		error_set(error, -E2BIG, "more than %d probes in one script", KERNEL_SIDE_PROBES);
		return NULL;
	}
	if (probe_request_has_stacks(request)) {
		if (stacks_capture(side->stacks, side->stack_entries,
				   probe_request_has_field(request, "ustack"), error))
			return NULL;
		side->setting.stacks = *stacks_maps(side->stacks);
	}
	if (probe_open(&side->probes[room], request, take_slot(side), &side->setting, error))
		return NULL;
	return side->probes[room];
}

void kernel_side_renumber(struct kernel_side *side, struct probe *probe)
{
	probe_renumber(probe, take_slot(side));
}

uint8_t kernel_side_newest_slot(const struct kernel_side *side)
{
	return side->next_slot - 1;
}

void kernel_side_own_pids(struct kernel_side *side, const pid_t *pids, int count)
{
	struct script_settings settings = {0};
	const int room = sizeof(settings.own_pids) / sizeof(*settings.own_pids);
	uint32_t first = 0;

	for (int i = 0; i < count && i < room; i++)
		settings.own_pids[i] = pids[i];
	bpf_map_update_elem(side->setting.settings_fd, &first, &settings, BPF_ANY);
	for (int i = 0; side->setting.except_by_map && i < room; i++) {
		uint32_t pid = settings.own_pids[i], value = 0;

		if (pid)
			bpf_map_update_elem(side->setting.targets_fd, &pid, &value, BPF_ANY);
	}
}

void kernel_side_forget_pid(struct kernel_side *side, pid_t pid)
{
	uint32_t key = pid;

	if (side->setting.except_by_map)
		bpf_map_delete_elem(side->setting.targets_fd, &key);
}

void kernel_side_add_past(struct kernel_side *side, const char *name,
			  const struct probe_totals *totals)
{
	struct kernel_side_past *past =
		reallocarray(side->past, side->past_count + 1, sizeof(*past));
	struct kernel_side_past *one;

	if (!past)
		return;
	side->past = past;
	one = &past[side->past_count++];
	snprintf(one->name, sizeof(one->name), "%s", name);
	one->totals = *totals;
}

static void release(struct kernel_side *side, int index)
{
	struct probe_totals totals;

	probe_totals(side->probes[index], &totals);
	kernel_side_add_past(side, probe_name(side->probes[index]), &totals);
	probe_close(side->probes[index]);
	side->probes[index] = NULL;
}

void kernel_side_release(struct kernel_side *side,
			 bool (*used)(const void *context, const struct probe *probe),
			 const void *context)
{
	for (int slot = 0; slot < KERNEL_SIDE_PROBES; slot++)
		if (side->probes[slot] && !used(context, side->probes[slot]))
			release(side, slot);
}

void kernel_side_totals(const struct kernel_side *side,
			void (*visit)(void *context, const char *name,
				      const struct probe_totals *totals),
			void *context)
{
	struct probe_totals totals;

	for (int slot = 0; slot < KERNEL_SIDE_PROBES; slot++)
		if (side->probes[slot] && !probe_totals(side->probes[slot], &totals))
			visit(context, probe_name(side->probes[slot]), &totals);
	for (int i = 0; i < side->past_count; i++)
		visit(context, side->past[i].name, &side->past[i].totals);
}

void kernel_side_cut(struct kernel_side *side)
{
	for (int slot = 0; slot < KERNEL_SIDE_PROBES; slot++)
		if (side->probes[slot])
			probe_cut(side->probes[slot]);
}

uint64_t kernel_side_received(const struct kernel_side *side, uint64_t *waiting)
{
	uint64_t received = 0;

	*waiting = 0;
	for (int slot = 0; slot < KERNEL_SIDE_PROBES; slot++)
		if (side->probes[slot])
			received += probe_received(side->probes[slot], waiting);
	return received;
}

void kernel_side_close(struct kernel_side *side)
{
	for (int slot = 0; slot < KERNEL_SIDE_PROBES; slot++)
		probe_close(side->probes[slot]);
	if (side->setting.ring_fd >= 0)
		close(side->setting.ring_fd);
	if (side->setting.settings_fd >= 0)
		close(side->setting.settings_fd);
	stacks_close(side->stacks);
	free(side->past);
	memset(side, 0, sizeof(*side));
	side->setting.ring_fd = side->setting.settings_fd = -1;
}
