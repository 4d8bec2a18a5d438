/* SPDX-License-Identifier: Apache-2.0 */
/* Watchdog: is everybody alive? It looks at a script's versions once a second.
 *
 *   loads for 10 s (a test: a minute)         interrupted, a second later killed
 *   takes 10 s to hand over or to finish      killed
 *   computes and answers no ping: `patience`  interrupted, a second later killed; seconds in which
 *                                             it had a CPU for half of the time or more
 *
 * Interrupted, Lua ends where it is and tells the line, if it is not in compiled code. Whoever is
 * killed has ended soon, which says what is next. */
#ifndef MOONPROBE_WATCHDOG_H
#define MOONPROBE_WATCHDOG_H

#include <stdint.h>

struct kernel_side;
struct version;

struct watchdog {
	uint64_t received; /* by workers, at the last look */
	int idle;	   /* looks without a ping */
	int loading;	   /* seconds the candidate has taken */
	int waited;	   /* seconds without progress, to hand over or to finish */
};

void watchdog_candidate(struct watchdog *watchdog, struct version *candidate);

/* `overdue` is why it is killed when it makes no progress for 10 s, a literal; NULL: it runs, and
 * is pinged. One that has nothing to do is woken seldom: a hundred of them cost no CPU. */
void watchdog_active(struct watchdog *watchdog, struct version *active,
		     const struct kernel_side *kernel, const char *overdue);

#endif
