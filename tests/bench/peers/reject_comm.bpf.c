// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* reject_comm: counts the system calls one process makes while it is called "curl". */
#include "peer.bpf.h"

union comm {
	char text[16]; /* the kernel fills it up with zeros */
	__u64 words[2];
};

static const union comm curl = {.text = "curl"};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} cells SEC(".maps");

SEC("tp_btf/sys_enter")
int BPF_PROG(on_enter, struct pt_regs *registers, long number)
{
	union comm comm;
	__u32 first = 0;
	__u64 *cell;

	if (!is_wanted(bpf_get_current_task_btf()))
		return 0;
	bpf_get_current_comm(comm.text, sizeof(comm.text));
	if (comm.words[0] != curl.words[0])
		return 0;
	cell = bpf_map_lookup_elem(&cells, &first);
	if (cell)
		++*cell;
	return 0;
}
