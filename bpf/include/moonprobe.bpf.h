/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a probe file is written with.
 *
 *   tracepoint -> dispatcher -> body: process_wanted -> early fields -> stage_early
 *                               -> late fields -> stage_late -> ring
 *
 * A probe is one file: header comment, event struct, PROBE(), knobs, maps, programs.
 * The engine reads all of it back from the object's BTF; no list names the file.
 *
 * - The attached program is a dispatcher the engine makes; a SEC() program here is the
 *   body it tail-calls, so a body can be replaced without detaching anything.
 * - A section that starts with `?` is optional: it is left out where the kernel lacks
 *   the hook, or while the knob named by ONLY_WITH() is 0.
 * - Fields are early or late, as stages will read them. An early one is final before
 *   stage_early(): what is at hand, and what people filter by (ports, results, latencies).
 *   A late one is filled between the two stages, so that an event nobody wants does not pay
 *   for it: FIELD_LATE(). The clock, comm, other text, arguments: late.
 * - Fields that cost something have a switch want_NAME, which the engine turns off when nobody
 *   reads the field, and the verifier removes the code: FIELD_LATE() and FIELD_SWITCH().
 * - The event is zeroed first, and text is zero from its end to the end of its room: filters
 *   compare and count whole fields.
 * - What pairs events (a start in a map) is settled before stage_early(), whatever it says.
 */
#ifndef MOONPROBE_BPF_H
#define MOONPROBE_BPF_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>
#include "kernel.bpf.h"
#include "record.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define TAG(text) __attribute__((btf_decl_tag(text)))
#define FIELD(doc) TAG("doc:" doc)
#define KNOB(doc) TAG("knob:" doc)
#define ONLY_WITH(knob) TAG("only_with:" #knob)

/* Names the probe: its event is struct NAME_event, its stages are the two functions
 * below. They let everything pass; the engine puts a script's filter where they are called, and
 * knows them by their first instruction (record.h). The asm operands keep clang from looking
 * through them.
 * `about` is one sentence; `blind` says what the probe cannot see. */
#define PROBE(name, about, blind) TAGGED_PROBE(name, TAG("about:" about) TAG("blind:" blind))

#define TAGGED_PROBE(name, tags)                                                                   \
	/* 0: drop the event; else go on */                                                        \
	static __noinline tags int stage_early(struct name##_event *event)                         \
	{                                                                                          \
		STAGE_STUB(STAGE_EARLY_MAGIC, event)                                               \
	}                                                                                          \
	/* the verdict, for event_send() */                                                        \
	static __noinline int stage_late(struct name##_event *event)                               \
	{                                                                                          \
		STAGE_STUB(STAGE_LATE_MAGIC, event)                                                \
	}                                                                                          \
	struct name##_event

#define STAGE_STUB(magic, event)                                                                   \
	register long result asm("r0");                                                            \
	asm volatile("%0 = %1" : "=r"(result) : "i"(magic), "r"(event) : "memory");                \
	return result;

/* `if (want_NAME)` guards what the field NAME costs. */
#define FIELD_SWITCH(name) const volatile bool want_##name = true
#define FIELD_LATE(name) const volatile bool want_##name TAG("late") = true

/* Types the Lua side prints by their name (stdlib/fields.lua). */
struct ip_address {
	__u8 bytes[16]; /* IPv6; IPv4 as ::ffff:a.b.c.d (RFC 4291 2.5.5.2) */
};
typedef __u32 device_number;  /* major << 20 | minor, the kernel's dev_t */
typedef __s32 error_number;   /* a positive errno, 0: no error */
typedef __s64 syscall_result; /* the return value; -errno when negative */
typedef __u32 signal_number;
typedef __u32 syscall_number;
typedef __u32 open_flags; /* O_* of open(2) */
typedef __u32 file_mode;
typedef __u64 kernel_stack; /* stack.bpf.h */
typedef __u64 user_stack;

/* What every event starts with. */
struct event_context {
	struct event_header header;
	__u64 time_ns FIELD("when it happened, CLOCK_MONOTONIC");
	__u32 pid FIELD("process id (the kernel's tgid)");
	__u32 tid FIELD("thread id (the kernel's pid)");
	char comm[16] FIELD("name of the thread");
};
FIELD_LATE(time_ns);
FIELD_LATE(comm);

/* Maps a script shares among its probes; the engine makes them and puts them here. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct script_settings);
} settings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} targets SEC(".maps");

/* One per probe: a row per CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct event_counters);
} counters SEC(".maps");

/* Processes that had a quota or lost events; those not seen for longest are forgotten. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 512);
	__type(key, __u32);
	__type(value, struct event_sender);
} senders SEC(".maps");

const volatile __u32 quota KNOB("at most so many events a second of one process, 0: all") = 0;

/* Set by the engine before loading. */
const volatile __u8 probe_slot = 0;
const volatile __u8 generation = 0;
const volatile __u32 target_pid = 0;	   /* -p: only this process */
const volatile bool target_by_map = false; /* -c: only processes in `targets` */
const volatile bool except_by_map = false; /* several scripts: all but those in `targets` */
const volatile bool early_first = false;   /* see below */

/* The early stage comes after process_wanted(), for it may count. When early_first is set it only
 * asks, and nothing about pid and tid: a probe that has the rest at hand then calls it before it
 * looks who it is, which costs more than most of what is asked. */

/* Should this script see this process (a tgid)? */
static __always_inline bool process_wanted(__u32 pid)
{
	if (target_pid)
		return pid == target_pid;
	if (target_by_map) {
		__u32 *state = bpf_map_lookup_elem(&targets, &pid);

		return state && *state == TARGET_TRACED;
	}
	if (except_by_map)
		return !bpf_map_lookup_elem(&targets, &pid);
	__u32 first = 0;
	struct script_settings *set = bpf_map_lookup_elem(&settings, &first);

	return !set || (pid != set->own_pids[0] && pid != set->own_pids[1] &&
			pid != set->own_pids[2] && pid != set->own_pids[3]);
}

static __always_inline __u32 current_pid(void)
{
	return bpf_get_current_pid_tgid() >> 32;
}

static __always_inline __u32 current_tid(void)
{
	return (__u32)bpf_get_current_pid_tgid();
}

/* The early part of the context of a thread, of which bpf_get_current_pid_tgid() says: */
static __always_inline void context_of_id(struct event_context *context, __u64 id)
{
	context->pid = id >> 32;
	context->tid = (__u32)id;
}

/* The context of the running thread: its early part, and its late one. `now`: the time, if it
 * had to be read anyway, else 0. */
static __always_inline void context_of_current(struct event_context *context)
{
	context_of_id(context, bpf_get_current_pid_tgid());
}

/* The same for a task, a BTF pointer the verifier trusts. */
static __always_inline void context_of_task(struct event_context *context, struct task_struct *task)
{
	context->pid = task->tgid;
	context->tid = task->pid;
}

/* As bpf_get_current_comm(), in two instructions instead of its calls: the kernel keeps comm
 * zero from its end on, since 06c5088aeedd ("fs/exec: replace strlcpy with strscpy_pad in
 * __set_task_comm", v5.17). */
static __always_inline void copy_comm(__u64 *to, struct task_struct *task)
{
	const __u64 *comm = (const __u64 *)task->comm;

	to[0] = comm[0];
	to[1] = comm[1];
}

static __always_inline void late_of_task(struct event_context *context, struct task_struct *task,
					 __u64 now)
{
	if (want_time_ns)
		context->time_ns = now ? now : bpf_ktime_get_ns();
	if (want_comm)
		copy_comm((__u64 *)context->comm, task);
}

static __always_inline void late_of_current(struct event_context *context, __u64 now)
{
	late_of_task(context, want_comm ? bpf_get_current_task_btf() : NULL, now);
}

static __always_inline struct event_counters *counters_here(void)
{
	__u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&counters, &cpu);
}

static __always_inline struct event_sender *sender_of(const struct event_context *context)
{
	__u32 pid = context->pid;
	struct event_sender *sender = bpf_map_lookup_elem(&senders, &pid);
	struct event_sender fresh = {};

	if (sender)
		return sender;
	__builtin_memcpy(fresh.comm, context->comm, sizeof(fresh.comm));
	bpf_map_update_elem(&senders, &pid, &fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(&senders, &pid);
}

/* May this process send one more in this second? What it may not is counted. Like the next
 * one not inlined: the stack of the body is left to the stages. */
static __noinline bool quota_left(const struct event_context *context)
{
	struct event_sender *sender = sender_of(context);
	struct event_counters *count;
	__u64 now;

	if (!sender)
		return true;
	now = bpf_ktime_get_ns();
	/* Two CPUs may begin a second at once: then it is a little more than the quota. */
	if (now - sender->second_ns >= 1000000000) {
		sender->second_ns = now;
		sender->used = 0;
	}
	if (__sync_fetch_and_add(&sender->used, 1) < quota)
		return true;
	__sync_fetch_and_add(&sender->refused, 1);
	count = counters_here();
	if (count)
		__sync_fetch_and_add(&count->refused, 1);
	return false;
}

static __noinline void count_lost_ring(const struct event_context *context)
{
	struct event_counters *count = counters_here();
	struct event_sender *sender = sender_of(context);

	if (count)
		__sync_fetch_and_add(&count->lost_ring, 1);
	if (sender)
		__sync_fetch_and_add(&sender->lost_ring, 1);
}

static __always_inline void event_stamp(struct event_header *header, struct event_counters *count,
					__u32 verdict)
{
	__u64 number = __sync_fetch_and_add(&count->events, 1);

	header->stamp = (number & 0xffffff) | verdict << 24;
	header->cpu = bpf_get_smp_processor_id();
	header->slot = probe_slot;
	header->generation = generation;
}

/* Sends an event, if the verdict, stage_late()'s, is not 0. `bytes` may be shorter than the
 * struct when only a part of its last field is used. An event that would fill most of the
 * stack (512 bytes, and the stages need some) is built in a map of the probe. */
static __always_inline void event_send(struct event_header *header, __u64 bytes, __u32 verdict)
{
	struct event_counters *count;

	if (!verdict)
		return;
	if (quota && !quota_left((struct event_context *)header))
		return;
	count = counters_here();
	if (!count)
		return;
	event_stamp(header, count, verdict);
	if (bpf_ringbuf_output(&ring, header, bytes, 0))
		count_lost_ring((struct event_context *)header);
}

/* A start (an enter, a request, a wake-up) could not be remembered: its event is lost. */
static __always_inline void count_lost_map(void)
{
	struct event_counters *count = counters_here();

	if (count)
		__sync_fetch_and_add(&count->lost_map, 1);
}

#endif
