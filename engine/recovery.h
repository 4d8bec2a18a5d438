/* SPDX-License-Identifier: Apache-2.0 */
/* Recovery: what to do when the version that reads the ring has failed.
 *
 *   the next one waits for its turn  -> SWITCH_OVER  it starts without state
 *   it was on probation              -> ROLL_BACK    the one before resumes
 *   the next one is loading          -> WAIT         it starts without state when it is ready
 *   what it missed cannot come again -> GIVE_UP
 *   failed 5 times in a minute       -> QUARANTINE   it is not started again
 *   else                             -> RESTART      after a pause that doubles
 *
 * The first line that holds decides. */
#ifndef MOONPROBE_RECOVERY_H
#define MOONPROBE_RECOVERY_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define RECOVERY_FAILURES 5 /* in a minute, then quarantine */

struct recovery {
	int failures; /* in a row of which the first was then: */
	time_t first_failure;
};

struct recovery_case {
	bool next_ready, next_loading;
	bool on_probation;
	bool once; /* a recording has one beginning, and goes by once */
	time_t now;
};

enum recovery_step {
	RECOVERY_SWITCH_OVER,
	RECOVERY_ROLL_BACK,
	RECOVERY_WAIT,
	RECOVERY_GIVE_UP,
	RECOVERY_QUARANTINE,
	RECOVERY_RESTART,
};

/* Counts the failure, when nobody takes over. */
enum recovery_step recovery_choose(struct recovery *recovery, const struct recovery_case *failed);

/* Before the restart that was chosen. */
uint64_t recovery_pause_ns(const struct recovery *recovery);

#endif
