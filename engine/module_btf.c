// SPDX-License-Identifier: Apache-2.0
#include "module_btf.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define NAME_BYTES 64 /* a module's is shorter: MODULE_NAME_LEN, include/linux/module.h */

static bool is_of(int fd, const char *module)
{
	char name[NAME_BYTES] = "";
	struct bpf_btf_info info = {.name = (uintptr_t)name, .name_len = sizeof(name)};
	uint32_t size = sizeof(info);

	/* What programs bring along has no name, or any. */
	return !bpf_obj_get_info_by_fd(fd, &info, &size) && info.kernel_btf &&
	       !strcmp(name, module);
}

/* The kernel's object, and its number, which no other one gets. 0: it cannot be had. */
static int find_object(const char *module, uint32_t *id)
{
	*id = 0;
	while (!bpf_btf_get_next_id(*id, id)) {
		int fd = bpf_btf_get_fd_by_id(*id); /* may be gone by now */

		if (fd >= 0 && is_of(fd, module))
			return fd;
		if (fd >= 0)
			close(fd);
	}
	return 0;
}

struct btf *module_btf_load(const char *module, struct btf *kernel, int *fd)
{
	struct btf *btf;
	uint32_t id;

	*fd = find_object(module, &id);
	if (!*fd)
		return btf__load_module_btf(module, kernel);
	btf = btf__load_from_kernel_by_id_split(id, kernel);
	if (!btf) {
		close(*fd);
		*fd = 0;
	}
	return btf;
}
