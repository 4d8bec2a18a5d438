// SPDX-License-Identifier: Apache-2.0
#include "object.h"

#include "nearest.h"
#include "object_trial.h"
#include "schema.h"
#include "verifier_log.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>

struct object {
	struct object_wish wish;
	struct bpf_object *object;
	struct bpf_link **links; /* of the programs, in the object's order */
	int program_count;
	bool attached;
};

/* What libbpf says while it works. It returns a number, and tells the reason in a line. */

static struct {
	char reason[300];  /* its last line that is one */
	char program[128]; /* which one it is about; "": none */
	bool verified;	   /* the reason is the verifier's */
} heard;

static libbpf_print_fn_t usual_print;

static bool is_consequence(const char *line)
{
	return !strncmp(line, "failed to load object", 21) || strstr(line, "': failed to load: ") ||
	       strstr(line, "': failed to prepare load attributes") ||
	       strstr(line, "permission error while running as root") || /* guesses at limits */
	       strstr(line, "Retrying without BTF");
}

/* "prog 'NAME': ..." */
static const char *hear_program(const char *line)
{
	int length = !strncmp(line, "prog '", 6) ? (int)strcspn(line + 6, "'") : 0;

	snprintf(heard.program, sizeof(heard.program), "%.*s", length, length ? line + 6 : "");
	return length && !strncmp(line + 6 + length, "': ", 3) ? line + 6 + length + 3 : line;
}

static void hear_log(char *line)
{
	char *end = strstr(line, "-- END PROG LOAD LOG --");

	if (end)
		*end = 0;
	hear_program(line);
	heard.verified = true;
	verifier_log_end(strchr(line, '\n') + 1, heard.reason, sizeof(heard.reason));
}

__attribute__((format(printf, 2, 0))) static int hear(enum libbpf_print_level level,
						      const char *format, va_list args)
{
	va_list again;
	char *line;

	va_copy(again, args);
	if (level == LIBBPF_WARN && vasprintf(&line, format, again) >= 0) {
		char *text = !strncmp(line, "libbpf: ", 8) ? line + 8 : line;

		if (strstr(text, "-- BEGIN PROG LOAD LOG --\n"))
			hear_log(text);
		else if (!is_consequence(text) && !heard.verified) {
			const char *reason = hear_program(text);

			snprintf(heard.reason, sizeof(heard.reason), "%.*s",
				 (int)strcspn(reason, "\n"), reason);
		}
		free(line);
	}
	va_end(again);
	return usual_print ? usual_print(level, format, args) : 0;
}

static void start_hearing(void)
{
	memset(&heard, 0, sizeof(heard));
	usual_print = libbpf_set_print(hear);
}

static void stop_hearing(void)
{
	libbpf_set_print(usual_print);
}

/* The reason, or what the number means when nothing was said. */
static const char *reason_of(int err)
{
	static char text[128];

	if (*heard.reason)
		return heard.reason;
	libbpf_strerror(err, text, sizeof(text)); /* knows its own numbers too */
	return text;
}

/* Wishes. */

static bool same_bytes(const void *a, size_t a_size, const void *b, size_t b_size)
{
	return a_size == b_size && (!a_size || !memcmp(a, b, a_size));
}

bool object_wish_equal(const struct object_wish *a, const struct object_wish *b)
{
	if (strcmp(a->name, b->name) || !same_bytes(a->bytes, a->size, b->bytes, b->size) ||
	    a->option_count != b->option_count)
		return false;
	for (int i = 0; i < a->option_count; i++) {
		const struct object_option *one = &a->options[i], *other = &b->options[i];

		if (one->kind != other->kind || strcmp(one->name, other->name) ||
		    one->number != other->number ||
		    !same_bytes(one->bytes, one->size, other->bytes, other->size))
			return false;
	}
	return true;
}

void object_wish_clear(struct object_wish *wish)
{
	for (int i = 0; i < wish->option_count; i++)
		free(wish->options[i].bytes);
	for (int i = 0; i < wish->entry_count; i++)
		free(wish->entries[i].bytes);
	free(wish->options);
	free(wish->entries);
	free(wish->bytes);
	memset(wish, 0, sizeof(*wish));
}

static void *copy_of(const void *bytes, size_t size)
{
	void *copy = malloc(size + 1);

	if (copy && size)
		memcpy(copy, bytes, size);
	return copy;
}

static int copy_wish(struct object_wish *to, const struct object_wish *from)
{
	memset(to, 0, sizeof(*to));
	snprintf(to->name, sizeof(to->name), "%s", from->name);
	to->bytes = copy_of(from->bytes, from->size);
	to->size = from->size;
	to->options = calloc(from->option_count + 1, sizeof(*to->options));
	if (!to->bytes || !to->options)
		return -ENOMEM;
	for (int i = 0; i < from->option_count; i++) {
		to->options[i] = from->options[i];
		to->options[i].bytes = copy_of(from->options[i].bytes, from->options[i].size);
		to->option_count++;
		if (!to->options[i].bytes)
			return -ENOMEM;
	}
	return 0;
}

/* Options. */

/* "; did you mean 'x'?" of the object's programs or maps. */
static const char *suggestion(const struct object *object, const char *name, bool of_maps)
{
	static char text[NEAREST_NAME + 32];
	struct bpf_program *program;
	struct nearest nearest;
	struct bpf_map *map;

	nearest_start(&nearest, name);
	if (of_maps) {
		bpf_object__for_each_map(map, object->object)
		{
			nearest_offer(&nearest, bpf_map__name(map));
		}
	} else {
		bpf_object__for_each_program(program, object->object)
		{
			nearest_offer(&nearest, bpf_program__name(program));
		}
	}
	if (!*nearest_name(&nearest))
		return "";
	snprintf(text, sizeof(text), "; did you mean '%s'?", nearest_name(&nearest));
	return text;
}

static int set_constant(struct object *object, const struct object_option *option,
			struct error *error)
{
	uint32_t offset, bytes;
	struct bpf_map *map;
	unsigned char *initial = NULL;
	size_t size = 0;

	if (schema_rodata(object->object, option->name, &offset, &bytes))
		return error_set(error, -ENOENT,
				 "object %s: has no constant '%s'; const volatile variables are",
				 object->wish.name, option->name);
	bpf_object__for_each_map(map, object->object)
	{
		const char *name = bpf_map__name(map);
		size_t length = strlen(name);

		if (length >= 7 && !strcmp(name + length - 7, ".rodata"))
			initial = (unsigned char *)bpf_map__initial_value(map, &size);
	}
	if (!initial || bytes != option->size || offset > size || bytes > size - offset)
		return error_set(error, -EINVAL, "object %s: constant %s has %u bytes, given %zu",
				 object->wish.name, option->name, bytes, option->size);
	memcpy(initial + offset, option->bytes, bytes);
	return 0;
}

static int apply(struct object *object, const struct object_option *option, struct error *error)
{
	const char *name = object->wish.name;
	struct bpf_program *program;
	struct bpf_map *map;
	int err;

	switch (option->kind) {
	case OBJECT_ATTACH:
		program = bpf_object__find_program_by_name(object->object, option->name);
		if (!program)
			return error_set(error, -ENOENT, "object %s: has no program '%s'%s", name,
					 option->name, suggestion(object, option->name, false));
		return bpf_program__set_autoload(program, true); /* also a SEC("?...") */
	case OBJECT_RODATA:
		return set_constant(object, option, error);
	case OBJECT_ENTRIES:
		map = bpf_object__find_map_by_name(object->object, option->name);
		if (!map)
			return error_set(error, -ENOENT, "object %s: has no map '%s'%s", name,
					 option->name, suggestion(object, option->name, true));
		err = bpf_map__set_max_entries(map, (__u32)option->number);
		return err ? error_set(error, err, "object %s: map %s: max_entries %.0f: %s", name,
				       option->name, option->number, strerror(-err))
			   : 0;
	default:
		return 0;
	}
}

/* Maps. */

static bool is_per_cpu(enum bpf_map_type type)
{
	return type == BPF_MAP_TYPE_PERCPU_HASH || type == BPF_MAP_TYPE_PERCPU_ARRAY ||
	       type == BPF_MAP_TYPE_LRU_PERCPU_HASH;
}

/* About what it takes at once; more may come with its entries. */
static double bytes_of(const struct bpf_map *map)
{
	double entries = bpf_map__max_entries(map);
	double each =
		(bpf_map__key_size(map) + 7) / 8 * 8.0 + (bpf_map__value_size(map) + 7) / 8 * 8.0;

	if (bpf_map__type(map) == BPF_MAP_TYPE_RINGBUF)
		return entries;
	if (bpf_map__map_flags(map) & BPF_F_NO_PREALLOC)
		return entries * 8; /* buckets */
	return entries * each * (is_per_cpu(bpf_map__type(map)) ? libbpf_num_possible_cpus() : 1);
}

/* The kernel would try, and with it the machine's OOM killer. */
static int check_maps(struct object *object, struct error *error)
{
	const struct bpf_map *map, *largest = NULL;
	struct sysinfo info;
	double sum = 0, room;
	int count = 0;

	sysinfo(&info);
	room = (double)info.totalram * info.mem_unit / 4;
	bpf_object__for_each_map(map, object->object)
	{
		count++;
		if (!bpf_map__autocreate(map))
			continue;
		sum += bytes_of(map);
		if (!largest || bytes_of(map) > bytes_of(largest))
			largest = map;
	}
	if (count > OBJECT_MAPS)
		return error_set(error, -E2BIG, "object %s: has %d maps, at most %d are possible",
				 object->wish.name, count, OBJECT_MAPS);
	if (sum <= room)
		return 0;
	return error_set(
		error, -ENOMEM,
		"object %s: map %s: %u entries take %.0f MiB, and a quarter of the memory is "
		"%.0f MiB; maps = { %s = { max_entries = n } } makes it smaller",
		object->wish.name, bpf_map__name(largest), bpf_map__max_entries(largest),
		bytes_of(largest) / 1048576, room / 1048576, bpf_map__name(largest));
}

static int fill(struct object *object, const struct object_wish *wish, struct error *error)
{
	for (int i = 0; i < wish->entry_count; i++) {
		const struct object_entry *entry = &wish->entries[i];
		struct bpf_map *map = bpf_object__find_map_by_name(object->object, entry->map);

		if (!map || bpf_map__key_size(map) != entry->key_bytes)
			return error_set(error, -EINVAL, "object %s: map %s: cannot be filled",
					 wish->name, entry->map);
		/* A per-CPU value has room for every CPU; the worker has seen to that, and a map
		 * that differs from what it read is refused. */
		if (bpf_map__value_size(map) > entry->value_bytes ||
		    (is_per_cpu(bpf_map__type(map)) &&
		     entry->value_bytes != (bpf_map__value_size(map) + 7ull) / 8 * 8 *
						   libbpf_num_possible_cpus()))
			return error_set(error, -EINVAL,
					 "object %s: map %s: a value has %u bytes, given %zu",
					 wish->name, entry->map, bpf_map__value_size(map),
					 entry->value_bytes);
		if (bpf_map_update_elem(bpf_map__fd(map), entry->bytes,
					entry->bytes + entry->key_bytes, entry->flags))
			return error_set(error, -errno, "object %s: map %s: %s", wish->name,
					 entry->map,
					 errno == E2BIG ? "is full: its max_entries are too few"
							: strerror(errno));
	}
	return 0;
}

struct bpf_map *object_map(const struct object *object, int index)
{
	struct bpf_map *map = NULL;

	do {
		map = bpf_object__next_map(object->object, map);
	} while (map && index-- > 0);
	return map;
}

/* Programs. */

static int load(struct object *object, struct error *error)
{
	int err = object_trial_load(object->object);

	if (err)
		return error_set(error, err,
				 "object %s: is damaged: libbpf fails over it; build it again",
				 object->wish.name);
	start_hearing();
	err = bpf_object__load(object->object);
	stop_hearing();
	if (!err)
		return 0;
	if (*heard.program && !heard.verified)
		return error_set(error, err,
				 "object %s: program %s: %s; SEC(\"?...\") makes it one that is "
				 "loaded only when attach names it",
				 object->wish.name, heard.program, reason_of(err));
	if (*heard.program)
		return error_set(error, err,
				 "object %s: program %s: the kernel refused it: %s; run with -v to "
				 "see its whole log",
				 object->wish.name, heard.program, reason_of(err));
	return error_set(error, err, "object %s: %s%s", object->wish.name, reason_of(err),
			 err == -EPERM ? "; moonprobe doctor tells what this kernel allows" : "");
}

static bool is_wanted(const struct object *object, const char *program, bool *named)
{
	bool any = false;

	*named = false;
	for (int i = 0; i < object->wish.option_count; i++) {
		const struct object_option *option = &object->wish.options[i];

		if (option->kind == OBJECT_DETACHED)
			return false;
		any |= option->kind == OBJECT_ATTACH;
		*named |= option->kind == OBJECT_ATTACH && !strcmp(option->name, program);
	}
	return *named || !any;
}

/* libbpf's sections that attach by themselves. Others are for somebody to call or to attach: that
 * is no failure unless the script has named them. */
static int attach(struct object *object, const struct bpf_program *program, int index,
		  struct error *error)
{
	const char *name = bpf_program__name(program);
	bool named;
	int err;

	if (!bpf_program__autoload(program) || !is_wanted(object, name, &named))
		return 0;
	start_hearing();
	errno = 0;
	object->links[index] = bpf_program__attach(program);
	err = object->links[index] ? 0 : -errno;
	stop_hearing();
	if (object->links[index])
		return 0;
	if (!err || err == -EOPNOTSUPP)
		return named ? error_set(error, -EOPNOTSUPP,
					 "object %s: program %s: SEC(\"%s\") does not say where to "
					 "attach it; leave it out of attach",
					 object->wish.name, name,
					 bpf_program__section_name(program))
			     : 0;
	return error_set(
		error, err,
		"object %s: program %s: SEC(\"%s\") cannot be attached: %s; attach = { ... } "
		"with the names of the others leaves it out",
		object->wish.name, name, bpf_program__section_name(program), strerror(-err));
}

int object_attach(struct object *object, struct error *error)
{
	struct bpf_program *program;
	int i = 0, err = 0;

	if (object->attached)
		return 0;
	bpf_object__for_each_program(program, object->object)
	{
		err = attach(object, program, i++, error);
		if (err)
			break;
	}
	object->attached = true;
	if (err)
		object_detach(object);
	return err;
}

void object_detach(struct object *object)
{
	for (int i = 0; object->attached && i < object->program_count; i++) {
		bpf_link__destroy(object->links[i]);
		object->links[i] = NULL;
	}
	object->attached = false;
}

static int count_programs(struct object *object)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, object->object)
	{
		object->program_count++;
	}
	object->links = calloc(object->program_count + 1, sizeof(struct bpf_link *));
	return object->links ? 0 : -ENOMEM;
}

int object_open(struct object **out, const struct object_wish *wish, struct error *error)
{
	DECLARE_LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "own");
	struct object *object = calloc(1, sizeof(*object));
	int err = object ? copy_wish(&object->wish, wish) : -ENOMEM;

	if (!err) {
		err = object_trial_open(object->wish.bytes, object->wish.size);
		if (err)
			error_set(error, err,
				  "object %s: is damaged: libbpf fails over it; build it again",
				  wish->name);
	}
	if (!err) {
		start_hearing();
		object->object =
			bpf_object__open_mem(object->wish.bytes, object->wish.size, &options);
		err = object->object ? 0 : -errno;
		stop_hearing();
		if (err)
			error_set(error, err, "object %s: is no BPF object that can be loaded: %s",
				  wish->name, reason_of(err));
		else
			err = count_programs(object);
	}
	if (err == -ENOMEM)
		error_set(error, err, "object %s: no memory", wish->name);
	for (int i = 0; !err && i < object->wish.option_count; i++)
		err = apply(object, &object->wish.options[i], error);
	if (!err)
		err = check_maps(object, error);
	if (!err)
		err = load(object, error);
	if (!err)
		err = fill(object, wish, error);
	if (err)
		object_close(object);
	else
		*out = object;
	return err;
}

bool object_serves(const struct object *object, const struct object_wish *wish)
{
	return object_wish_equal(&object->wish, wish);
}

void object_close(struct object *object)
{
	if (!object)
		return;
	object_detach(object);
	bpf_object__close(object->object);
	object_wish_clear(&object->wish);
	free(object->links);
	free(object);
}
