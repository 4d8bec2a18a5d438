// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* mount_call: file systems being mounted and unmounted, in one call or in several.
 *
 * mount(2) does all at once. Newer programs, mount(8) since util-linux 2.39 among them, open a file
 * system, set its parameters one by one, make a mount of it and put that where it belongs:
 *
 *   fsopen --> fsconfig .. --> fsmount --> move_mount */
#include "call.bpf.h"

enum mount_operation {
	CALL_MOUNT,
	CALL_UMOUNT,
	CALL_FSOPEN,
	CALL_FSPICK,
	CALL_FSCONFIG,
	CALL_FSMOUNT,
	CALL_MOVE_MOUNT,
	CALL_OPEN_TREE,
	CALL_MOUNT_SETATTR,
};

struct mount_call_event {
	struct event_context context;
	__u64 latency_ns FIELD("duration of the call");
	syscall_result result FIELD("0 or a descriptor, or why it failed");
	__u64 flags FIELD("of the call; mount(2): MS_*, umount2(2): MNT_* and UMOUNT_*");
	__u64 attributes FIELD("fsmount(2): MOUNT_ATTR_*");
	enum mount_operation call FIELD("which call");
	__s32 fd FIELD("descriptor it works on, or that a relative source starts at");
	__s32 target_fd FIELD("descriptor that a relative target starts at");
	__u32 command FIELD("fsconfig(2): FSCONFIG_*");
	__s32 auxiliary FIELD("fsconfig(2): its last argument");
	__u32 mount_namespace FIELD("inode number of the process's mount namespace");
	__u32 uid FIELD("real user id");
	char type[32] FIELD("type of the file system");
	char key[32] FIELD("fsconfig(2): name of the parameter");
	char source[128] FIELD("device, or what is moved, cut after 127 bytes");
	char target[128] FIELD("where it is mounted, cut after 127 bytes");
	char data[256] FIELD("mount(2): options of the file system; fsconfig(2): value of the "
			     "parameter; cut after 255 bytes");
};
PROBE(mount_call, "One event per call that mounts, moves or unmounts.",
      "What the kernel mounts by itself (automounts); options that are no text; what is set by "
      "mount_setattr(2); calls of 32-bit programs.");

FIELD_LATE(type);
FIELD_LATE(key);
FIELD_LATE(source);
FIELD_LATE(target);
FIELD_LATE(data);

/* Where events are built: they are larger than the stack. A perf tracepoint runs with preemption
 * off and never inside another one. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct mount_call_event);
} scratch SEC(".maps");

#define SET_STRING 1 /* FSCONFIG_SET_STRING: the commands whose value is text */
#define SET_PATH 3
#define SET_PATH_EMPTY 4

/* Where the text of a call is in its process. */
struct texts {
	__u64 type, key, source, target, data;
};

static __always_inline void fill_fsconfig(struct mount_call_event *event, struct texts *texts,
					  const __u64 *args)
{
	event->fd = args[0];
	event->command = args[1];
	event->auxiliary = args[4];
	texts->key = args[2];
	if (event->command == SET_STRING || event->command == SET_PATH ||
	    event->command == SET_PATH_EMPTY)
		texts->data = args[3];
}

static __always_inline void fill_call(struct mount_call_event *event, struct texts *texts,
				      const struct running_call *call)
{
	const __u64 *args = call->args;

	event->call = call->which;
	switch (call->which) {
	case CALL_MOUNT:
		texts->source = args[0];
		texts->target = args[1];
		texts->type = args[2];
		event->flags = args[3];
		texts->data = args[4];
		break;
	case CALL_UMOUNT:
		texts->target = args[0];
		event->flags = (__u32)args[1];
		break;
	case CALL_FSOPEN:
		texts->type = args[0];
		event->flags = (__u32)args[1];
		break;
	case CALL_FSCONFIG:
		fill_fsconfig(event, texts, args);
		break;
	case CALL_FSMOUNT:
		event->fd = args[0];
		event->flags = (__u32)args[1];
		event->attributes = (__u32)args[2];
		break;
	case CALL_MOVE_MOUNT:
		event->fd = args[0];
		texts->source = args[1];
		event->target_fd = args[2];
		texts->target = args[3];
		event->flags = (__u32)args[4];
		break;
	default: /* fspick, open_tree, mount_setattr */
		event->fd = args[0];
		texts->source = args[1];
		event->flags = (__u32)args[2];
	}
}

#define READ_TEXT(name)                                                                            \
	if (want_##name && texts.name)                                                             \
	bpf_probe_read_user_str(event->name, sizeof(event->name), (const void *)texts.name)

static __always_inline int report(struct running_call *call, long result, __u64 start_ns)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 now = bpf_ktime_get_ns();
	struct mount_call_event *event;
	struct texts texts = {};
	__u32 first = 0;

	event = bpf_map_lookup_elem(&scratch, &first);
	if (!event)
		return 0;
	__builtin_memset(event, 0, sizeof(*event));
	context_of_current(&event->context);
	event->latency_ns = now - start_ns;
	event->result = result;
	fill_call(event, &texts, call);
	event->mount_namespace = BPF_CORE_READ(task, nsproxy, mnt_ns, ns.inum);
	event->uid = (__u32)bpf_get_current_uid_gid();
	if (!stage_early(event))
		return 0;
	late_of_current(&event->context, now);
	READ_TEXT(type);
	READ_TEXT(key);
	READ_TEXT(source);
	READ_TEXT(target);
	READ_TEXT(data);
	event_send(&event->context.header, sizeof(*event), stage_late(event));
	return 0;
}

/* clang-format off */
CALL("", mount, CALL_MOUNT, 5)
CALL("", umount, CALL_UMOUNT, 2)
CALL("?", fsopen, CALL_FSOPEN, 2)
CALL("?", fspick, CALL_FSPICK, 3)
CALL("?", fsconfig, CALL_FSCONFIG, 5)
CALL("?", fsmount, CALL_FSMOUNT, 3)
CALL("?", move_mount, CALL_MOVE_MOUNT, 5)
CALL("?", open_tree, CALL_OPEN_TREE, 3)
CALL("?", mount_setattr, CALL_MOUNT_SETATTR, 3)
