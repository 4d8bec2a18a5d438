// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* reject_number: counts one system call of one process. */
#include "peer.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} cells SEC(".maps");

SEC("tp_btf/sys_enter")
int BPF_PROG(on_enter, struct pt_regs *registers, long number)
{
	__u32 first = 0;
	__u64 *cell;

	/* In this order: who it is takes a call. */
	if (number != wanted.number || !is_wanted(bpf_get_current_task_btf()))
		return 0;
	cell = bpf_map_lookup_elem(&cells, &first);
	if (cell)
		++*cell;
	return 0;
}
