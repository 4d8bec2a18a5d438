// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* file_io: read(2), write(2) and their variants, on regular files.
 *
 * What the descriptor names is looked up when the call starts, so calls on sockets, pipes
 * and terminals cost little and are forgotten at once; `all_kinds = 1` reports these, too.
 * Details of the file are read when the call is over, if the descriptor still names it. */
#include "moonprobe.bpf.h"
#include <stddef.h>

enum io_operation { IO_READ, IO_WRITE };

/* The type bits of i_mode, shifted down. */
enum file_kind {
	KIND_OTHER = 0, /* epoll, timerfd and the like */
	KIND_FIFO = 1,
	KIND_CHARACTER = 2,
	KIND_DIRECTORY = 4,
	KIND_BLOCK = 6,
	KIND_REGULAR = 8,
	KIND_SOCKET = 12,
};

struct file_io_event {
	struct event_context context;
	__u64 latency_ns FIELD("duration of the call");
	syscall_result result FIELD("what the call returned");
	__u64 bytes FIELD("bytes moved, 0 when the call failed");
	__u64 requested_bytes FIELD("bytes asked for; 0 for readv, writev and their variants");
	__u64 offset FIELD("where in the file it started; 0 if it has no position");
	__u64 inode FIELD("inode number; 0 if the descriptor was closed during the call");
	device_number device FIELD("device of the file system");
	__s32 fd FIELD("file descriptor");
	enum io_operation operation FIELD("read or write");
	enum file_kind kind FIELD("what was read or written (other than regular with "
				  "all_kinds = 1)");
	char name[64] FIELD("last part of the path, cut after 63 bytes");
};
PROBE(file_io, "One event per read or write of a regular file by a system call.",
      "Memory-mapped files, sendfile, splice, copy_file_range, io_uring and aio; calls of "
      "32-bit programs; calls on bad descriptors; whether the page cache had the data.");

const volatile __u64 min_ns KNOB("report only calls that take at least this long, in ns") = 0;
const volatile __u32 all_kinds KNOB("1 also reports sockets, pipes, terminals and so on") = 0;

FIELD_LATE(offset);
FIELD_LATE(inode);
FIELD_LATE(device);
FIELD_LATE(name);

#define AT_POSITION (~0UL) /* at the descriptor's position; preadv2(2) uses -1 for it, too */

/* A call that is running, kept with its thread. start_ns is 0 when there is none. */
struct io_call {
	__u64 start_ns;
	struct file *file; /* to be compared; it may be gone when the call is over */
	__u64 requested_bytes;
	__u64 offset;
	__s32 fd;
	__u8 operation;
	__u8 kind;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct io_call);
} calls SEC(".maps");

static __always_inline struct file *file_of(struct task_struct *task, __u32 fd)
{
	struct fdtable *table = task->files->fdt;
	struct file *file = NULL;

	if (fd < table->max_fds)
		bpf_probe_read_kernel(&file, sizeof(file), table->fd + fd);
	return file;
}

static __always_inline int begin(enum io_operation operation, __u32 fd, __u64 bytes, __u64 offset)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct io_call *call;
	struct file *file;
	__u32 kind;

	if (!process_wanted(current_pid()))
		return 0;
	file = file_of(task, fd);
	if (!file)
		return 0;
	kind = BPF_CORE_READ(file, f_inode, i_mode) >> 12;
	if (kind != KIND_REGULAR && !all_kinds)
		return 0;
	call = bpf_task_storage_get(&calls, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!call) {
		count_lost_map();
		return 0;
	}
	call->file = file;
	call->requested_bytes = bytes;
	call->offset = offset;
	call->fd = fd;
	call->operation = operation;
	call->kind = kind;
	call->start_ns = bpf_ktime_get_ns();
	return 0;
}

/* Where the call started. Its end is known best: O_APPEND moves the position first, and
 * another thread may move it while this one waits for its turn. */
static __always_inline __u64 start_of(struct io_call *call, struct file *file, __u64 moved)
{
	if (call->offset != AT_POSITION)
		return call->offset;
	if (call->kind != KIND_REGULAR && call->kind != KIND_BLOCK)
		return 0;
	return BPF_CORE_READ(file, f_pos) - moved;
}

static __always_inline int report(struct io_call *call, struct task_struct *task, long result,
				  __u64 now, __u64 latency_ns)
{
	__u64 bytes = offsetof(struct file_io_event, name) + 1;
	struct file_io_event event = {};
	struct file *file = NULL;
	long length;

	context_of_current(&event.context);
	event.latency_ns = latency_ns;
	event.result = result;
	event.bytes = result > 0 ? result : 0;
	event.requested_bytes = call->requested_bytes;
	event.fd = call->fd;
	event.operation = call->operation;
	event.kind = call->kind;
	if (!stage_early(&event))
		return 0;
	late_of_current(&event.context, now);
	if (want_offset || want_inode || want_device || want_name)
		file = file_of(task, call->fd);
	if (file && file == call->file) {
		if (want_offset)
			event.offset = start_of(call, file, result > 0 ? result : 0);
		if (want_inode)
			event.inode = BPF_CORE_READ(file, f_inode, i_ino);
		if (want_device)
			event.device = BPF_CORE_READ(file, f_inode, i_sb, s_dev);
		if (want_name) {
			length = bpf_probe_read_kernel_str(
				event.name, sizeof(event.name),
				BPF_CORE_READ(file, f_path.dentry, d_name.name));
			if (length > 0) /* the mask changes nothing, but the verifier needs it */
				bytes += (length - 1) & (sizeof(event.name) - 1);
		}
	}
	event_send(&event.context.header, bytes, stage_late(&event));
	return 0;
}

static __always_inline int end(long result)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct io_call *call = bpf_task_storage_get(&calls, task, NULL, 0);
	__u64 now, latency_ns;

	if (!call || !call->start_ns)
		return 0;
	now = bpf_ktime_get_ns();
	latency_ns = now - call->start_ns;
	call->start_ns = 0;
	if (latency_ns < min_ns)
		return 0;
	return report(call, task, result, now, latency_ns);
}

/* The two programs of one call. `call` is what the kernel gives them, for `bytes` and
 * `offset`; the descriptor always comes first. */
#define IO_CALL(optional, name, operation, bytes, offset)                                          \
	SEC(optional "tp/syscalls/sys_enter_" #name)                                               \
	int on_enter_##name(struct trace_event_raw_sys_enter *call)                                \
	{                                                                                          \
		return begin(operation, call->args[0], bytes, offset);                             \
	}                                                                                          \
	SEC(optional "tp/syscalls/sys_exit_" #name)                                                \
	int on_exit_##name(struct trace_event_raw_sys_exit *call)                                  \
	{                                                                                          \
		return end(call->ret);                                                             \
	}

/* clang-format off */
IO_CALL("", read, IO_READ, call->args[2], AT_POSITION)
IO_CALL("", write, IO_WRITE, call->args[2], AT_POSITION)
IO_CALL("?", pread64, IO_READ, call->args[2], call->args[3])
IO_CALL("?", pwrite64, IO_WRITE, call->args[2], call->args[3])
IO_CALL("?", readv, IO_READ, 0, AT_POSITION)
IO_CALL("?", writev, IO_WRITE, 0, AT_POSITION)
IO_CALL("?", preadv, IO_READ, 0, call->args[3])
IO_CALL("?", pwritev, IO_WRITE, 0, call->args[3])
IO_CALL("?", preadv2, IO_READ, 0, call->args[3])
IO_CALL("?", pwritev2, IO_WRITE, 0, call->args[3])
