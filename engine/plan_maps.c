// SPDX-License-Identifier: Apache-2.0
#include "plan_maps.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

static const struct {
	enum bpf_map_type type;
	uint32_t flags;
	const char *name;
} kinds[] = {
	[PLAN_VALUES] = {BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE, "values"},
	[PLAN_SET] = {BPF_MAP_TYPE_HASH, 0, "set"},
	[PLAN_PERCPU_HASH] = {BPF_MAP_TYPE_PERCPU_HASH, BPF_F_NO_PREALLOC, "cells"},
	[PLAN_LRU] = {BPF_MAP_TYPE_LRU_PERCPU_HASH, 0, "recent_cells"},
	[PLAN_PERCPU_ARRAY] = {BPF_MAP_TYPE_PERCPU_ARRAY, 0, "cell"},
};

static void append(struct plan_maps *maps, const struct plan_map *is, int fd)
{
	maps->is[maps->count] = *is;
	maps->fds[maps->count++] = fd;
}

static int fill(int fd, const struct plan_map *map, const unsigned char *contents)
{
	for (uint32_t i = 0; i < map->entries; i++) {
		const unsigned char *key =
			contents + (size_t)i * (map->key_bytes + map->value_bytes);

		if (bpf_map_update_elem(fd, key, key + map->key_bytes, BPF_ANY))
			return -errno;
	}
	return 0;
}

int plan_maps_make(struct plan_maps *maps, const struct plan *plan, uint32_t index,
		   struct error *error)
{
	const struct plan_map *map = &plan->maps[index];
	DECLARE_LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = kinds[map->kind].flags);
	int err, fd = bpf_map_create(kinds[map->kind].type, kinds[map->kind].name, map->key_bytes,
				     map->value_bytes, map->max_entries, &options);

	if (fd < 0)
		return error_set(error, -errno, "a map of %u entries of %u bytes: %s",
				 map->max_entries, map->key_bytes + map->value_bytes,
				 strerror(errno));
	err = fill(fd, map, plan->contents[index]);
	if (err) {
		close(fd);
		return error_set(error, err, "filling a map of %u entries: %s", map->max_entries,
				 strerror(-err));
	}
	append(maps, map, fd);
	return 0;
}

static bool is_same(const struct plan_map *a, const struct plan_map *b)
{
	return !strcmp(a->name, b->name) && a->kind == b->kind && a->key_bytes == b->key_bytes &&
	       a->value_bytes == b->value_bytes && a->max_entries == b->max_entries;
}

static int append_copy(struct plan_maps *maps, const struct plan_map *is, int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	if (copy < 0)
		return -errno;
	append(maps, is, copy);
	return 0;
}

int plan_maps_take(struct plan_maps *maps, const struct plan_map *wanted,
		   const struct plan_maps *from)
{
	for (int i = 0; *wanted->name && i < from->count; i++)
		if (is_same(wanted, &from->is[i]))
			return append_copy(maps, wanted, from->fds[i]);
	return -ENOENT;
}

int plan_maps_share(struct plan_maps *maps, const struct plan_maps *from)
{
	int err = 0;

	for (int i = 0; i < from->count && !err; i++)
		err = append_copy(maps, &from->is[i], from->fds[i]);
	return err;
}

void plan_maps_close(struct plan_maps *maps)
{
	while (maps->count)
		close(maps->fds[--maps->count]);
}
