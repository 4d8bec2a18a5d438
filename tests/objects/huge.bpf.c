/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* An object with a map that no machine has the memory for. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1u << 31);
	__type(key, __u64);
	__type(value, __u64);
} everything SEC(".maps");

SEC("raw_tp/sys_enter")
int nothing(void *context)
{
	return 0;
}
