// SPDX-License-Identifier: Apache-2.0
#include "order.h"

#include "message.h"
#include "version.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* A file with these bytes, or -errno. */
static int memory_of(const void *bytes, size_t size)
{
	int fd = memfd_create("object", MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (write(fd, bytes, size) != (ssize_t)size) {
		close(fd);
		return -EIO;
	}
	return fd;
}

/* object PATH + fd, or object WHY */
int order_object(struct version *version, const struct object_wish *file, const char *text)
{
	struct message *message = message_new("object");
	int copy = file ? memory_of(file->bytes, file->size) : -ENOENT, err;

	if (message) {
		message_text(message, file && copy < 0 ? strerror(-copy) : text);
		if (copy >= 0)
			message_fd(message, copy);
	}
	err = order_dispatch(version, message);
	if (copy >= 0)
		close(copy);
	return err;
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

/* KIND NAME TYPE KEY VALUE ENTRIES FLAGS KEY_TYPE VALUE_TYPE + fd, fd of types?; or KIND WHY */
int order_map(struct version *version, const char *kind, int fd, const struct bpf_map_info *info,
	      const char *why)
{
	struct message *message = message_new(kind);
	int types = why ? -1 : types_of(info), err;

	if (message && why) {
		message_text(message, why);
	} else if (message) {
		describe(message, info);
		message_fd(message, fd);
		if (types >= 0)
			message_fd(message, types);
	}
	err = order_dispatch(version, message);
	if (types >= 0)
		close(types);
	return err;
}

/* maps OBJECT KEPT (NAME TYPE KEY VALUE ENTRIES FLAGS KEY_TYPE VALUE_TYPE)* + fds, in the
 * object's order */
int order_maps(struct version *version, int index)
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
	return order_dispatch(version, message);
}
