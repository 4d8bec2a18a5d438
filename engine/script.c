// SPDX-License-Identifier: Apache-2.0
/* Which version of a script runs. What can happen in which state:
 *
 *             ready         yielded       candidate ended   active ended          reload
 *   LOADING   switch over   -             end, or stale     -                     stale
 *   RUNNING   put in slots, kill          stays             roll back, or PAUSING start candidate
 *             ask to yield
 *   YIELDING  -             switch over,  wait on           switch over without   stale
 *                           or resume                       state, or as RUNNING
 *   PAUSING   -             -             -                 -                     start candidate
 *   FINISHING -             -             -                 end                   -
 *
 * The bodies of whoever runs next are in the slots: the candidate's from YIELDING on; resume puts
 * those of the old version back. A version may ask for other stages at any time after it was
 * told to run; when its bodies are not in the slots, the new one waits like the others.
 *
 * Stale: the source has changed meanwhile; that is looked at when somebody runs. Probes are
 * released when a version runs that does not use them, never because one has failed. */
#include "script.h"

#include "kernel_side.h"
#include "notice.h"
#include "order.h"
#include "recovery.h"
#include "staging.h"
#include "succession.h"
#include "summary.h"
#include "version.h"
#include "watchdog.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000ull

enum state {
	LOADING,   /* nobody reads the ring; the candidate loads */
	RUNNING,   /* the active version reads it; a candidate may load */
	YIELDING,  /* the active version was asked to stop for the candidate */
	PAUSING,   /* nobody; a restart comes */
	FINISHING, /* the active version, or a candidate, was asked to end */
	OVER,
};

/* What a version inherits when there was none before, or it has died. */
static const struct version_handover nothing_left = {.state_fd = -1};

struct script {
	struct script_options options;
	struct loop *loop;
	const struct script_events *events;
	void *context;
	struct kernel_side kernel;
	enum state state;
	struct succession versions;
	struct loop_source pulse;     /* every second: is everybody alive? */
	struct loop_source probation; /* when it ends, `previous` is let go */
	struct loop_source restart;
	bool stale;
	int source_fd; /* of the last version that ran: what a restart runs */
	struct watchdog watchdog;
	struct recovery recovery;
	struct script_history history;
	uint64_t running_ns; /* when events began to be handled */
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * SECOND + now.tv_nsec;
}

static void end(struct script *script, int status)
{
	if (script->state == OVER)
		return;
	script->state = OVER;
	script->history.status = status;
	timer_set(&script->pulse, 0);
	timer_set(&script->probation, 0);
	timer_set(&script->restart, 0);
	script->events->ended(script->context, status);
}

static void serve_stale(struct script *script)
{
	if (!script->stale || script->state != RUNNING)
		return;
	script->stale = false;
	script_reload(script);
}

/* `version` goes on where the ring is. */
static void resume(struct script *script, struct version *version)
{
	struct error error;

	script->state = RUNNING;
	if (succession_enter(&script->versions, version, &error)) {
		error_about(script->options.name, "%s", error.text);
		end(script, 1);
		return;
	}
	succession_settle(&script->versions, version);
	if (order_resume(version))
		version_kill(version, "it does not listen");
}

/* The candidate cannot take over. Without a running version that is the end. */
static void refuse(struct script *script, const char *why)
{
	succession_drop(&script->versions, &script->versions.candidate);
	if (!script->versions.active) {
		error_about(script->options.name, "%s", why);
		end(script, script->history.restarts ? 1 : 2);
		return;
	}
	error_about(script->options.name, "%s; the running version stays", why);
	succession_release(&script->versions);
	serve_stale(script);
}

/* The switch: nobody reads the ring now. */
static void switch_over(struct script *script, const struct version_handover *handover)
{
	struct version *version = script->versions.candidate;
	struct error error;
	int err = succession_enter(&script->versions, version, &error);

	/* Not before: a mistake in a script does not cost the recording that was there. A pipe or a
	 * device has no length, and needs none. */
	if (!err && script->options.record && ftruncate(script->options.recording_fd, 0) &&
	    errno != EINVAL)
		err = error_set(&error, -errno, "%s: %s", script->options.recording,
				strerror(errno));
	if (!err) {
		err = order_run(version, handover);
		if (err)
			error_set(&error, err, "its worker does not listen: %s", strerror(-err));
	}
	if (err) {
		if (script->versions.active)
			resume(script, script->versions.active);
		refuse(script, error.text);
		return;
	}
	succession_settle(&script->versions, version);
	succession_promote(&script->versions);
	script->state = RUNNING;
	script->running_ns = now_ns();
	if (script->source_fd >= 0)
		close(script->source_fd);
	script->source_fd = version_take_source(version);
	succession_release(&script->versions);
	timer_set(&script->probation, script->versions.previous ? script->options.probation_ns : 0);
	timer_set(&script->pulse, SECOND);
	script->events->running(script->context);
	serve_stale(script);
}

/* The candidate's bodies are in the slots, and it cannot have them. */
static void take_back(struct script *script)
{
	struct error error;

	if (script->versions.active &&
	    succession_enter(&script->versions, script->versions.active, &error))
		error_about(script->options.name, "%s", error.text);
}

/* Everything is loaded, nothing is attached: that is all there is to tell. */
static void explain(struct script *script, struct version *version)
{
	struct error error;

	if (!script->options.check && succession_prepare(&script->versions, version, &error))
		refuse(script, error.text);
	else if (order_hooks(version, 0) || order_finish(version))
		version_kill(version, "it does not listen");
}

static void on_ready(struct version *version)
{
	struct script *script = version->owner;
	struct error error;

	if (script->options.explain && !script->options.measure) {
		explain(script, version);
		return;
	}
	if (script->options.check)
		return; /* its end says the rest */
	if (version != script->versions.candidate ||
	    (script->state != LOADING && script->state != RUNNING)) {
		version_kill(version, "it is not wanted any more");
		return;
	}
	if (succession_prepare(&script->versions, version, &error)) {
		refuse(script, error.text);
	} else if (script->state == LOADING) {
		switch_over(script, &nothing_left);
	} else if (succession_enter(&script->versions, version, &error)) {
		take_back(script);
		refuse(script, error.text);
	} else {
		/* What the old bodies sent is in the ring before the old version is asked. */
		staging_settle();
		script->state = YIELDING;
		script->watchdog.waited = 0;
		if (!order_yield(script->versions.active))
			return;
		script->state = RUNNING;
		take_back(script);
		refuse(script, "the running version does not listen");
	}
}

static void on_yielded(struct version *version, const struct version_handover *handover)
{
	struct script *script = version->owner;

	if (version == script->versions.active && script->state == YIELDING) {
		if (script->versions.candidate) {
			switch_over(script, handover);
		} else {
			resume(script, version);
			serve_stale(script);
		}
	} else if (version != script->versions.active || script->state != FINISHING) {
		version_kill(version, "it yielded unasked");
	} /* else: `finish` is under way to it, and ends the yield */
	if (handover->state_fd >= 0)
		close(handover->state_fd);
}

/* A value that was built into its stages has changed. Records of the old ones are marked with
 * their generation, so there is nothing to wait for. */
static void on_restage(struct version *version, int index)
{
	struct script *script = version->owner;
	const struct declaration *one;
	struct error error;

	if (succession_restage(&script->versions, version, index, &error)) {
		error_about(script->options.name, "%s", error.text);
		version_kill(version, "its filter could not be replaced");
		return;
	}
	one = &version->declarations[index];
	if (order_restaged(version, index, one->plan ? NULL : one->refused.text))
		version_kill(version, "it does not listen");
}

static void on_running(struct version *version, double pause_ns)
{
	struct script *script = version->owner;

	if (version != script->versions.active || !isfinite(pause_ns) || pause_ns <= 0)
		return;
	script->history.reloads++;
	script->history.pause_ns += pause_ns;
	if (pause_ns > script->history.longest_ns)
		script->history.longest_ns = pause_ns;
	if (!script->options.quiet)
		error_about(script->options.name, "reloaded, nothing handled for %.1f ms",
			    pause_ns / 1e6);
}

static void on_total(struct version *version, const char *probe, const struct probe_totals *totals)
{
	struct script *script = version->owner;

	if (script->kernel.past_count < KERNEL_SIDE_PROBES)
		kernel_side_add_past(&script->kernel, probe, totals);
}

static void on_wants_stop(struct version *version)
{
	struct script *script = version->owner;

	if (version == script->versions.active)
		script_finish(script);
}

static void on_report(struct version *version, const char *line)
{
	const struct script *script = version->owner;

	error_about(script->options.name, "%s", line);
}

static void on_used_file(struct version *version, const char *file)
{
	struct script *script = version->owner;

	script->events->used_file(script->context, file);
}

/* Failures of a version that was running. */

static void roll_back(struct script *script, const char *how)
{
	error_about(script->options.name, "the new version failed: %s; back to the one before",
		    how);
	script->history.rollbacks++;
	succession_roll_back(&script->versions);
	timer_set(&script->probation, 0);
	resume(script, script->versions.active);
	if (script->state == RUNNING)
		succession_release(&script->versions);
}

static const struct version_events version_events;

static int start_candidate(struct script *script, int source_fd, struct error *error)
{
	int err = version_start(
		&script->versions.candidate, script->loop, &script->options, source_fd,
		script_is_offline(&script->options) ? -1 : script->kernel.setting.ring_fd,
		&version_events, script, error);

	if (err)
		return err;
	succession_tell_pids(&script->versions);
	script->watchdog.loading = 0;
	timer_set(&script->pulse, SECOND);
	if (!script->versions.active)
		script->state = LOADING;
	return 0;
}

static void on_restart(struct loop_source *source)
{
	struct script *script = container_of(source, struct script, restart);
	struct error error;

	timer_read(source);
	if (script->state != PAUSING)
		return;
	script->history.restarts++;
	if (start_candidate(script, script->source_fd, &error)) {
		error_about(script->options.name, "%s", error.text);
		end(script, 1);
	}
}

static void candidate_ended(struct script *script, int code, const char *how)
{
	char exited[64];

	succession_drop(&script->versions, &script->versions.candidate);
	if (!how && code > 2) {
		snprintf(exited, sizeof(exited), "its worker exited by itself, status %d", code);
		how = exited;
	}
	if (script->state == FINISHING) {
		end(script, 0); /* asked to end before it ran */
		return;
	}
	if (script->state == LOADING) {
		struct error error;

		if (how)
			error_about(script->options.name, "%s%s",
				    script->options.test ? "" : "not started: ", how);
		if (!script->stale)
			end(script, how || script->history.restarts ? 1 : code);
		else if (script->stale = false, start_candidate(script, -1, &error))
			end(script, 2);
		return;
	}
	if (how)
		error_about(script->options.name,
			    "the new version was not started: %s; the running version stays", how);
	else if (code)
		error_about(script->options.name,
			    "the new version was not started; the running version stays");
	succession_release(&script->versions);
	serve_stale(script); /* YIELDING: when the active one has answered */
}

static void recover(struct script *script, const char *how)
{
	const struct script_options *options = &script->options;

	switch (recovery_choose(
		&script->recovery,
		&(struct recovery_case){
			.next_ready = script->state == YIELDING && script->versions.candidate,
			.next_loading = script->versions.candidate,
			.on_probation = script->versions.previous,
			.once = options->record || options->replay,
			.now = time(NULL),
		})) {
	case RECOVERY_SWITCH_OVER:
		error_about(script->options.name, "%s while it handed over; its state is lost",
			    how);
		script->state = LOADING;
		switch_over(script, &nothing_left);
		break;
	case RECOVERY_ROLL_BACK:
		roll_back(script, how);
		break;
	case RECOVERY_WAIT:
		error_about(script->options.name,
			    "%s; its state is lost, the next version is loading", how);
		script->state = LOADING;
		break;
	case RECOVERY_GIVE_UP:
		error_about(script->options.name, "%s", how);
		end(script, 1);
		break;
	case RECOVERY_QUARANTINE:
		error_about(
			script->options.name,
			"%s; failed %d times within a minute: quarantined, it is not started again",
			how, RECOVERY_FAILURES);
		end(script, 1);
		break;
	case RECOVERY_RESTART:
		error_about(script->options.name, "%s; its state is lost, it is started again",
			    how);
		script->state = PAUSING;
		timer_set(&script->pulse, 0);
		timer_set(&script->restart, recovery_pause_ns(&script->recovery));
		break;
	}
}

static void active_ended(struct script *script, int code, const char *how)
{
	char exited[64];

	succession_drop(&script->versions, &script->versions.active);
	if (!how && (script->state != FINISHING || code > 2)) {
		snprintf(exited, sizeof(exited), "its worker exited by itself, status %d", code);
		how = exited;
	}
	if (script->state == FINISHING) {
		if (how)
			error_about(script->options.name, "%s while it was to finish", how);
		end(script, how ? 1 : code);
	} else {
		recover(script, how);
	}
}

static void on_ended(struct version *version, int code, const char *how)
{
	struct script *script = version->owner;

	if (version == script->versions.candidate)
		candidate_ended(script, code, how);
	else if (version == script->versions.active)
		active_ended(script, code, how);
	else
		succession_drop(&script->versions, &script->versions.previous);
}

static const struct version_events version_events = {
	.ready = on_ready,
	.running = on_running,
	.yielded = on_yielded,
	.wants_stop = on_wants_stop,
	.report = on_report,
	.used_file = on_used_file,
	.ended = on_ended,
	.restage = on_restage,
	.total = on_total,
};

static const char *overdue(const struct script *script)
{
	if (script->state == FINISHING)
		return "not finished after 10 s";
	return script->state == YIELDING ? "not handed over after 10 s" : NULL;
}

static void on_pulse(struct loop_source *source)
{
	struct script *script = container_of(source, struct script, pulse);

	timer_read(source);
	timer_set(source, SECOND);
	if (script->versions.candidate) {
		notice_second(script->versions.candidate);
		watchdog_candidate(&script->watchdog, script->versions.candidate);
	}
	if (script->versions.active) {
		notice_second(script->versions.active);
		watchdog_active(&script->watchdog, script->versions.active, &script->kernel,
				overdue(script));
	}
}

static void on_probation(struct loop_source *source)
{
	struct script *script = container_of(source, struct script, probation);
	struct error error;

	timer_read(source);
	if (script->versions.previous)
		succession_drop(&script->versions, &script->versions.previous);
	succession_release(&script->versions);
	if (script->versions.active && !script->versions.candidate &&
	    succession_trim(&script->versions, &error))
		error_about(script->options.name, "%s", error.text);
}

int script_start(struct script *script, struct error *error)
{
	return start_candidate(script, -1, error);
}

void script_reload(struct script *script)
{
	struct error error;

	if (script->state == FINISHING || script->state == OVER)
		return;
	if (script->state == YIELDING || script->state == LOADING) {
		script->stale = true;
		return;
	}
	if (script->versions.candidate)
		succession_drop(&script->versions,
				&script->versions.candidate); /* overtaken by a newer version */
	if (start_candidate(script, -1, &error))
		error_about(script->options.name, "%s; %s", error.text,
			    script->versions.active ? "the running version stays"
						    : "the last version is started again");
	else
		timer_set(&script->restart, 0);
}

void script_finish(struct script *script)
{
	if (script->state == FINISHING || script->state == OVER)
		return;
	kernel_side_cut(&script->kernel);
	if (script->versions.previous)
		succession_drop(&script->versions, &script->versions.previous);
	if (script->versions.active && script->versions.candidate) {
		if (script->state == YIELDING)
			take_back(script);
		succession_drop(&script->versions, &script->versions.candidate);
	}
	if (!script->versions.active && !script->versions.candidate) {
		end(script, 0); /* between two restarts */
		return;
	}
	script->state = FINISHING;
	script->watchdog.waited = 0;
	if (!script->versions.active)
		version_kill(script->versions.candidate, "ended while it was loading");
	else if ((script->options.measure &&
		  order_hooks(script->versions.active, now_ns() - script->running_ns)) ||
		 order_finish(script->versions.active))
		version_kill(script->versions.active, "it does not listen");
}

int script_open(struct script **out, struct loop *loop, const struct script_options *options,
		const struct script_events *events, void *context, struct error *error)
{
	struct script *script = calloc(1, sizeof(*script));
	int err = 0;

	if (!script)
		return error_set(error, -ENOMEM, "%s: no memory", options->name);
	script->options = *options;
	script->versions = (struct succession){
		.options = &script->options,
		.kernel = &script->kernel,
		.swaps = &script->history.swaps,
	};
	script->loop = loop;
	script->events = events;
	script->context = context;
	script->source_fd = -1;
	script->kernel.setting.ring_fd = script->kernel.setting.settings_fd = -1;
	script->pulse = (struct loop_source){.fd = -1, .ready = on_pulse};
	script->probation = (struct loop_source){.fd = -1, .ready = on_probation};
	script->restart = (struct loop_source){.fd = -1, .ready = on_restart};
	if (!script_is_offline(options))
		err = kernel_side_open(&script->kernel, &script->options, error);
	if (!err && (timer_open(loop, &script->pulse) || timer_open(loop, &script->probation) ||
		     timer_open(loop, &script->restart)))
		err = error_set(error, -errno, "%s: timers: %s", options->name, strerror(errno));
	if (err)
		script_close(script);
	else
		*out = script;
	return err;
}

void script_summary(const struct script *script, uint64_t unfollowed, FILE *out)
{
	summary_print(&script->options, &script->kernel, &script->history, unfollowed, out);
}

void script_close(struct script *script)
{
	struct loop_source *const timers[] = {&script->pulse, &script->probation, &script->restart};

	if (!script)
		return;
	version_close(script->versions.active);
	version_close(script->versions.candidate);
	version_close(script->versions.previous);
	kernel_side_close(&script->kernel);
	if (script->source_fd >= 0)
		close(script->source_fd);
	for (int i = 0; i < 3; i++) {
		loop_remove(script->loop, timers[i]);
		if (timers[i]->fd >= 0)
			close(timers[i]->fd);
	}
	free(script);
}
