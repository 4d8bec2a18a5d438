// SPDX-License-Identifier: Apache-2.0
#include "plan_file.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of maps whose memory is taken when they are made, in one plan. */
#define AT_ONCE_MAX (256ull << 20)

static int refuse(struct error *error, const char *why)
{
	return error_set(error, -EINVAL, "the plan cannot be read: %s", why);
}

/* Only memory: reading a file of another kind might wait for somebody. */
static int read_all(int fd, unsigned char **out, uint32_t *bytes, struct error *error)
{
	struct stat status;
	unsigned char *file;
	size_t at = 0;

	if (fcntl(fd, F_GET_SEALS) < 0 || fstat(fd, &status) || !S_ISREG(status.st_mode))
		return refuse(error, "it is no file in memory");
	if (status.st_size < (off_t)sizeof(struct plan_header))
		return refuse(error, "it is too short");
	if (status.st_size > PLAN_BYTES_MAX)
		return error_set(error, -E2BIG,
				 "the plan has %lld bytes, at most %d are allowed: the script's "
				 "filters have too many constants",
				 (long long)status.st_size, PLAN_BYTES_MAX);
	file = malloc(status.st_size);
	if (!file)
		return error_set(error, -ENOMEM, "plan: no memory");
	while (at < (size_t)status.st_size) {
		ssize_t got = pread(fd, file + at, status.st_size - at, at);

		if (got <= 0) {
			free(file);
			return refuse(error, "it became shorter meanwhile");
		}
		at += got;
	}
	*out = file;
	*bytes = at;
	return 0;
}

/* Memory that making the map takes; the others grow as they are filled. */
static uint64_t taken_at_once(const struct plan_map *map)
{
	uint64_t value = (map->value_bytes + 7) / 8 * 8, key = (map->key_bytes + 7) / 8 * 8;

	if (map->kind == PLAN_LRU || map->kind == PLAN_PERCPU_ARRAY)
		value *= libbpf_num_possible_cpus();
	return map->kind == PLAN_PERCPU_HASH ? 0 : map->max_entries * (key + value);
}

/* NULL or what is wrong with it. */
static const char *fault_of_map(const struct plan_map *map)
{
	bool is_array = map->kind == PLAN_VALUES || map->kind == PLAN_PERCPU_ARRAY;

	if (map->kind < PLAN_VALUES || map->kind > PLAN_PERCPU_ARRAY)
		return "a map of an unknown kind";
	if (!map->key_bytes || map->key_bytes > PLAN_KEY_MAX || !map->value_bytes ||
	    map->value_bytes > PLAN_VALUE_MAX || !map->max_entries ||
	    map->max_entries > PLAN_ENTRIES_MAX)
		return "sizes of a map out of bounds";
	if (is_array && map->key_bytes != sizeof(uint32_t))
		return "the key of an array has 4 bytes";
	if (map->kind == PLAN_VALUES && map->max_entries != 1)
		return "an array of values has one entry";
	if (map->entries > map->max_entries ||
	    (map->entries && map->kind != PLAN_VALUES && map->kind != PLAN_SET))
		return "a map with more entries than it can start with";
	if (!memchr(map->name, 0, sizeof(map->name)))
		return "the name of a map does not end";
	return NULL;
}

/* Takes `bytes` from the front of what is left; NULL when there are fewer. */
static const void *take(const unsigned char **at, uint64_t *left, uint64_t bytes)
{
	const void *part = *at;

	if (bytes > *left)
		return NULL;
	*at += bytes;
	*left -= bytes;
	return part;
}

static const char *fault_of_maps(struct plan *plan, const unsigned char **at, uint64_t left)
{
	uint64_t at_once = 0;

	for (uint32_t i = 0; i < plan->map_count; i++) {
		const struct plan_map *map = &plan->maps[i];
		const char *fault = fault_of_map(map);

		if (fault)
			return fault;
		at_once += taken_at_once(map);
		plan->contents[i] = take(
			at, &left, (uint64_t)map->entries * (map->key_bytes + map->value_bytes));
		if (!plan->contents[i])
			return "the contents are shorter than the maps say";
		if (map->kind == PLAN_VALUES && map->entries &&
		    memcmp(plan->contents[i], &(uint32_t){0}, sizeof(uint32_t)))
			return "the key of an array of one is 0";
	}
	if (at_once > AT_ONCE_MAX)
		return "its maps would take more than 256 MiB";
	return left ? "the contents are longer than the maps say" : NULL;
}

/* NULL or what is wrong. The order is that of the file; all parts but the last two are
 * multiples of 4 bytes, those before `where` of 8. */
static const char *fault_of(struct plan *plan, uint32_t bytes)
{
	const struct plan_header *header = (const void *)plan->file;
	const unsigned char *at = plan->file, *contents;
	uint64_t left = bytes;
	const uint32_t *where;
	uint32_t count;

	take(&at, &left, sizeof(*header));
	if (header->magic != PLAN_MAGIC)
		return "it does not start like one";
	if (header->bytes != bytes)
		return "its length is not what it says";
	if (header->map_count > PLAN_MAPS_MAX)
		return "too many maps";
	if (header->early > PLAN_STAGE_MAX || header->late > PLAN_STAGE_MAX)
		return "too many instructions: the filters are too long";
	plan->map_count = header->map_count;
	count = header->early + header->late;
	plan->maps = take(&at, &left, sizeof(*plan->maps) * header->map_count);
	plan->stages[PLAN_EARLY].code = take(&at, &left, sizeof(struct bpf_insn) * header->early);
	plan->stages[PLAN_EARLY].count = header->early;
	plan->stages[PLAN_LATE].code = take(&at, &left, sizeof(struct bpf_insn) * header->late);
	plan->stages[PLAN_LATE].count = header->late;
	where = take(&at, &left, sizeof(*where) * count);
	contents = take(&at, &left, header->content_bytes);
	plan->text = take(&at, &left, header->text_bytes);
	if (!plan->maps || !plan->stages[PLAN_EARLY].code || !plan->stages[PLAN_LATE].code ||
	    !where || !contents || !plan->text || left)
		return "its parts do not add up to its length";
	if (!header->text_bytes || plan->text[header->text_bytes - 1])
		return "its text does not end";
	for (uint32_t i = 0; i < count; i++)
		if (where[i] >= header->text_bytes)
			return "a place in the script outside its text";
	plan->stages[PLAN_EARLY].where = where;
	plan->stages[PLAN_LATE].where = where + header->early;
	return fault_of_maps(plan, &contents, header->content_bytes);
}

int plan_open(struct plan **out, int fd, struct error *error)
{
	struct plan *plan = calloc(1, sizeof(*plan));
	const char *fault;
	uint32_t bytes = 0;
	int err;

	if (!plan)
		return error_set(error, -ENOMEM, "plan: no memory");
	err = read_all(fd, &plan->file, &bytes, error);
	if (!err) {
		fault = fault_of(plan, bytes);
		err = fault ? refuse(error, fault) : 0;
	}
	if (err)
		plan_close(plan);
	else
		*out = plan;
	return err;
}

void plan_close(struct plan *plan)
{
	if (!plan)
		return;
	free(plan->file);
	free(plan);
}

const char *plan_where(const struct plan *plan, enum plan_stage stage, uint32_t instruction)
{
	const struct plan_code *one = &plan->stages[stage];

	return instruction < one->count ? plan->text + one->where[instruction] : "";
}

const char *plan_stage_name(enum plan_stage stage)
{
	return stage == PLAN_EARLY ? "early" : "late";
}
