// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* count_by_comm: system calls of one process, by the name of the thread. */
#include "peer.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 10240);
	__type(key, struct comm);
	__type(value, __u64);
} cells SEC(".maps");

SEC("tp_btf/sys_enter")
int BPF_PROG(on_enter, struct pt_regs *registers, long number)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct comm comm;
	__u64 one = 1;
	__u64 *cell;

	if (!is_wanted(task))
		return 0;
	comm = comm_of(task);
	cell = bpf_map_lookup_elem(&cells, &comm);
	if (cell)
		++*cell;
	else
		bpf_map_update_elem(&cells, &comm, &one, BPF_NOEXIST);
	return 0;
}
