// SPDX-License-Identifier: Apache-2.0
#include "recovery.h"

#define MINUTE 60
#define PAUSE_NS 100000000ull /* before the first restart; doubles */

enum recovery_step recovery_choose(struct recovery *recovery, const struct recovery_case *failed)
{
	if (failed->next_ready)
		return RECOVERY_SWITCH_OVER;
	if (failed->on_probation)
		return RECOVERY_ROLL_BACK;
	if (failed->next_loading)
		return RECOVERY_WAIT;
	if (failed->once)
		return RECOVERY_GIVE_UP;
	if (!recovery->failures || failed->now - recovery->first_failure > MINUTE) {
		recovery->failures = 0;
		recovery->first_failure = failed->now;
	}
	return ++recovery->failures == RECOVERY_FAILURES ? RECOVERY_QUARANTINE : RECOVERY_RESTART;
}

uint64_t recovery_pause_ns(const struct recovery *recovery)
{
	return PAUSE_NS << (recovery->failures - 1);
}
