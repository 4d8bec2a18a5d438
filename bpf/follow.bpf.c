// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* follow: which processes descend from the command of `-c`.
 *
 *   fork: child of a target becomes a target   exec: a pending target starts to count
 *   free: a dead process is forgotten          (after every probe has seen its exit)
 *
 * A pending target is the command's process before its exec, while it is still ours. */
#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "kernel.bpf.h"
#include "record.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, __u32);
} targets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} follow_counters SEC(".maps");

static __always_inline bool traced(__u32 pid)
{
	__u32 *state = bpf_map_lookup_elem(&targets, &pid);

	return state && *state == TARGET_TRACED;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	__u32 pid = child->tgid, state = TARGET_TRACED, first = 0;
	__u64 *lost;

	if (child->pid != child->tgid || !traced(parent->tgid))
		return 0;
	if (!bpf_map_update_elem(&targets, &pid, &state, BPF_ANY))
		return 0;
	lost = bpf_map_lookup_elem(&follow_counters, &first);
	if (lost)
		__sync_fetch_and_add(lost, 1);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task)
{
	__u32 pid = task->tgid;
	__u32 *state = bpf_map_lookup_elem(&targets, &pid);

	if (state)
		*state = TARGET_TRACED;
	return 0;
}

SEC("tp_btf/sched_process_free")
int BPF_PROG(on_free, struct task_struct *task)
{
	__u32 pid = task->tgid;

	if (task->pid == task->tgid)
		bpf_map_delete_elem(&targets, &pid);
	return 0;
}
