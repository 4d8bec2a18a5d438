/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Slots: the raw arguments of a function, from where the hook has them. */
#ifndef MOONPROBE_SLOTS_BPF_H
#define MOONPROBE_SLOTS_BPF_H

#include <linux/ptrace.h>
#include "target.bpf.h"

/* From the registers, as a breakpoint finds them. */
static __always_inline void slots_of_registers(__u64 *slots, struct pt_regs *registers)
{
	slots[0] = PT_REGS_PARM1(registers);
	slots[1] = PT_REGS_PARM2(registers);
	slots[2] = PT_REGS_PARM3(registers);
	slots[3] = PT_REGS_PARM4(registers);
	slots[4] = PT_REGS_PARM5(registers);
#if defined(__TARGET_ARCH_x86)
	slots[5] = registers->r9;
#elif defined(__TARGET_ARCH_arm64)
	slots[5] = ((struct user_pt_regs *)registers)->regs[5];
#endif
}

/* From what a trampoline gives: so many and no more may be read. */
static __always_inline void slots_of_trampoline(__u64 *slots, const unsigned long long *ctx)
{
	if (arguments > 0)
		slots[0] = ctx[0];
	if (arguments > 1)
		slots[1] = ctx[1];
	if (arguments > 2)
		slots[2] = ctx[2];
	if (arguments > 3)
		slots[3] = ctx[3];
	if (arguments > 4)
		slots[4] = ctx[4];
	if (arguments > 5)
		slots[5] = ctx[5];
}

/* What the function returned (fexit). */
static __always_inline __u64 result_of_trampoline(void *ctx)
{
	__u64 result = 0;

	bpf_get_func_ret(ctx, &result);
	return result;
}

/* Into arg0 to arg5 of an event. */
static __always_inline void copy_arguments(__u64 *arg0, const __u64 *slots)
{
	__builtin_memcpy(arg0, slots, SLOT_RESULT * sizeof(*slots));
}

#endif
