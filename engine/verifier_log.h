/* SPDX-License-Identifier: Apache-2.0 */
/* Verifier log: where the kernel stopped reading a program, and why.
 *
 *   ...
 *   12: (79) r1 = *(u64 *)(r0 +0)          <- the instruction
 *   R0 invalid mem access 'map_value_or_null'     <- the reason
 *   processed 13 insns ... */
#ifndef MOONPROBE_VERIFIER_LOG_H
#define MOONPROBE_VERIFIER_LOG_H

#include <stddef.h>

/* The number of the last instruction in the log, or -1, and what is said about it, in one line
 * of less than `size` (not 0); "" when nothing is. */
int verifier_log_end(const char *log, char *reason, size_t size);

#endif
