// SPDX-License-Identifier: Apache-2.0
#include "follow.h"

#include "record.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PROGRAMS 3

struct follow {
	struct bpf_object *object;
	struct bpf_link *links[PROGRAMS];
};

int follow_open(struct follow **out, const struct search_path *path, pid_t pid, struct error *error)
{
	struct follow *follow = calloc(1, sizeof(*follow));
	uint32_t key = pid, pending = TARGET_PENDING;
	struct asset_bytes bytes = {0};
	struct bpf_program *program;
	int err = 0, count = 0;

	if (!follow)
		return error_set(error, -ENOMEM, "follow: no memory");
	err = asset_load(path, "follow.bpf.o", &bytes);
	if (err)
		goto fail;
	follow->object = bpf_object__open_mem(bytes.bytes, bytes.size, NULL);
	if (!follow->object || bpf_object__load(follow->object)) {
		err = -errno;
		goto fail;
	}
	if (bpf_map_update_elem(follow_targets_fd(follow), &key, &pending, BPF_ANY)) {
		err = -errno;
		goto fail;
	}
	bpf_object__for_each_program(program, follow->object)
	{
		if (count == PROGRAMS)
			break;
		follow->links[count] = bpf_program__attach(program);
		if (!follow->links[count++]) {
			err = -errno;
			goto fail;
		}
	}
	asset_unload(&bytes);
	*out = follow;
	return 0;
fail:
	asset_unload(&bytes);
	follow_close(follow);
	return error_set(error, err, "following the command's children: %s", strerror(-err));
}

int follow_targets_fd(const struct follow *follow)
{
	return bpf_object__find_map_fd_by_name(follow->object, "targets");
}

uint64_t follow_lost(const struct follow *follow)
{
	struct bpf_map *map = bpf_object__find_map_by_name(follow->object, "follow_counters");
	uint32_t first = 0;
	uint64_t lost = 0;

	bpf_map_lookup_elem(bpf_map__fd(map), &first, &lost);
	return lost;
}

void follow_close(struct follow *follow)
{
	if (!follow)
		return;
	for (int i = 0; i < PROGRAMS; i++)
		bpf_link__destroy(follow->links[i]);
	bpf_object__close(follow->object);
	free(follow);
}
