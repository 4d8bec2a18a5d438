/* SPDX-License-Identifier: Apache-2.0 */
/* Stage flow: what the registers and the stack of a stage hold, on every path.
 *
 * Completes stage_check(): a worker must not learn kernel addresses or what an earlier call left
 * on the stack, and a privileged program may show it both. So an address is only used as one,
 * and of the stack only what was written is read, also by the helpers that take a key. */
#ifndef MOONPROBE_STAGE_FLOW_H
#define MOONPROBE_STAGE_FLOW_H

#include "stage_check.h"

/* NULL, or why the instruction `at` is refused. The instructions have passed the scan. */
const char *stage_flow_check(const struct bpf_insn *code, uint32_t count,
			     const struct stage_scope *scope, uint32_t *at);

#endif
