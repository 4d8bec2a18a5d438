// SPDX-License-Identifier: Apache-2.0
#include "script.h"

#include "clock.h"
#include "ending.h"
#include "notice.h"
#include "order.h"
#include "script_state.h"
#include "takeover.h"
#include "version.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void script_end(struct script *script, int status)
{
	if (script->state == SCRIPT_OVER)
		return;
	script->state = SCRIPT_OVER;
	script->history.status = status;
	object_set_detach(&script->versions.objects, NULL);
	timer_set(&script->pulse, 0);
	timer_set(&script->probation, 0);
	timer_set(&script->restart, 0);
	script->events->ended(script->context, status);
}

void script_serve_stale(struct script *script)
{
	if (!script->stale || script->state != SCRIPT_RUNNING)
		return;
	script->stale = false;
	script_reload(script);
}

/* Everything is loaded, nothing is attached: that is all there is to tell. */
static void explain(struct script *script, struct version *version)
{
	struct error error;

	if (!script->options.check && succession_prepare(&script->versions, version, &error))
		takeover_refuse(script, error.text);
	else if (order_hooks(version, 0) || order_finish(version))
		version_kill(version, "it does not listen");
}

static void on_ready(struct version *version)
{
	struct script *script = version->owner;

	if (script->options.explain && !script->options.measure)
		explain(script, version);
	else if (!script->options.check) /* else its end says the rest */
		takeover_begin(script, version);
}

static void on_yielded(struct version *version, const struct version_handover *handover)
{
	takeover_yielded(version->owner, version, handover);
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

static void on_ring(struct version *version, const char *name, uint64_t received, uint64_t failed)
{
	summary_add_ring(&((struct script *)version->owner)->history, name, received, failed);
}

static void on_wants_stop(struct version *version)
{
	struct script *script = version->owner;

	if (version == script->versions.active)
		script_finish(script);
}

static struct stacks *stacks_of(struct version *version)
{
	const struct script *script = version->owner;

	return script->kernel.stacks;
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

static const struct version_events version_events;

int script_start_candidate(struct script *script, int source_fd, struct error *error)
{
	int err = version_start(
		&script->versions.candidate, script->loop, &script->options, source_fd,
		script_is_offline(&script->options) ? -1 : script->kernel.setting.ring_fd,
		&version_events, script, error);

	if (err)
		return err;
	succession_tell_pids(&script->versions);
	script->watchdog.loading = 0;
	timer_set(&script->pulse, SECOND_NS);
	if (!script->versions.active)
		script->state = SCRIPT_LOADING;
	return 0;
}

static void on_restart(struct loop_source *source)
{
	struct script *script = container_of(source, struct script, restart);
	struct error error;

	timer_read(source);
	if (script->state != SCRIPT_PAUSING)
		return;
	script->history.restarts++;
	if (script_start_candidate(script, script->source_fd, &error)) {
		error_about(script->options.name, "%s", error.text);
		script_end(script, 1);
	}
}

static void on_ended(struct version *version, int code, const char *how)
{
	struct script *script = version->owner;

	if (version == script->versions.candidate)
		ending_of_candidate(script, code, how);
	else if (version == script->versions.active)
		ending_of_active(script, code, how);
	else
		succession_drop(&script->versions, &script->versions.previous);
}

static const struct version_events version_events = {
	.ready = on_ready,
	.running = on_running,
	.yielded = on_yielded,
	.wants_stop = on_wants_stop,
	.report = on_report,
	.stacks = stacks_of,
	.used_file = on_used_file,
	.ended = on_ended,
	.restage = on_restage,
	.total = on_total,
	.ring = on_ring,
};

static const char *overdue(const struct script *script)
{
	if (script->state == SCRIPT_FINISHING)
		return "not finished after 10 s";
	return script->state == SCRIPT_YIELDING ? "not handed over after 10 s" : NULL;
}

static void on_pulse(struct loop_source *source)
{
	struct script *script = container_of(source, struct script, pulse);

	timer_read(source);
	timer_set(source, SECOND_NS);
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
	return script_start_candidate(script, -1, error);
}

void script_reload(struct script *script)
{
	struct error error;

	if (script->state == SCRIPT_FINISHING || script->state == SCRIPT_OVER)
		return;
	if (script->state == SCRIPT_YIELDING || script->state == SCRIPT_LOADING) {
		script->stale = true;
		return;
	}
	if (script->versions.candidate) /* overtaken by a newer version */
		succession_drop(&script->versions, &script->versions.candidate);
	if (script_start_candidate(script, -1, &error))
		error_about(script->options.name, "%s; %s", error.text,
			    script->versions.active ? "the running version stays"
						    : "the last version is started again");
	else
		timer_set(&script->restart, 0);
}

void script_finish(struct script *script)
{
	if (script->state == SCRIPT_FINISHING || script->state == SCRIPT_OVER)
		return;
	kernel_side_cut(&script->kernel);
	if (script->versions.previous)
		succession_drop(&script->versions, &script->versions.previous);
	if (script->versions.active && script->versions.candidate) {
		if (script->state == SCRIPT_YIELDING)
			takeover_undo(script);
		succession_drop(&script->versions, &script->versions.candidate);
	}
	object_set_detach(&script->versions.objects, NULL);
	if (!script->versions.active && script->recovery.failures)
		error_about(script->options.name, "the end came before it was started again; what "
						  "it had counted is not shown");
	if (!script->versions.active && !script->versions.candidate) {
		script_end(script, 1); /* between two restarts */
		return;
	}
	script->state = SCRIPT_FINISHING;
	script->watchdog.waited = 0;
	if (!script->versions.active)
		version_kill(script->versions.candidate, "ended while it was loading");
	else if ((script->options.measure &&
		  order_hooks(script->versions.active, clock_now_ns() - script->running_ns)) ||
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
		err = kernel_side_open(&script->kernel, loop, &script->options, error);
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
	object_set_close(&script->versions.objects);
	kernel_side_close(&script->kernel);
	free(script->history.rings);
	if (script->source_fd >= 0)
		close(script->source_fd);
	for (int i = 0; i < 3; i++) {
		loop_remove(script->loop, timers[i]);
		if (timers[i]->fd >= 0)
			close(timers[i]->fd);
	}
	free(script);
}
