// SPDX-License-Identifier: Apache-2.0
#include "ending.h"

#include "script_state.h"
#include "takeover.h"

#include <stdio.h>
#include <time.h>

static void roll_back(struct script *script, const char *how)
{
	error_about(script->options.name, "the new version failed: %s; back to the one before",
		    how);
	script->history.rollbacks++;
	succession_roll_back(&script->versions);
	timer_set(&script->probation, 0);
	takeover_resume(script, script->versions.active);
	if (script->state == SCRIPT_RUNNING)
		succession_release(&script->versions);
}

static void recover(struct script *script, const char *how)
{
	const struct script_options *options = &script->options;

	switch (recovery_choose(&script->recovery,
				&(struct recovery_case){
					.next_ready = script->state == SCRIPT_YIELDING &&
						      script->versions.candidate,
					.next_loading = script->versions.candidate,
					.on_probation = script->versions.previous,
					.once = options->record || options->replay,
					.now = time(NULL),
				})) {
	case RECOVERY_SWITCH_OVER:
		error_about(script->options.name, "%s while it handed over; its state is lost",
			    how);
		script->state = SCRIPT_LOADING;
		takeover_without_state(script);
		break;
	case RECOVERY_ROLL_BACK:
		roll_back(script, how);
		break;
	case RECOVERY_WAIT:
		error_about(script->options.name,
			    "%s; its state is lost, the next version is loading", how);
		script->state = SCRIPT_LOADING;
		break;
	case RECOVERY_GIVE_UP:
		error_about(script->options.name, "%s", how);
		script_end(script, 1);
		break;
	case RECOVERY_QUARANTINE:
		error_about(
			script->options.name,
			"%s; failed %d times within a minute: quarantined, it is not started again",
			how, RECOVERY_FAILURES);
		script_end(script, 1);
		break;
	case RECOVERY_RESTART:
		error_about(script->options.name, "%s; its state is lost, it is started again",
			    how);
		script->state = SCRIPT_PAUSING;
		timer_set(&script->pulse, 0);
		timer_set(&script->restart, recovery_pause_ns(&script->recovery));
		break;
	}
}

void ending_of_candidate(struct script *script, int code, const char *how)
{
	char exited[64];

	succession_drop(&script->versions, &script->versions.candidate);
	if (!how && code > 2) {
		snprintf(exited, sizeof(exited), "its worker exited by itself, status %d", code);
		how = exited;
	}
	if (script->state == SCRIPT_FINISHING) {
		/* Asked to end before it ran, the first time or again. */
		script_end(script, script->recovery.failures ? 1 : 0);
		return;
	}
	if (script->state == SCRIPT_LOADING) {
		struct error error;

		if (how)
			error_about(script->options.name, "%s%s",
				    script->options.test ? "" : "not started: ", how);
		if (!script->stale)
			script_end(script, how || script->history.restarts ? 1 : code);
		else if (script->stale = false, script_start_candidate(script, -1, &error))
			script_end(script, 2);
		return;
	}
	if (how)
		error_about(script->options.name,
			    "the new version was not started: %s; the running version stays", how);
	else if (code)
		error_about(script->options.name,
			    "the new version was not started; the running version stays");
	succession_release(&script->versions);
	script_serve_stale(script); /* yielding: when the active one has answered */
}

void ending_of_active(struct script *script, int code, const char *how)
{
	char exited[64];

	succession_drop(&script->versions, &script->versions.active);
	if (!how && (script->state != SCRIPT_FINISHING || code > 2)) {
		snprintf(exited, sizeof(exited), "its worker exited by itself, status %d", code);
		how = exited;
	}
	if (script->state == SCRIPT_FINISHING) {
		if (how)
			error_about(script->options.name, "%s while it was to finish", how);
		script_end(script, how ? 1 : code);
	} else {
		recover(script, how);
	}
}
