// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* fexit: returns of a kernel function, by a trampoline and nothing else; kretprobe takes it by
 * itself where it can. */
#include "return.bpf.h"

GENERIC_PROBE(
	return, kernel_return, "One event per return of a kernel function, by a trampoline.",
	      "Calls that the compiler inlined; functions that neither the kernel's BTF nor their "
	      "module's has types of; calls that began before the probe was attached; the outer "
	      "call of a function that calls itself.");
ROOM(return_event);

#include "trampoline_return.bpf.h"
