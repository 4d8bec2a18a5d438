// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* page_fault: memory accesses that the kernel had to make possible, or to refuse.
 *
 * The event comes before the fault is handled: it says what was accessed and from where, not
 * how it ended. `kernel = 1` adds faults raised inside the kernel, such as a system call's
 * copy to a page that is not there yet. */
#include "moonprobe.bpf.h"

enum fault_access { ACCESS_READ, ACCESS_WRITE, ACCESS_EXECUTE };

struct page_fault_event {
	struct event_context context;
	__u64 address FIELD("address accessed");
	__u64 ip FIELD("address of the instruction");
	__u64 error_code FIELD("as the CPU gave it");
	enum fault_access access FIELD("what was tried");
	bool present FIELD("1: the page was there but forbids the access, as after fork(2)");
	bool in_kernel FIELD("1: raised by the kernel (with kernel = 1)");
};
PROBE(page_fault, "One event per page fault.",
      "Whether it was minor, major or fatal, and how long it took; pages the kernel maps in "
      "advance; faults of the kernel unless kernel = 1. x86 only on kernels before 6.16.");

const volatile __u32 kernel KNOB("1 also reports faults raised by the kernel") = 0;

#if defined(__TARGET_ARCH_x86)
/* X86_PF_* in arch/x86/include/asm/trap_pf.h */
#define FAULT_PRESENT 0x01
#define FAULT_WRITE 0x02
#define FAULT_EXECUTE 0x10

static __always_inline bool is_present(__u64 error_code)
{
	return error_code & FAULT_PRESENT;
}

static __always_inline enum fault_access access_of(__u64 error_code)
{
	if (error_code & FAULT_EXECUTE)
		return ACCESS_EXECUTE;
	return error_code & FAULT_WRITE ? ACCESS_WRITE : ACCESS_READ;
}

static __always_inline __u64 instruction_of(struct pt_regs___kernel *registers)
{
	return registers->ip;
}
#elif defined(__TARGET_ARCH_arm64)
/* No tracepoint in the kernels known: the programs are left out. */
static __always_inline bool is_present(__u64 error_code)
{
	return false;
}

static __always_inline enum fault_access access_of(__u64 error_code)
{
	return ACCESS_READ;
}

static __always_inline __u64 instruction_of(struct pt_regs___kernel *registers)
{
	return registers->pc;
}
#else
#error "page_fault: what does the error code of this architecture mean?"
#endif

static __always_inline int report(__u64 address, struct pt_regs___kernel *registers,
				  __u64 error_code, bool in_kernel)
{
	struct page_fault_event event = {};

	if (!process_wanted(current_pid()))
		return 0;
	context_of_current(&event.context);
	event.address = address;
	event.ip = instruction_of(registers);
	event.error_code = error_code;
	event.access = access_of(error_code);
	event.present = is_present(error_code);
	event.in_kernel = in_kernel;
	if (!stage_early(&event))
		return 0;
	late_of_current(&event.context, 0);
	event_send(&event.context.header, sizeof(event), stage_late(&event));
	return 0;
}

SEC("?tp_btf/page_fault_user")
int BPF_PROG(on_user_fault, unsigned long address, struct pt_regs___kernel *registers,
	     unsigned long error_code)
{
	return report(address, registers, error_code, false);
}

SEC("?tp_btf/page_fault_kernel")
ONLY_WITH(kernel)
int BPF_PROG(on_kernel_fault, unsigned long address, struct pt_regs___kernel *registers,
	     unsigned long error_code)
{
	return report(address, registers, error_code, true);
}
