// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* file_stat: files and file systems being asked about, by their path.
 *
 * The path is the text the process gave, relative to dirfd unless it starts with a slash, with no
 * links followed. It is empty when the question is about dirfd itself, as fstat(3) of some
 * C libraries does. */
#include "call.bpf.h"
#include <stddef.h>

#define PATH_MAX_SENT 256

enum stat_call {
	CALL_STAT,
	CALL_LSTAT,
	CALL_FSTATAT,
	CALL_STATX,
	CALL_STATFS,
};

struct file_stat_event {
	struct event_context context;
	__u64 latency_ns FIELD("duration of the call");
	syscall_result result FIELD("0, or why it failed");
	enum stat_call call FIELD("which call");
	__s32 dirfd FIELD("directory a relative path starts at, -100: the current one");
	__u32 flags FIELD("AT_* of fstatat(2) and statx(2)");
	__u32 uid FIELD("real user id");
	char path[PATH_MAX_SENT] FIELD("as given by the process, cut after 255 bytes; empty "
				       "if unreadable");
};
PROBE(file_stat, "One event per stat(2), lstat(2), fstatat(2), statx(2) or statfs(2).",
      "fstat(2) and fstatfs(2), which name a descriptor; questions by io_uring; calls of 32-bit "
      "programs; a path another thread overwrites during the call.");

const volatile __u32 failed_only KNOB("1 reports only calls that failed") = 0;

FIELD_LATE(path);

/* Where events are built: they would fill most of the stack, and the stages need some. A
 * perf tracepoint runs with preemption off and never inside another one. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct file_stat_event);
} scratch SEC(".maps");

#define CURRENT_DIRECTORY (-100) /* AT_FDCWD */

/* fstatat(2) and statx(2) begin with a directory, the others with the path. */
static __always_inline const char *fill_call(struct file_stat_event *event,
					     const struct running_call *call)
{
	event->call = call->which;
	if (call->which != CALL_FSTATAT && call->which != CALL_STATX) {
		event->dirfd = CURRENT_DIRECTORY;
		return (const char *)call->args[0];
	}
	event->dirfd = call->args[0];
	event->flags = call->args[call->which == CALL_STATX ? 2 : 3];
	return (const char *)call->args[1];
}

static __always_inline int report(struct running_call *call, long result, __u64 start_ns)
{
	__u64 bytes = offsetof(struct file_stat_event, path) + 1, now;
	struct file_stat_event *event;
	const char *path;
	__u32 first = 0;
	long length;

	if (failed_only && result >= 0)
		return 0;
	event = bpf_map_lookup_elem(&scratch, &first);
	if (!event)
		return 0;
	now = bpf_ktime_get_ns();
	__builtin_memset(event, 0, offsetof(struct file_stat_event, path));
	context_of_current(&event->context);
	event->latency_ns = now - start_ns;
	event->result = result;
	path = fill_call(event, call);
	event->uid = (__u32)bpf_get_current_uid_gid();
	if (!stage_early(event))
		return 0;
	late_of_current(&event->context, now);
	__builtin_memset(event->path, 0, sizeof(event->path)); /* of an earlier event */
	if (want_path) {
		length = bpf_probe_read_user_str(event->path, sizeof(event->path), path);
		if (length > 0) /* the mask changes nothing, but the verifier needs it */
			bytes += (length - 1) & (PATH_MAX_SENT - 1);
	}
	event_send(&event->context.header, bytes, stage_late(event));
	return 0;
}

/* clang-format off */
CALL("", newfstatat, CALL_FSTATAT, 4)
CALL("?", newstat, CALL_STAT, 1)
CALL("?", newlstat, CALL_LSTAT, 1)
CALL("?", statx, CALL_STATX, 3)
CALL("?", statfs, CALL_STATFS, 1)
