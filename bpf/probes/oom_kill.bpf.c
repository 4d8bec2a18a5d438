// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* oom_kill: processes killed because memory ran out, in the machine or in a cgroup.
 *
 * The context is the process that asked for memory and got none, the victim is whom the kernel
 * chose; often they are the same. Sizes are those at the moment of the choice. */
#include "moonprobe.bpf.h"

struct oom_kill_event {
	struct event_context context;
	__u64 total_vm_bytes FIELD("address space of the victim");
	__u64 anon_rss_bytes FIELD("its anonymous memory (heap, stacks) in RAM");
	__u64 file_rss_bytes FIELD("its file-backed memory in RAM");
	__u64 shmem_rss_bytes FIELD("its shared memory in RAM");
	__u64 page_table_bytes FIELD("its page tables");
	__u32 victim_pid FIELD("thread id the kernel names: the process id, unless the main thread "
			       "has ended");
	__u32 victim_uid FIELD("its real user id");
	__s32 oom_score_adj FIELD("its /proc/PID/oom_score_adj, -1000 to 1000");
	bool has_details FIELD("1: the kernel tells more than victim_pid; 0: the rest is empty");
	char victim_comm[16] FIELD("its name");
};
PROBE(oom_kill, "One event per process chosen by the kernel's out-of-memory killer.",
      "Killers in user space (systemd-oomd, earlyoom); processes killed only because they "
      "share the victim's memory; the reason. Kernels before 6.9 without the stable update "
      "give only victim_pid.");

FIELD_LATE(victim_comm);

#define KIB 1024

/* The victim's details where the tracepoint has them, see trace_event_raw_mark_victim. */
static __always_inline void read_details(struct oom_kill_event *event,
					 struct trace_event_raw_mark_victim *mark)
{
	event->has_details = true;
	event->total_vm_bytes = mark->total_vm * KIB;
	event->anon_rss_bytes = mark->anon_rss * KIB;
	event->file_rss_bytes = mark->file_rss * KIB;
	event->shmem_rss_bytes = mark->shmem_rss * KIB;
	event->page_table_bytes = mark->pgtables * KIB;
	event->victim_uid = mark->uid;
	event->oom_score_adj = mark->oom_score_adj;
}

SEC("tp/oom/mark_victim")
int on_victim(struct trace_event_raw_mark_victim *mark)
{
	bool has_details = bpf_core_field_exists(mark->total_vm);
	struct oom_kill_event event = {};

	event.victim_pid = mark->pid;
	if (!process_wanted(current_pid()) && !process_wanted(event.victim_pid))
		return 0;
	context_of_current(&event.context);
	if (has_details)
		read_details(&event, mark);
	if (!stage_early(&event))
		return 0;
	late_of_current(&event.context, 0);
	if (has_details && want_victim_comm) /* low half: where it is from the record's start */
		bpf_probe_read_kernel_str(event.victim_comm, sizeof(event.victim_comm),
					  (void *)mark + (mark->__data_loc_comm & 0xffff));
	event_send(&event.context.header, sizeof(event), stage_late(&event));
	return 0;
}
