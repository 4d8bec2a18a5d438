// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* fexit: returns of a kernel function, by a trampoline and nothing else; kretprobe takes it by
 * itself where it can. */
#include "return.bpf.h"

GENERIC_PROBE(
	return, kernel_return, "One event per return of a kernel function, by a trampoline.",
	      "Calls that the compiler inlined; functions without types in the kernel's BTF; calls "
	      "that began before the probe was attached; of a function that calls itself, the "
	      "outer "
	      "call.");
ROOM(return_event);

#include "trampoline_return.bpf.h"
