// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* file_sync: calls that wait until data is on the disk.
 *
 * The file's name is read when the call is over, if the descriptor still names something. */
#include "call.bpf.h"

enum sync_call {
	CALL_SYNC,
	CALL_FSYNC,
	CALL_FDATASYNC,
	CALL_SYNCFS,
	CALL_SYNC_FILE_RANGE,
	CALL_MSYNC,
};

struct file_sync_event {
	struct event_context context;
	__u64 latency_ns FIELD("duration of the call");
	syscall_result result FIELD("0, or why it failed");
	__u64 offset FIELD("sync_file_range(2): from where on; msync(2): from which address on");
	__u64 bytes FIELD("sync_file_range(2) and msync(2): how much");
	enum sync_call call FIELD("which call");
	__s32 fd FIELD("file descriptor, -1: sync(2) and msync(2) have none");
	__u32 flags FIELD("of sync_file_range(2) and msync(2)");
	__u32 uid FIELD("real user id");
	char name[64] FIELD("last part of the file's path, cut after 63 bytes");
};
PROBE(file_sync, "One event per sync(2), fsync(2), msync(2) or another call of their kind.",
      "O_SYNC and O_DSYNC, RWF_SYNC; io_uring and aio; syncs inside the kernel; calls of 32-bit "
      "programs; which file was mapped for msync(2).");

const volatile __u64 min_ns KNOB("report only calls that take at least this long, in ns") = 0;

FIELD_LATE(name);

static __always_inline void name_of(char *to, __u32 bytes, __u32 fd)
{
	struct fdtable *table = bpf_get_current_task_btf()->files->fdt;
	struct file *file = NULL;

	if (fd < table->max_fds)
		bpf_probe_read_kernel(&file, sizeof(file), table->fd + fd);
	if (file)
		bpf_probe_read_kernel_str(to, bytes,
					  BPF_CORE_READ(file, f_path.dentry, d_name.name));
}

static __always_inline void fill_call(struct file_sync_event *event,
				      const struct running_call *call)
{
	event->call = call->which;
	event->fd = -1;
	if (call->which == CALL_MSYNC) {
		event->offset = call->args[0];
		event->bytes = call->args[1];
		event->flags = call->args[2];
	} else if (call->which != CALL_SYNC) {
		event->fd = call->args[0];
		if (call->which == CALL_SYNC_FILE_RANGE) {
			event->offset = call->args[1];
			event->bytes = call->args[2];
			event->flags = call->args[3];
		}
	}
}

static __always_inline int report(struct running_call *call, long result, __u64 start_ns)
{
	struct file_sync_event event = {};
	__u64 now = bpf_ktime_get_ns();

	if (now - start_ns < min_ns)
		return 0;
	context_of_current(&event.context);
	event.latency_ns = now - start_ns;
	event.result = result;
	fill_call(&event, call);
	event.uid = (__u32)bpf_get_current_uid_gid();
	if (!stage_early(&event))
		return 0;
	late_of_current(&event.context, now);
	if (want_name && event.fd >= 0)
		name_of(event.name, sizeof(event.name), event.fd);
	event_send(&event.context.header, sizeof(event), stage_late(&event));
	return 0;
}

/* clang-format off */
CALL("", sync, CALL_SYNC, 0)
CALL("", fsync, CALL_FSYNC, 1)
CALL("", fdatasync, CALL_FDATASYNC, 1)
CALL("", syncfs, CALL_SYNCFS, 1)
CALL("?", sync_file_range, CALL_SYNC_FILE_RANGE, 4)
CALL("?", msync, CALL_MSYNC, 3)
