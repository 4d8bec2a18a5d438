// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* syscall_enter: every system call, when it starts.
 *
 * One hook and nothing to remember: half of what the probe syscall costs, for those who need
 * neither result nor duration. It also sees the calls that never return. */
#include "moonprobe.bpf.h"
#include <stddef.h>

struct syscall_enter_event {
	struct event_context context;
	syscall_number number FIELD("which call");
	__u64 args[6] FIELD("arguments as in the registers, also those the call has not");
};
PROBE(syscall_enter, "One event per system call, when it starts.",
      "How it ends; calls seccomp refuses; the child's return from fork and clone. Calls of "
      "32-bit programs appear with the numbers of the 32-bit table.");

const volatile __s32 only_number KNOB("report only this call, -1: all") = -1;

FIELD_LATE(args);

static __always_inline int report(struct pt_regs___kernel *registers, __u32 number)
{
	struct syscall_enter_event event = {.number = number};
	struct task_struct *task;

	if (early_first && !stage_early(&event))
		return 0;
	task = bpf_get_current_task_btf();
	if (!process_wanted(task->tgid))
		return 0;
	context_of_task(&event.context, task);
	if (!early_first && !stage_early(&event))
		return 0;
	late_of_task(&event.context, task, 0);
	if (want_args)
		syscall_arguments(event.args, registers);
	/* Arguments nobody reads do not take room in the ring. */
	event_send(&event.context.header,
		   want_args ? sizeof(event) : offsetof(struct syscall_enter_event, args),
		   stage_late(&event));
	return 0;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(on_enter, struct pt_regs___kernel *registers, long number)
{
	if (only_number >= 0 && number != only_number)
		return 0;
	return report(registers, number);
}
