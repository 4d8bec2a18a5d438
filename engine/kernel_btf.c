// SPDX-License-Identifier: Apache-2.0
#include "kernel_btf.h"

#include <bpf/btf.h>
#include <malloc.h>
#include <stdbool.h>
#include <stddef.h>

/* What ld --wrap makes of libbpf's calls, and of the functions themselves. */
struct btf *__real_btf__load_vmlinux_btf(void);
struct btf *__wrap_btf__load_vmlinux_btf(void);
void __real_btf__free(struct btf *btf);
void __wrap_btf__free(struct btf *btf);

static struct btf *kernel;
static int keepers;
static bool is_unwanted; /* released while somebody kept it */

struct btf *kernel_btf_load(void)
{
	if (!kernel)
		kernel = __real_btf__load_vmlinux_btf();
	return kernel;
}

void kernel_btf_release(void)
{
	struct btf *btf = kernel;

	is_unwanted = keepers > 0;
	if (is_unwanted)
		return;
	kernel = NULL;
	__real_btf__free(btf);
	malloc_trim(0);
}

struct btf *kernel_btf_keep(void)
{
	struct btf *btf = kernel_btf_load();

	keepers += btf != NULL;
	return btf;
}

void kernel_btf_let_go(void)
{
	if (!--keepers && is_unwanted)
		kernel_btf_release();
}

struct btf *__wrap_btf__load_vmlinux_btf(void)
{
	return kernel_btf_load();
}

/* libbpf frees what it has loaded when an object is done. */
void __wrap_btf__free(struct btf *btf)
{
	if (btf != kernel)
		__real_btf__free(btf);
}
