/* SPDX-License-Identifier: Apache-2.0 */
/* USDT code: the BPF instructions that fetch the arguments of a program's own probe (usdt.h).
 *
 * A function as those of splice.h: r1 = the context, a struct pt_regs; r2 = __u64 slots[], zero,
 * of which as many are filled as arguments are asked for. It ends with r0 = 0. Sites of one probe
 * keep their arguments in different places; the program is told which site it is by the cookie of
 * its link, the number of the place. */
#ifndef MOONPROBE_USDT_CODE_H
#define MOONPROBE_USDT_CODE_H

#include "usdt.h"

#include <linux/bpf.h>

/* The first `arguments` of each site; more of them leave room for fewer kinds of sites. For the
 * caller to free. How many instructions, or -ENOMEM, or -E2BIG: more kinds than a program has room
 * for. */
int usdt_code_make(struct bpf_insn **code, const struct usdt_site *sites, int count, int arguments);

#endif
