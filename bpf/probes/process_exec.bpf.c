// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* process_exec: programs being started.
 *
 * Reads the argument block of the new image, so the arguments are those the program
 * really gets. `failed = 1` also reports execve(2) calls that did not succeed; these cost
 * two tracepoints more, on execve and execveat only. */
#include "moonprobe.bpf.h"
#include <stddef.h>

#define ARGS_MAX 1024

struct process_exec_event {
	struct event_context context;
	__u32 parent_pid FIELD("process id of the parent");
	__u32 uid FIELD("real user id");
	error_number error FIELD("0, or why the exec failed (with failed = 1)");
	__u32 args_bytes FIELD("length of args, each argument ended by a zero byte");
	bool args_cut FIELD("1: args holds only the start");
	char file[128] FIELD("path given to the kernel, cut after 127 bytes");
	char args[ARGS_MAX] FIELD("arguments from the program name on, cut after 1023 bytes");
};
PROBE(process_exec, "One event per program started by execve(2) or execveat(2).",
      "Processes that were started before; arguments the program rewrites later.");

const volatile __u32 failed KNOB("1 also reports calls that failed") = 0;

FIELD_LATE(file);
FIELD_LATE(args);
FIELD_LATE(args_bytes);
FIELD_LATE(args_cut);

/* An execve(2) that is running, by thread: user pointers, still valid if it fails. */
struct exec_call {
	const char *file;
	const char *const *arguments;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct exec_call);
} calls SEC(".maps");

/* Where events are built: the stack is too small. A program does not run inside itself on
 * one CPU, and of those that report failures only one at a time does. */
enum { SCRATCH_EXEC, SCRATCH_FAILURE, SCRATCH_COUNT };

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SCRATCH_COUNT);
	__type(key, __u32);
	__type(value, struct process_exec_event);
} scratch SEC(".maps");

/* The early part of an event. */
static __always_inline struct process_exec_event *begin(__u32 place, error_number error)
{
	struct process_exec_event *event = bpf_map_lookup_elem(&scratch, &place);
	struct task_struct *task = bpf_get_current_task_btf();

	if (!event)
		return NULL;
	__builtin_memset(event, 0, offsetof(struct process_exec_event, args));
	context_of_current(&event->context);
	event->parent_pid = task->real_parent->tgid;
	event->uid = (__u32)bpf_get_current_uid_gid();
	event->error = error;
	return event;
}

static __always_inline bool wants_arguments(void)
{
	return want_args || want_args_bytes || want_args_cut;
}

static __always_inline int send(struct process_exec_event *event)
{
	__u32 used = event->args_bytes;

	if (used > ARGS_MAX - 1)
		used = ARGS_MAX - 1;
	event_send(&event->context.header, offsetof(struct process_exec_event, args) + 1 + used,
		   stage_late(event));
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task, int old_pid, struct linux_binprm *binprm)
{
	struct process_exec_event *event;
	unsigned long start, length;

	if (!process_wanted(current_pid()))
		return 0;
	event = begin(SCRATCH_EXEC, 0);
	if (!event || !stage_early(event))
		return 0;
	late_of_current(&event->context, 0);
	__builtin_memset(event->args, 0, sizeof(event->args)); /* of an earlier event */
	if (want_file)
		bpf_probe_read_kernel_str(event->file, sizeof(event->file), binprm->filename);
	if (wants_arguments()) {
		start = task->mm->arg_start;
		length = task->mm->arg_end - start;
		if (length > ARGS_MAX - 1) {
			length = ARGS_MAX - 1;
			event->args_cut = true;
		}
		if (!bpf_probe_read_user(event->args, length, (void *)start))
			event->args_bytes = length;
	}
	return send(event);
}

static __always_inline int remember(const char *file, const char *const *arguments)
{
	struct exec_call call = {.file = file, .arguments = arguments};
	__u32 tid = current_tid();

	if (process_wanted(current_pid()) && bpf_map_update_elem(&calls, &tid, &call, BPF_ANY))
		count_lost_map();
	return 0;
}

SEC("?tp/syscalls/sys_enter_execve")
ONLY_WITH(failed) int on_enter_execve(struct trace_event_raw_sys_enter *call)
{
	return remember((void *)call->args[0], (void *)call->args[1]);
}

SEC("?tp/syscalls/sys_enter_execveat")
ONLY_WITH(failed) int on_enter_execveat(struct trace_event_raw_sys_enter *call)
{
	return remember((void *)call->args[1], (void *)call->args[2]);
}

#define FAILED_ARGS 20	   /* of a failed call only this many arguments are read */
#define FAILED_ARG_MAX 128 /* and so much of each */

/* Filling its room, an argument may have been cut, or be just as long. */
static __always_inline bool was_cut(const char *argument, long bytes)
{
	char last = 0;

	if (bytes == FAILED_ARG_MAX)
		bpf_probe_read_user(&last, sizeof(last), argument + FAILED_ARG_MAX - 1);
	return last;
}

static __always_inline void read_arguments(struct process_exec_event *event,
					   const char *const *arguments)
{
	__u32 used = 0;

	for (int i = 0; i <= FAILED_ARGS; i++) {
		const char *argument = NULL;
		long bytes;

		if (bpf_probe_read_user(&argument, sizeof(argument), &arguments[i]) || !argument)
			break;
		if (i == FAILED_ARGS || used > ARGS_MAX - FAILED_ARG_MAX) {
			event->args_cut = true;
			break;
		}
		bytes = bpf_probe_read_user_str(&event->args[used], FAILED_ARG_MAX, argument);
		if (bytes <= 0)
			break;
		if (was_cut(argument, bytes))
			event->args_cut = true;
		used += (__u32)bytes & 255;
	}
	event->args_bytes = used;
}

static __always_inline int report_failure(long result)
{
	__u32 tid = current_tid();
	struct exec_call *found = bpf_map_lookup_elem(&calls, &tid);
	struct process_exec_event *event;
	struct exec_call call;

	if (!found)
		return 0;
	call = *found;
	bpf_map_delete_elem(&calls, &tid);
	if (result >= 0)
		return 0;
	event = begin(SCRATCH_FAILURE, -result);
	if (!event || !stage_early(event))
		return 0;
	late_of_current(&event->context, 0);
	__builtin_memset(event->args, 0, sizeof(event->args)); /* of an earlier event */
	if (want_file)
		bpf_probe_read_user_str(event->file, sizeof(event->file), call.file);
	if (wants_arguments())
		read_arguments(event, call.arguments);
	return send(event);
}

SEC("?tp/syscalls/sys_exit_execve")
ONLY_WITH(failed) int on_exit_execve(struct trace_event_raw_sys_exit *call)
{
	return report_failure(call->ret);
}

SEC("?tp/syscalls/sys_exit_execveat")
ONLY_WITH(failed) int on_exit_execveat(struct trace_event_raw_sys_exit *call)
{
	return report_failure(call->ret);
}
