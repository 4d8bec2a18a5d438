// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* reject_comm: counts the system calls one process makes while it is called "curl". */
#include "peer.bpf.h"

static const union {
	char text[8];
	__u64 word;
} curl = {.text = "curl"};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} cells SEC(".maps");

SEC("tp_btf/sys_enter")
int BPF_PROG(on_enter, struct pt_regs *registers, long number)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u32 first = 0;
	__u64 *cell;

	if (!is_wanted(task) || comm_of(task).words[0] != curl.word)
		return 0;
	cell = bpf_map_lookup_elem(&cells, &first);
	if (cell)
		++*cell;
	return 0;
}
