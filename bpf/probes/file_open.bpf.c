// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* file_open: files being opened, and opens that fail.
 *
 * The path is read when the call returns: by then the kernel has read it, too, so its page
 * is in memory. It is the text the process gave, relative to dirfd unless it starts with
 * a slash, with no links followed. */
#include "moonprobe.bpf.h"
#include <stddef.h>

#define PATH_MAX_SENT 256

struct file_open_event {
	struct event_context context;
	__u64 latency_ns FIELD("duration of the call");
	syscall_result result FIELD("new file descriptor");
	__s32 dirfd FIELD("directory a relative path starts at, -100: the current one");
	open_flags flags FIELD("how it is opened");
	file_mode mode FIELD("permissions of a file to create, 0 when none can be");
	__u32 uid FIELD("real user id");
	char path[PATH_MAX_SENT] FIELD("as given by the process, cut after 255 bytes; empty "
				       "if unreadable");
};
PROBE(file_open, "One event per open(2), openat(2), openat2(2) or creat(2).",
      "Opens by io_uring, by open_by_handle_at(2) and inside the kernel; calls of 32-bit "
      "programs; a path another thread overwrites during the call.");

const volatile __u32 failed_only KNOB("1 reports only calls that failed") = 0;

FIELD_LATE(path);

/* An open that is running, kept with its thread. start_ns is 0 when there is none. */
struct open_call {
	__u64 start_ns;
	const char *path;
	const __u64 *how; /* openat2(2): flags and mode are in user memory */
	__s32 dirfd;
	open_flags flags;
	file_mode mode;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct open_call);
} calls SEC(".maps");

/* Where events are built: they would fill most of the stack, and the stages need some. A
 * perf tracepoint runs with preemption off and never inside another one. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct file_open_event);
} scratch SEC(".maps");

#define CURRENT_DIRECTORY (-100)	/* AT_FDCWD */
#define CREATES 00000100		/* O_CREAT, the same on x86 and arm64 */
#define CREATES_UNNAMED 020000000	/* the bit of O_TMPFILE that O_DIRECTORY has not */
#define CREAT_FLAGS (01 | 0100 | 01000) /* O_WRONLY | O_CREAT | O_TRUNC */

static __always_inline int begin(long dirfd, unsigned long path, unsigned long flags,
				 unsigned long mode, unsigned long how)
{
	struct open_call *call;

	if (!process_wanted(current_pid()))
		return 0;
	call = bpf_task_storage_get(&calls, bpf_get_current_task_btf(), NULL,
				    BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!call) {
		count_lost_map();
		return 0;
	}
	call->path = (const char *)path;
	call->how = (const __u64 *)how;
	call->dirfd = dirfd;
	call->flags = flags;
	call->mode = mode;
	call->start_ns = bpf_ktime_get_ns();
	return 0;
}

static __always_inline int report(struct open_call *call, long result, __u64 start_ns)
{
	__u64 bytes = offsetof(struct file_open_event, path) + 1, now = bpf_ktime_get_ns();
	struct file_open_event *event;
	__u32 first = 0;
	long length;

	event = bpf_map_lookup_elem(&scratch, &first);
	if (!event)
		return 0;
	__builtin_memset(event, 0, offsetof(struct file_open_event, path));
	context_of_current(&event->context);
	event->latency_ns = now - start_ns;
	event->result = result;
	event->dirfd = call->dirfd;
	event->flags = call->flags;
	event->mode = call->mode;
	event->uid = (__u32)bpf_get_current_uid_gid();
	if (call->how) {
		__u64 how[2] = {}; /* first members of struct open_how */

		bpf_probe_read_user(how, sizeof(how), call->how);
		event->flags = how[0];
		event->mode = how[1];
	}
	if (!(event->flags & (CREATES | CREATES_UNNAMED)))
		event->mode = 0; /* open(2) has no third argument then, it is what was there */
	if (!stage_early(event))
		return 0;
	late_of_current(&event->context, now);
	__builtin_memset(event->path, 0, sizeof(event->path)); /* of an earlier event */
	if (want_path) {
		length = bpf_probe_read_user_str(event->path, sizeof(event->path), call->path);
		if (length > 0) /* the mask changes nothing, but the verifier needs it */
			bytes += (length - 1) & (PATH_MAX_SENT - 1);
	}
	event_send(&event->context.header, bytes, stage_late(event));
	return 0;
}

static __always_inline int end(long result)
{
	struct open_call *call;
	__u64 start_ns;

	call = bpf_task_storage_get(&calls, bpf_get_current_task_btf(), NULL, 0);
	if (!call || !call->start_ns)
		return 0;
	start_ns = call->start_ns;
	call->start_ns = 0;
	if (failed_only && result >= 0)
		return 0;
	return report(call, result, start_ns);
}

SEC("tp/syscalls/sys_enter_openat")
int on_enter_openat(struct trace_event_raw_sys_enter *call)
{
	return begin(call->args[0], call->args[1], call->args[2], call->args[3], 0);
}

SEC("tp/syscalls/sys_exit_openat")
int on_exit_openat(struct trace_event_raw_sys_exit *call)
{
	return end(call->ret);
}

SEC("?tp/syscalls/sys_enter_openat2")
int on_enter_openat2(struct trace_event_raw_sys_enter *call)
{
	return begin(call->args[0], call->args[1], 0, 0, call->args[2]);
}

SEC("?tp/syscalls/sys_exit_openat2")
int on_exit_openat2(struct trace_event_raw_sys_exit *call)
{
	return end(call->ret);
}

SEC("?tp/syscalls/sys_enter_open")
int on_enter_open(struct trace_event_raw_sys_enter *call)
{
	return begin(CURRENT_DIRECTORY, call->args[0], call->args[1], call->args[2], 0);
}

SEC("?tp/syscalls/sys_exit_open")
int on_exit_open(struct trace_event_raw_sys_exit *call)
{
	return end(call->ret);
}

SEC("?tp/syscalls/sys_enter_creat")
int on_enter_creat(struct trace_event_raw_sys_enter *call)
{
	return begin(CURRENT_DIRECTORY, call->args[0], CREAT_FLAGS, call->args[1], 0);
}

SEC("?tp/syscalls/sys_exit_creat")
int on_exit_creat(struct trace_event_raw_sys_exit *call)
{
	return end(call->ret);
}
