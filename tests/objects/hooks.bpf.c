/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One program for each kind of hook: the getppid(2) calls of one process, or what it opens. They
 * are optional, for not every kernel has all of them. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile __u32 only_pid = 0;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} calls SEC(".maps");

static int count(void)
{
	__u32 first = 0;
	__u64 *value = bpf_map_lookup_elem(&calls, &first);

	if (value && bpf_get_current_pid_tgid() >> 32 == only_pid)
		__sync_fetch_and_add(value, 1);
	return 0;
}

#define COUNTS(section, name)                                                                      \
	SEC(section) int name(void *context)                                                       \
	{                                                                                          \
		return count();                                                                    \
	}

COUNTS("?tp/syscalls/sys_enter_getppid", by_tracepoint)
COUNTS("?fentry/do_sys_openat2", by_fentry)
COUNTS("?fexit/do_sys_openat2", by_fexit)
COUNTS("?kprobe/__x64_sys_getppid", by_kprobe)
COUNTS("?kretprobe/__x64_sys_getppid", by_kretprobe)
COUNTS("?ksyscall/getppid", by_ksyscall)
COUNTS("?tp/syscalls/sys_enter_no_such_call", by_nothing)
COUNTS("?raw_tp", by_no_name)

SEC("?xdp")
int by_nobody(void *context)
{
	return 0;
}
