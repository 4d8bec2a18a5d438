/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What kernel side and host know of stacks, see stack.bpf.h. */
#ifndef MOONPROBE_STACK_H
#define MOONPROBE_STACK_H

#define STACK_FRAMES 127    /* the most the kernel takes: kernel.perf_event_max_stack */
#define STACK_PID_SHIFT 24  /* with 22 bits of pid (PID_MAX_LIMIT) Lua's numbers are exact */
#define STACK_END 0x1000000 /* minus an errno: why there is none */
#define STACK_LOST 0xfff001 /* the first of these */
#define STACK_OWNERS 1024   /* processes whose first stack is told to the host */

#endif
