// SPDX-License-Identifier: Apache-2.0
#include "takeover.h"

#include "clock.h"
#include "order.h"
#include "script_state.h"
#include "staging.h"
#include "version.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* What a version inherits when there was none before, or it has died. */
static const struct version_handover nothing_left = {.state_fd = -1};

void takeover_resume(struct script *script, struct version *version)
{
	struct error error;

	script->state = SCRIPT_RUNNING;
	if (succession_enter(&script->versions, version, &error)) {
		error_about(script->options.name, "%s", error.text);
		script_end(script, 1);
		return;
	}
	succession_detach_others(&script->versions, version);
	if (order_resume(version, kernel_side_newest_slot(&script->kernel)))
		version_kill(version, "it does not listen");
}

void takeover_refuse(struct script *script, const char *why)
{
	succession_drop(&script->versions, &script->versions.candidate);
	if (!script->versions.active) {
		error_about(script->options.name, "%s", why);
		script_end(script, script->history.restarts ? 1 : 2);
		return;
	}
	error_about(script->options.name, "%s; the running version stays", why);
	succession_release(&script->versions);
	script_serve_stale(script);
}

/* Not before: a mistake in a script, or a command that cannot be executed, does not cost the
 * recording that was there. A pipe or a device has no length, and needs none. */
static int replace_recording(const struct script *script, struct error *error)
{
	int err = 0;

	if (script->events->recording)
		err = script->events->recording(script->context, error);
	if (!err && ftruncate(script->options.recording_fd, 0) && errno != EINVAL)
		err = error_set(error, -errno, "%s: %s", script->options.recording,
				strerror(errno));
	return err;
}

/* The switch: nobody reads the ring now. */
static void switch_over(struct script *script, const struct version_handover *handover)
{
	struct version *version = script->versions.candidate;
	struct error error;
	int err = succession_enter(&script->versions, version, &error);
	uint64_t now_ns = clock_now_ns();

	if (!err && script->options.record)
		err = replace_recording(script, &error);
	if (!err) {
		err = order_run(version, handover, kernel_side_newest_slot(&script->kernel),
				now_ns);
		if (err)
			error_set(&error, err, "its worker does not listen: %s", strerror(-err));
	}
	if (err) {
		if (script->versions.active)
			takeover_resume(script, script->versions.active);
		takeover_refuse(script, error.text);
		return;
	}
	succession_detach_others(&script->versions, version);
	succession_promote(&script->versions);
	script->state = SCRIPT_RUNNING;
	script->running_ns = clock_now_ns();
	if (script->source_fd >= 0)
		close(script->source_fd);
	script->source_fd = version_take_source(version);
	succession_release(&script->versions);
	timer_set(&script->probation, script->versions.previous ? script->options.probation_ns : 0);
	timer_set(&script->pulse, SECOND_NS);
	script->events->running(script->context);
	script_serve_stale(script);
}

void takeover_without_state(struct script *script)
{
	switch_over(script, &nothing_left);
}

void takeover_undo(struct script *script)
{
	struct version *active = script->versions.active;
	struct error error;

	if (!active)
		return;
	if (succession_enter(&script->versions, active, &error))
		error_about(script->options.name, "%s", error.text);
	order_resume(active, kernel_side_newest_slot(&script->kernel)); /* else it has ended */
}

void takeover_begin(struct script *script, struct version *version)
{
	struct error error;

	if (version != script->versions.candidate ||
	    (script->state != SCRIPT_LOADING && script->state != SCRIPT_RUNNING)) {
		version_kill(version, "it is not wanted any more");
		return;
	}
	if (succession_prepare(&script->versions, version, &error)) {
		takeover_refuse(script, error.text);
	} else if (script->state == SCRIPT_LOADING) {
		switch_over(script, &nothing_left);
	} else if (succession_enter(&script->versions, version, &error)) {
		takeover_undo(script);
		takeover_refuse(script, error.text);
	} else {
		/* What the old bodies sent is in the ring before the old version is asked. */
		staging_settle();
		script->state = SCRIPT_YIELDING;
		script->watchdog.waited = 0;
		if (!order_yield(script->versions.active))
			return;
		script->state = SCRIPT_RUNNING;
		takeover_undo(script);
		takeover_refuse(script, "the running version does not listen");
	}
}

void takeover_yielded(struct script *script, struct version *version,
		      const struct version_handover *handover)
{
	if (version == script->versions.active && script->state == SCRIPT_YIELDING) {
		if (script->versions.candidate) {
			switch_over(script, handover);
		} else {
			takeover_resume(script, version);
			script_serve_stale(script);
		}
	} else if (version != script->versions.active || script->state != SCRIPT_FINISHING) {
		version_kill(version, "it yielded unasked");
	} /* else: `finish` is under way to it, and ends the yield */
	if (handover->state_fd >= 0)
		close(handover->state_fd);
}
