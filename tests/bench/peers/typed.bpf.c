// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* typed: system calls of one process, by what a pointer that the hook hands over leads to. */
#include "peer.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 10240);
	__type(key, __u64);
	__type(value, __u64);
} cells SEC(".maps");

SEC("raw_tp/sys_enter")
int on_enter(struct bpf_raw_tracepoint_args *ctx)
{
	struct pt_regs___kernel *registers = (void *)ctx->args[0];
	__u64 one = 1, first = 0;
	__u64 *cell;

	if (!is_wanted(bpf_get_current_task_btf()))
		return 0;
	bpf_probe_read_kernel(&first, sizeof(first), &registers->di);
	cell = bpf_map_lookup_elem(&cells, &first);
	if (cell)
		++*cell;
	else
		bpf_map_update_elem(&cells, &first, &one, BPF_NOEXIST);
	return 0;
}
