// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* latency_histogram: how long the system calls of one process take, in powers of two.
 * The start is kept in the task's storage, which is faster than a hash by thread. */
#include "peer.bpf.h"

#define SLOTS 64

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u64);
} starts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SLOTS);
	__type(key, __u32);
	__type(value, __u64);
} cells SEC(".maps");

SEC("tp_btf/sys_enter")
int BPF_PROG(on_enter, struct pt_regs *registers, long number)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 *start;

	if (!is_wanted(task))
		return 0;
	start = bpf_task_storage_get(&starts, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (start)
		*start = bpf_ktime_get_ns();
	return 0;
}

/* 0: below 2, n: from 2^n to below 2^(n+1). */
static __always_inline __u32 log2_of(__u64 value)
{
	__u32 log2 = 0;

#pragma unroll
	for (int bits = 32; bits; bits /= 2) {
		if (value >> bits) {
			value >>= bits;
			log2 += bits;
		}
	}
	return log2;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(on_exit, struct pt_regs *registers, long result)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 *start, *cell;
	__u32 slot;

	if (!is_wanted(task))
		return 0;
	start = bpf_task_storage_get(&starts, task, NULL, 0);
	if (!start || !*start)
		return 0;
	slot = log2_of(bpf_ktime_get_ns() - *start);
	*start = 0;
	cell = bpf_map_lookup_elem(&cells, &slot);
	if (cell)
		++*cell;
	return 0;
}
