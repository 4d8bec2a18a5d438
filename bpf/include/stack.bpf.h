/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Stack: how the CPU came where it is, as a number that stands for the list of addresses.
 *
 *   bpf_get_stackid --> `stacks`: id -> addresses        the host reads them, and knows their names
 *   a process that is new here --> `stack_news`          the host reads its maps while it lives
 *
 *   bits 0 to 23: id + 1; from STACK_LOST on: STACK_LOST - errno, there is none; 0: not captured
 *   bits from 24: of a process's stack: whose it is (its tgid)
 *
 * The maps are the script's: what a number stands for stays, whatever probe or version asks. */
#ifndef MOONPROBE_STACK_BPF_H
#define MOONPROBE_STACK_BPF_H

#include "moonprobe.bpf.h"
#include "stack.h"

struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, STACK_FRAMES * sizeof(__u64));
} stacks SEC(".maps");

/* Processes the host has been told of, with the memory they had then: execve(2) makes it new. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, STACK_OWNERS);
	__type(key, __u32);
	__type(value, __u64);
} stack_owners SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} stack_news SEC(".maps");

FIELD_LATE(kstack);
FIELD_LATE(ustack);

static __always_inline __u64 stack_number(long id, __u64 pid)
{
	return id >= 0 ? (pid << STACK_PID_SHIFT) + id + 1 : STACK_END + id;
}

static __always_inline __u64 kernel_stack_here(void *ctx)
{
	return stack_number(bpf_get_stackid(ctx, &stacks, 0), 0);
}

/* When it cannot be told it is tried again with the next stack. */
static __always_inline void tell_owner(__u32 pid)
{
	__u64 memory = (__u64)bpf_get_current_task_btf()->mm;
	__u64 *known = bpf_map_lookup_elem(&stack_owners, &pid);

	if (known && *known == memory)
		return;
	if (!bpf_ringbuf_output(&stack_news, &pid, sizeof(pid), 0))
		bpf_map_update_elem(&stack_owners, &pid, &memory, BPF_ANY);
}

static __always_inline __u64 user_stack_here(void *ctx, __u32 pid)
{
	long id = bpf_get_stackid(ctx, &stacks, BPF_F_USER_STACK);

	if (id >= 0)
		tell_owner(pid);
	return stack_number(id, pid);
}

#endif
