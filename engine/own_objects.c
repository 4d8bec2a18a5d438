// SPDX-License-Identifier: Apache-2.0
#include "own_objects.h"

#include "child.h"
#include "message.h"
#include "object_trial.h"
#include "version.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define GRANT "object"
#define MOST_FILE_BYTES (64 << 20)
#define MOST_ENTRY_BYTES (16 << 20)
#define MOST_OPTIONS 256
#define MOST_MAPS 120 /* of all objects: descriptors of the worker's */

/* It checks this itself, to say so at the script's line. */
static bool is_granted(const struct version *version)
{
	const char *word = version->options->allow;

	while (word && *word) {
		size_t length = strcspn(word, ",");

		if (length == strlen(GRANT) && !strncmp(word, GRANT, length))
			return true;
		word += length + (word[length] == ',');
	}
	return false;
}

static bool copy_text(struct message *message, char *to, size_t size)
{
	const char *text;

	return message_next_text(message, &text) && (size_t)snprintf(to, size, "%s", text) < size;
}

static int send(struct version *version, struct message *message)
{
	int err = message ? child_send(version->child, message) : -ENOMEM;

	free(message);
	return err;
}

static struct message *message_new(const char *name)
{
	struct message *message = malloc(sizeof(*message));

	if (message)
		message_start(message, name);
	return message;
}

/* Files. */

static int find_file(const struct version *version, const char *name, char *found, size_t size)
{
	struct search_path beside = {.dirs = {(char *)version->options->folder}, .count = 1};
	int fd = -ENOENT;

	if (version->options->folder)
		fd = search_path_open(&beside, name, found, size);
	if (fd < 0)
		fd = search_path_open(&version->options->path, name, found, size);
	return fd;
}

static int read_file(int fd, struct object_wish *file)
{
	struct stat status;
	size_t at = 0;

	if (fstat(fd, &status) || !S_ISREG(status.st_mode))
		return -EINVAL;
	if (status.st_size > MOST_FILE_BYTES)
		return -EFBIG;
	file->bytes = malloc(status.st_size + 1);
	if (!file->bytes)
		return -ENOMEM;
	while (at < (size_t)status.st_size) {
		ssize_t got = pread(fd, file->bytes + at, status.st_size - at, at);

		if (got <= 0)
			return -EIO; /* it changes: it is read again then */
		at += got;
	}
	file->size = at;
	return 0;
}

/* For the worker to read its types from. */
static int memory_of(const void *bytes, size_t size)
{
	int fd = memfd_create("object", MFD_CLOEXEC);

	if (fd >= 0 && write(fd, bytes, size) != (ssize_t)size) {
		close(fd);
		fd = -EIO;
	}
	return fd;
}

static struct object_wish *add_file(struct own_objects *own)
{
	struct object_wish *files;

	if (own->file_count == OWN_OBJECTS)
		return NULL;
	files = reallocarray(own->files, own->file_count + 1, sizeof(*files));
	if (!files)
		return NULL;
	own->files = files;
	memset(&files[own->file_count], 0, sizeof(*files));
	return &files[own->file_count++];
}

/* object NAME -> object PATH + fd, or object WHY */
bool own_objects_on_file(struct version *version, struct message *message)
{
	struct object_wish *file;
	struct message *reply = message_new("object");
	char found[4096] = "", why[128] = "";
	int fd, err, memory = -1;
	const char *name;

	if (version->ready || !is_granted(version) || !message_next_text(message, &name) ||
	    strlen(name) >= sizeof(file->name) || !reply) {
		free(reply);
		return false;
	}
	file = add_file(&version->own);
	fd = file ? find_file(version, name, found, sizeof(found)) : -EMFILE;
	err = fd < 0 ? fd : read_file(fd, file);
	if (!err)
		err = object_trial_open(file->bytes, file->size);
	if (!err) {
		snprintf(file->name, sizeof(file->name), "%s", name);
		memory = memory_of(file->bytes, file->size);
	}
	if (fd >= 0) {
		version->events->used_file(version, found);
		close(fd);
	}
	if (memory < 0)
		snprintf(why, sizeof(why), "%s",
			 err == -ENOENT	   ? "not beside the script or on the search path (-I)"
			 : err == -EMFILE  ? "more than 16 objects in one script"
			 : err == -EBADMSG ? "is damaged: libbpf fails over it; build it again"
			 : err == -EINVAL
				 ? "a path from the script's folder to a regular file is needed"
				 : strerror(-err));
	message_text(reply, memory < 0 ? why : found);
	if (memory >= 0)
		message_fd(reply, memory);
	send(version, reply);
	if (memory >= 0)
		close(memory);
	return true;
}

static struct object_option *add_option(struct object_wish *wish)
{
	struct object_option *options;

	if (wish->option_count == MOST_OPTIONS)
		return NULL;
	options = reallocarray(wish->options, wish->option_count + 1, sizeof(*options));
	if (!options)
		return NULL;
	wish->options = options;
	memset(&options[wish->option_count], 0, sizeof(*options));
	return &options[wish->option_count++];
}

static unsigned char *copy_of(const char *bytes, size_t size)
{
	unsigned char *copy = malloc(size + 1);

	if (copy)
		memcpy(copy, bytes, size);
	return copy;
}

static bool parse_option(struct message *message, struct object_wish *wish)
{
	struct object_option *option = add_option(wish);
	const char *what, *bytes;

	if (!option || !message_next_text(message, &what))
		return false;
	if (!strcmp(what, "detached")) {
		option->kind = OBJECT_DETACHED;
		return true;
	}
	if (!copy_text(message, option->name, sizeof(option->name)))
		return false;
	if (!strcmp(what, "attach")) {
		option->kind = OBJECT_ATTACH;
		return true;
	}
	if (!strcmp(what, "entries")) {
		option->kind = OBJECT_ENTRIES;
		return message_next_number(message, &option->number) && option->number >= 1 &&
		       option->number <= UINT32_MAX && option->number == floor(option->number);
	}
	option->kind = OBJECT_RODATA;
	if (strcmp(what, "rodata") || !message_next_string(message, &bytes, &option->size))
		return false;
	option->bytes = copy_of(bytes, option->size);
	return option->bytes;
}

/* load NAME (attach PROGRAM | detached | rodata NAME BYTES | entries MAP N)*: of a file it got */
bool own_objects_on_load(struct version *version, struct message *message)
{
	struct own_objects *own = &version->own;
	struct object_wish *wish;
	const char *name;

	if (version->ready || own->count == OWN_OBJECTS || !message_next_text(message, &name))
		return false;
	wish = &own->all[own->count].wish;
	for (int i = 0; i < own->file_count && !wish->bytes; i++)
		if (own->files[i].bytes && !strcmp(own->files[i].name, name)) {
			snprintf(wish->name, sizeof(wish->name), "%s", name);
			wish->bytes = own->files[i].bytes;
			wish->size = own->files[i].size;
			own->files[i].bytes = NULL;
		}
	if (!wish->bytes)
		return false;
	own->count++;
	while (!message_at_end(message))
		if (!parse_option(message, wish))
			return false;
	return true;
}

static struct object_entry *add_entry(struct object_wish *wish)
{
	struct object_entry *entries =
		reallocarray(wish->entries, wish->entry_count + 1, sizeof(*entries));

	if (!entries)
		return NULL;
	wish->entries = entries;
	memset(&entries[wish->entry_count], 0, sizeof(*entries));
	return &entries[wish->entry_count++];
}

static bool parse_entry(struct own_objects *own, struct message *message)
{
	struct object_entry *entry = add_entry(&own->all[own->count - 1].wish);
	const char *key, *value;
	double flags;

	if (!entry || !copy_text(message, entry->map, sizeof(entry->map)) ||
	    !message_next_string(message, &key, &entry->key_bytes) ||
	    !message_next_string(message, &value, &entry->value_bytes) ||
	    !message_next_number(message, &flags) || !(flags >= 0 && flags <= BPF_EXIST))
		return false;
	own->entry_bytes += entry->key_bytes + entry->value_bytes + sizeof(*entry);
	entry->flags = (__u64)flags;
	entry->bytes = malloc(entry->key_bytes + entry->value_bytes + 1);
	if (!entry->bytes || own->entry_bytes > MOST_ENTRY_BYTES)
		return false;
	memcpy(entry->bytes, key, entry->key_bytes);
	memcpy(entry->bytes + entry->key_bytes, value, entry->value_bytes);
	return true;
}

/* entry (MAP KEY VALUE FLAGS)*: the object loaded last has them from the start */
bool own_objects_on_entry(struct version *version, struct message *message)
{
	if (version->ready || !version->own.count)
		return false;
	while (!message_at_end(message))
		if (!parse_entry(&version->own, message))
			return false;
	return true;
}

/* Single maps. */

/* A descriptor may be of something else that was pinned. */
static bool is_map(int fd)
{
	char path[64], name[64] = "";

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return readlink(path, name, sizeof(name) - 1) > 0 && !strcmp(name, "anon_inode:bpf-map");
}

static void describe(struct message *message, const struct bpf_map_info *info)
{
	message_text(message, info->name);
	message_number(message, info->type);
	message_number(message, info->key_size);
	message_number(message, info->value_size);
	message_number(message, info->max_entries);
	message_number(message, info->map_flags);
	message_number(message, info->btf_key_type_id);
	message_number(message, info->btf_value_type_id);
}

/* Its types as a file; -1: none. */
static int types_of(const struct bpf_map_info *info)
{
	struct btf *btf = info->btf_id ? btf__load_from_kernel_by_id(info->btf_id) : NULL;
	__u32 size;
	const void *raw = btf ? btf__raw_data(btf, &size) : NULL;
	int fd = raw ? memory_of(raw, size) : -1;

	btf__free(btf);
	return fd;
}

/* KIND NAME TYPE KEY VALUE ENTRIES FLAGS KEY_TYPE VALUE_TYPE + fd, fd of types?; or KIND WHY.
 * Returns the map, which stays ours, or -errno. */
static int reply_map(struct version *version, const char *kind, int fd)
{
	struct message *reply = message_new(kind);
	struct bpf_map_info info = {0};
	uint32_t size = sizeof(info);
	int types = -1;

	if (fd >= 0 && !is_map(fd)) {
		close(fd);
		fd = -EMEDIUMTYPE;
	}
	if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &size)) {
		close(fd);
		fd = -errno;
	}
	if (reply && fd < 0) {
		message_text(reply, fd == -EMEDIUMTYPE ? "is no map"
				    : fd == -EREMOTE   ? "offline"
						       : strerror(-fd));
	} else if (reply) {
		describe(reply, &info);
		message_fd(reply, fd);
		types = types_of(&info);
		if (types >= 0)
			message_fd(reply, types);
	}
	send(version, reply);
	if (types >= 0)
		close(types);
	return fd;
}

/* find pin PATH | find id N -> found ... */
bool own_objects_on_find(struct version *version, struct message *message)
{
	struct own_objects *own = &version->own;
	const char *by, *path;
	double id;
	int fd;

	if (!is_granted(version) || version->ready ||
	    own->found_count == (int)(sizeof(own->found) / sizeof(*own->found)) ||
	    !message_next_text(message, &by))
		return false;
	if (!strcmp(by, "pin")) {
		if (!message_next_text(message, &path))
			return false;
		fd = script_is_offline(version->options) ? -1 : bpf_obj_get(path);
	} else {
		if (strcmp(by, "id") || !message_next_number(message, &id) ||
		    !(id >= 0 && id <= UINT32_MAX))
			return false;
		fd = script_is_offline(version->options) ? -1 : bpf_map_get_fd_by_id((__u32)id);
	}
	if (script_is_offline(version->options))
		errno = EREMOTE;
	fd = reply_map(version, "found", fd < 0 ? -errno : fd);
	if (fd >= 0)
		own->found[own->found_count++] = fd;
	return true;
}

/* The map that a message means: OBJECT (from 0) and the map's number in it, or -1 and the number of
 * a found one. */
static int map_of(const struct own_objects *own, double object, double index)
{
	struct bpf_map *map;

	if (object == -1 && index >= 0 && index < own->found_count)
		return own->found[(int)index];
	if (!(object >= 0 && object < own->count && index >= 0 && index < OBJECT_MAPS) ||
	    !own->all[(int)object].object)
		return -ENOENT;
	map = object_map(own->all[(int)object].object, (int)index);
	return map ? bpf_map__fd(map) : -ENOENT;
}

/* inner OBJECT MAP KEY -> inner ...: the map that a map of maps has for a key */
bool own_objects_on_inner(struct version *version, struct message *message)
{
	struct bpf_map_info info = {0};
	uint32_t size = sizeof(info);
	double object, index;
	__u32 id = 0;
	const char *key;
	size_t length;
	int fd, outer;

	if (!version->started || !message_next_number(message, &object) ||
	    !message_next_number(message, &index) || !message_next_string(message, &key, &length))
		return false;
	outer = map_of(&version->own, object, index);
	if (outer < 0 || bpf_obj_get_info_by_fd(outer, &info, &size) || info.key_size != length ||
	    (info.type != BPF_MAP_TYPE_ARRAY_OF_MAPS && info.type != BPF_MAP_TYPE_HASH_OF_MAPS))
		return false;
	fd = bpf_map_lookup_elem(outer, key, &id) ? -errno : bpf_map_get_fd_by_id(id);
	fd = reply_map(version, "inner", fd < 0 && fd != -ENOENT ? -errno : fd);
	if (fd >= 0)
		close(fd);
	return true;
}

/* Finding, attaching. */

bool own_objects_uses(const struct version *version, const struct object *object)
{
	for (int i = 0; version && i < version->own.count; i++)
		if (version->own.all[i].object == object)
			return true;
	return false;
}

static struct object *find(const struct version *version, const struct object_set *set,
			   const struct object_wish *wish)
{
	for (size_t i = 0; i < sizeof(set->objects) / sizeof(*set->objects); i++) {
		struct object *object = set->objects[i];

		if (object && object_serves(object, wish) && !own_objects_uses(version, object))
			return object;
	}
	return NULL;
}

static struct object **room_in(struct object_set *set)
{
	for (size_t i = 0; i < sizeof(set->objects) / sizeof(*set->objects); i++)
		if (!set->objects[i])
			return &set->objects[i];
	return NULL;
}

/* maps OBJECT KEPT (NAME TYPE KEY VALUE ENTRIES FLAGS KEY_TYPE VALUE_TYPE)* + fds, in the
 * object's order */
static int tell(struct version *version, int index)
{
	struct message *message = message_new("maps");
	const struct object *object = version->own.all[index].object;
	struct bpf_map *map;

	if (!message)
		return -ENOMEM;
	message_number(message, index);
	message_number(message, version->own.all[index].kept);
	for (int i = 0; (map = object_map(object, i)); i++) {
		struct bpf_map_info info = {0};
		uint32_t size = sizeof(info);

		if (bpf_map__fd(map) < 0)
			continue; /* left out, as libbpf does with .rodata where there is none */
		if (bpf_obj_get_info_by_fd(bpf_map__fd(map), &info, &size)) {
			free(message);
			return -errno;
		}
		message_number(message, i);
		describe(message, &info);
		message_fd(message, bpf_map__fd(map));
	}
	return send(version, message);
}

int own_objects_find(struct version *version, struct object_set *set, struct error *error)
{
	struct own_objects *own = &version->own;
	int maps = 0, err = 0;

	for (int i = 0; i < own->count && !err; i++) {
		const struct object_wish *wish = &own->all[i].wish;
		struct object *object = find(version, set, wish);
		struct object **room = room_in(set);

		own->all[i].kept = object;
		if (!object && !room)
			return error_set(error, -E2BIG, "object %s: too many objects", wish->name);
		if (!object) {
			err = object_open(room, wish, error);
			object = *room;
		}
		if (err)
			break;
		own->all[i].object = object;
		for (int map = 0; object_map(object, map); map++)
			maps++;
		if (maps > MOST_MAPS)
			return error_set(error, -E2BIG, "more than %d maps in one script's objects",
					 MOST_MAPS);
		err = tell(version, i);
		if (err)
			error_set(error, err, "its worker does not listen: %s", strerror(-err));
	}
	return err;
}

int own_objects_attach(const struct version *version, struct error *error)
{
	int err = 0;

	for (int i = 0; i < version->own.count && !err; i++)
		err = object_attach(version->own.all[i].object, error);
	return err;
}

void own_objects_close(struct own_objects *own)
{
	for (int i = 0; i < OWN_OBJECTS; i++)
		object_wish_clear(&own->all[i].wish);
	for (int i = 0; i < own->file_count; i++)
		object_wish_clear(&own->files[i]);
	for (int i = 0; i < own->found_count; i++)
		close(own->found[i]);
	free(own->files);
}

/* The set. */

void object_set_detach(struct object_set *set, const struct version *but_of)
{
	for (size_t i = 0; i < sizeof(set->objects) / sizeof(*set->objects); i++)
		if (set->objects[i] && !own_objects_uses(but_of, set->objects[i]))
			object_detach(set->objects[i]);
}

void object_set_release(struct object_set *set, const struct version *const versions[], int count)
{
	for (size_t i = 0; i < sizeof(set->objects) / sizeof(*set->objects); i++) {
		bool used = false;

		for (int v = 0; v < count; v++)
			used |= own_objects_uses(versions[v], set->objects[i]);
		if (set->objects[i] && !used) {
			object_close(set->objects[i]);
			set->objects[i] = NULL;
		}
	}
}

void object_set_close(struct object_set *set)
{
	object_set_release(set, NULL, 0);
}
