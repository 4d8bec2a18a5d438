/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* An object as users have them, with a map of every kind: it counts the getppid(2) calls of one
 * process. Nothing in it is Moonprobe's. */
#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile __u32 only_pid = 0; /* 0: nobody */
const volatile __u32 call_number = 110;
const volatile char label[16] = "unset";

enum call_kind { CALL_ENTER = 1, CALL_EXIT = 2 };

struct where {
	__u32 cpu;
	__u16 port;
	__u8 bytes[4];
};

struct event {
	__u64 number; /* from 0 */
	__u64 big;    /* more than 2^53 */
	__s32 negative;
	enum call_kind kind;
	char comm[16];
	char label[16];
	struct where at;
	union {
		__u32 as_word;
		__u8 as_bytes[4];
	};
	__u32 low : 4, high : 12;
	bool yes;
};
const struct event *unused_event __attribute__((unused));

struct larger {
	struct event event;
	__u64 more;
};
const struct larger *larger_type __attribute__((unused));

struct pair {
	__u32 pid;
	__u32 kind;
};

struct cell {
	__u64 hits;
	__s64 least;
	__u32 small;
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 18);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, struct pair);
	__type(value, struct cell);
} calls SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} totals SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64);
} cpu_calls SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct cell);
} cpu_cells SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, __u32);
} recent SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_PERCPU_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u32);
} cpu_recent SEC(".maps");

/* Its keys have names. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, enum call_kind);
	__type(value, __u64);
} by_kind SEC(".maps");

struct network {
	__u32 bits;
	__u8 address[4];
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 16);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct network);
	__type(value, char[8]);
} networks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 8);
	__type(value, __u32);
} line SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK);
	__uint(max_entries, 8);
	__type(value, __u32);
} pile SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, 64);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, 32 * sizeof(__u64));
} stacks SEC(".maps");

struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} inner_a SEC(".maps"), inner_b SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 3);
	__type(key, __u32);
	__array(values, struct inner);
} shelves SEC(".maps") = {.values = {&inner_a, &inner_b}};

struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, 4);
	__type(key, __u32);
	__array(values, struct inner);
} drawers SEC(".maps") = {.values = {[1] = &inner_b}};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct cell);
} cells SEC(".maps");

__u64 lost;	    /* events that found no room */
__u32 limit = 1000; /* in .data */

static void send(__u64 number)
{
	struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event) {
		__sync_fetch_and_add(&lost, 1);
		return;
	}
	__builtin_memset(event, 0, sizeof(*event));
	event->number = number;
	event->big = (1ull << 63) + number;
	event->negative = -1;
	event->kind = CALL_ENTER;
	bpf_get_current_comm(event->comm, sizeof(event->comm));
	for (int i = 0; i < 16; i++)
		event->label[i] = label[i];
	event->at.cpu = bpf_get_smp_processor_id();
	event->at.port = 443;
	event->at.bytes[2] = 7;
	event->as_word = 0x04030201;
	event->low = 5;
	event->high = 0xabc;
	event->yes = true;
	bpf_ringbuf_submit(event, 0);
}

static void count_in(void *map, __u32 index)
{
	__u64 *value = bpf_map_lookup_elem(map, &index);

	if (value)
		__sync_fetch_and_add(value, 1);
}

static void count_inner(__u32 shelf)
{
	void *map = bpf_map_lookup_elem(&shelves, &shelf);

	if (map)
		count_in(map, 0);
}

static void count_calls(__u32 pid)
{
	struct pair pair = {.pid = pid, .kind = CALL_ENTER};
	struct cell one = {.hits = 1}, *cell = bpf_map_lookup_elem(&calls, &pair);

	if (cell)
		__sync_fetch_and_add(&cell->hits, 1);
	else
		bpf_map_update_elem(&calls, &pair, &one, BPF_NOEXIST);
}

static void count_cpus(__u32 pid)
{
	__u32 first = 0, low = pid & 31, one32 = 1;
	__u64 one = 1, *value = bpf_map_lookup_elem(&cpu_calls, &pid);
	struct cell *cell = bpf_map_lookup_elem(&cpu_cells, &first);

	if (value)
		*value += 1;
	else
		bpf_map_update_elem(&cpu_calls, &pid, &one, BPF_ANY);
	if (cell)
		cell->hits += 1;
	bpf_map_update_elem(&cpu_recent, &low, &one32, BPF_ANY);
}

SEC("raw_tp/sys_enter")
int on_enter(struct bpf_raw_tracepoint_args *context)
{
	__u32 pid = bpf_get_current_pid_tgid() >> 32, first = 0;
	struct cell *cell;
	__u64 *total, number;

	if (pid != only_pid || context->args[1] != call_number)
		return 0;
	total = bpf_map_lookup_elem(&totals, &first);
	if (!total)
		return 0;
	number = __sync_fetch_and_add(total, 1);
	send(number);
	count_calls(pid);
	count_cpus(pid);
	count_inner(0);
	bpf_map_update_elem(&recent, &number, &pid, BPF_ANY);
	if (number < 8) {
		__u32 as_word = number;

		bpf_map_push_elem(&line, &as_word, 0);
		bpf_map_push_elem(&pile, &as_word, 0);
	}
	bpf_get_stackid(context, &stacks, 0);
	cell = bpf_map_lookup_elem(&cells, &first);
	if (cell) {
		__sync_fetch_and_add(&cell->hits, 1);
		__sync_fetch_and_add(&cell->small, 1);
	}
	return 0;
}

SEC("?raw_tp/sys_exit")
int on_exit(struct bpf_raw_tracepoint_args *context)
{
	if (bpf_get_current_pid_tgid() >> 32 == only_pid)
		count_in(&totals, 1);
	return 0;
}
