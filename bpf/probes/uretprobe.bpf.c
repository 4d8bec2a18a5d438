// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* uretprobe: returns of functions of a user program or library, with what they were called with
 * and how long they took. What is read by type is read at the return. */
#include "return.bpf.h"

GENERIC_PROBE(
	return, user_return, "One event per return of a function of a program or library.",
	      "Calls that the compiler inlined; calls that began before the probe was attached; "
	      "functions left by longjmp(3) or an exception. Programs that look at their own "
	      "return addresses (Go) can crash.");
PREEMPTIBLE_ROOM(return_event);

/* Where the stack is when the call has returned. (& ~7: 32-bit programs push four bytes, and keep
 * it aligned to sixteen at a call.) */
#if defined(__TARGET_ARCH_x86)
#define RETURN_ADDRESS_BYTES 8 /* the call has pushed it, the return takes it off */
#else
#define RETURN_ADDRESS_BYTES 0
#endif

static __always_inline __u64 frame_of_return(struct pt_regs *ctx)
{
	return PT_REGS_SP(ctx) & ~7ull;
}

static __always_inline __u64 frame_of_call(struct pt_regs *ctx)
{
	return frame_of_return(ctx) + RETURN_ADDRESS_BYTES;
}

SEC("?uprobe.multi")
CHOICE(1) ONLY_WITH(entry) int on_multi_entry(struct pt_regs *ctx)
{
	__u64 slots[SLOTS] = {};

	slots_of_registers(slots, ctx);
	return begin_call(place_of(ctx, entry || want_place), frame_of_call(ctx), slots);
}

SEC("?uretprobe.multi")
CHOICE(1) int on_multi_return(struct pt_regs *ctx)
{
	__u64 slots[SLOTS] = {};

	slots[SLOT_RESULT] = PT_REGS_RC(ctx);
	return report_return(ctx, place_of(ctx, entry || want_place), frame_of_return(ctx), slots,
			     false);
}

SEC("?uprobe")
CHOICE(2) ONLY_WITH(entry) int on_breakpoint_entry(struct pt_regs *ctx)
{
	__u64 slots[SLOTS] = {};

	slots_of_registers(slots, ctx);
	return begin_call(place_of(ctx, entry || want_place), frame_of_call(ctx), slots);
}

SEC("?uretprobe")
CHOICE(2) int on_breakpoint_return(struct pt_regs *ctx)
{
	__u64 slots[SLOTS] = {};

	slots[SLOT_RESULT] = PT_REGS_RC(ctx);
	return report_return(ctx, place_of(ctx, entry || want_place), frame_of_return(ctx), slots,
			     false);
}
