/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The object of lesson 7: programs that are started, each as an event and counted by name. Any
 * libbpf object will do: this one knows nothing of Moonprobe. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile __u32 only_uid = ~0u; /* ~0: of anybody */

struct exec {
	__u32 pid;
	__u32 uid;
	char comm[16];
};
const struct exec *unused __attribute__((unused)); /* puts the struct into the BTF */

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 16);
} execs SEC(".maps");

struct name {
	char comm[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct name);
	__type(value, __u64);
} counts SEC(".maps");

__u64 lost; /* events that found no room: nobody else can count them */

SEC("raw_tp/sched_process_exec")
int on_exec(void *context)
{
	__u32 uid = bpf_get_current_uid_gid();
	__u64 one = 1, *count;
	struct name name = {};
	struct exec *event;

	if (only_uid != ~0u && uid != only_uid)
		return 0;
	bpf_get_current_comm(name.comm, sizeof(name.comm));
	count = bpf_map_lookup_elem(&counts, &name);
	if (count)
		__sync_fetch_and_add(count, 1);
	else
		bpf_map_update_elem(&counts, &name, &one, BPF_NOEXIST);
	event = bpf_ringbuf_reserve(&execs, sizeof(*event), 0);
	if (!event) {
		__sync_fetch_and_add(&lost, 1);
		return 0;
	}
	event->pid = bpf_get_current_pid_tgid() >> 32;
	event->uid = uid;
	__builtin_memcpy(event->comm, name.comm, sizeof(event->comm));
	bpf_ringbuf_submit(event, 0);
	return 0;
}
