/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* An object that the verifier refuses: it reads through a pointer that may be NULL. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} values SEC(".maps");

SEC("raw_tp/sys_enter")
int careless(void *context)
{
	__u32 first = 0;
	__u64 *value = bpf_map_lookup_elem(&values, &first);

	return *value;
}
