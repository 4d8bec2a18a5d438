// SPDX-License-Identifier: Apache-2.0
#include "map_request.h"

#include "message.h"
#include "order.h"
#include "version.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A descriptor may be of something else that was pinned. */
static bool is_map(int fd)
{
	char path[64], name[64] = "";

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return readlink(path, name, sizeof(name) - 1) > 0 && !strcmp(name, "anon_inode:bpf-map");
}

/* Answers with the map, which stays ours, or why there is none. Returns it, or -errno. */
static int answer(struct version *version, const char *kind, int fd)
{
	struct bpf_map_info info = {0};
	uint32_t size = sizeof(info);
	int err = fd < 0 ? fd : 0;

	if (!err && !is_map(fd))
		err = -EMEDIUMTYPE;
	if (!err && bpf_obj_get_info_by_fd(fd, &info, &size))
		err = -errno;
	order_map(version, kind, fd, &info,
		  !err			? NULL
		  : err == -EMEDIUMTYPE ? "is no map"
		  : err == -EREMOTE	? "offline"
					: strerror(-err));
	if (err && fd >= 0)
		close(fd);
	return err ? err : fd;
}

/* map pin PATH | map id N -> found ... */
bool map_request_map(struct version *version, struct message *message)
{
	struct own_objects *own = &version->own;
	const char *by, *path;
	double id;
	int fd;

	if (!script_allows(version->options, "object") || version->ready ||
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
	fd = answer(version, "found", fd < 0 ? -errno : fd);
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
bool map_request_inner(struct version *version, struct message *message)
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
	fd = answer(version, "inner", fd < 0 && fd != -ENOENT ? -errno : fd);
	if (fd >= 0)
		close(fd);
	return true;
}
