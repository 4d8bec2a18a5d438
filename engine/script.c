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

#include "body.h"
#include "kernel_side.h"
#include "staging.h"
#include "summary.h"
#include "version.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000ull
#define LOAD_SECONDS 10	       /* to load a version, to hand over, to finish */
#define TEST_SECONDS 60	       /* for a test file */
#define IDLE_PULSES 5	       /* seconds between two pings of an idle worker */
#define FAILURES 5	       /* in a minute, then quarantine */
#define PAUSE_NS (SECOND / 10) /* before the first restart; doubles */

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
	struct object_set objects;
	enum state state;
	struct version *active, *candidate, *previous;
	const struct version *in_slots; /* whose bodies run; NULL: of one that has ended */
	struct loop_source pulse;	/* every second: is everybody alive? */
	struct loop_source probation;	/* when it ends, `previous` is let go */
	struct loop_source restart;
	bool stale;
	int source_fd;	   /* of the last version that ran: what a restart runs */
	uint64_t received; /* by workers, at the last pulse */
	int idle_pulses;   /* without a ping */
	int loading;	   /* seconds the candidate has taken */
	int waited;	   /* seconds without progress, to hand over or to finish */
	int failures;
	time_t first_failure;
	struct script_history history;
	uint64_t running_ns; /* when events began to be handled */
};

static void say(const struct script *script, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void say(const struct script *script, const char *format, ...)
{
	char line[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	/* Lua's own messages start with file and line already. */
	if (!strncmp(line, script->options.name, strlen(script->options.name)))
		error_print("%s", line);
	else
		error_print("%s: %s", script->options.name, line);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * SECOND + now.tv_nsec;
}

static bool is_used(const void *context, const struct probe *probe)
{
	const struct script *script = context;

	return version_uses(script->active, probe) || version_uses(script->candidate, probe) ||
	       version_uses(script->previous, probe);
}

static void release_unused(struct script *script)
{
	const struct version *const versions[] = {script->active, script->candidate,
						  script->previous};

	if (!script->active)
		return;
	kernel_side_release(&script->kernel, is_used, script);
	object_set_release(&script->objects, versions, 3);
}

static void tell_own_pids(struct script *script)
{
	const struct version *versions[] = {script->active, script->candidate, script->previous};
	pid_t pids[4] = {getpid()};

	if (script_is_offline(&script->options))
		return;
	for (int i = 0; i < 3; i++)
		if (versions[i])
			pids[1 + i] = version_pid(versions[i]);
	kernel_side_own_pids(&script->kernel, pids, 4);
}

static void drop(struct script *script, struct version **version)
{
	if (*version)
		kernel_side_forget_pid(&script->kernel, version_pid(*version));
	if (script->in_slots == *version)
		script->in_slots = NULL;
	version_close(*version);
	*version = NULL;
	tell_own_pids(script);
}

static void end(struct script *script, int status)
{
	if (script->state == OVER)
		return;
	script->state = OVER;
	script->history.status = status;
	object_set_detach(&script->objects, NULL);
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

static struct staging staging_of(struct script *script)
{
	return (struct staging){
		.kernel = &script->kernel,
		.readers = {script->active, script->candidate, script->previous},
	};
}

/* Its plan cannot be used: then the worker does all of it. */
static void tell_refused(const struct script *script, const struct version_declaration *one)
{
	bool is_bug = one->refusal == -EINVAL || one->refusal == -EACCES;

	say(script, "%s; %sthe worker filters and counts instead%s%s%s", one->refused.text,
	    is_bug ? "this is a bug of moonprobe's, please report it; " : "",
	    script->options.explain ? "" : "; moonprobe explain -v ",
	    script->options.explain ? "" : script->options.name,
	    script->options.explain ? "" : " tells more");
}

/* Finds or opens the probes of `version`, and makes its bodies. They wait. */
static int prepare(struct script *script, struct version *version, struct error *error)
{
	struct staging staging = staging_of(script);
	int err = script->options.replay ? 0 : staging_find(&staging, version, error);

	if (script->options.replay)
		return 0;

	for (int i = 0; i < version->count && !err; i++) {
		struct version_declaration *one = &version->declarations[i];

		err = staging_make(&staging, version, i, error);
		if (err || !one->planned)
			continue;
		if (!one->plan && one->request.insists)
			return error_set(error, -EINVAL, "%s; the script wants it in the kernel",
					 one->refused.text);
		if (!one->plan)
			tell_refused(script, one);
		err = version_staged(version, i, one->plan ? NULL : one->refused.text);
		if (err)
			error_set(error, err, "its worker does not listen: %s", strerror(-err));
	}
	return err ? err : own_objects_find(version, &script->objects, error);
}

/* From now on the kernel does what `version` wants. What runs already stays. */
static int enter(struct script *script, struct version *version, struct error *error)
{
	int err;

	if (script->options.replay)
		return 0;
	err = staging_install(version, &script->history.swaps, error);
	script->in_slots = version;
	for (int i = 0; i < version->count && !err; i++)
		err = probe_attach(version->declarations[i].probe, error);
	return err ? err : own_objects_attach(version, error);
}

static void detach_rest(struct script *script, const struct version *version)
{
	for (int i = 0; i < KERNEL_SIDE_PROBES; i++) {
		struct probe *probe = script->kernel.probes[i];

		if (probe && !version_uses(version, probe))
			probe_detach(probe);
	}
	object_set_detach(&script->objects, version);
}

/* `version` goes on where the ring is. */
static void resume(struct script *script, struct version *version)
{
	struct error error;

	script->state = RUNNING;
	if (enter(script, version, &error)) {
		say(script, "%s", error.text);
		end(script, 1);
		return;
	}
	detach_rest(script, version);
	if (version_resume(version))
		version_kill(version, "it does not listen");
}

/* The candidate cannot take over. Without a running version that is the end. */
static void refuse(struct script *script, const char *why)
{
	drop(script, &script->candidate);
	if (!script->active) {
		say(script, "%s", why);
		end(script, script->history.restarts ? 1 : 2);
		return;
	}
	say(script, "%s; the running version stays", why);
	release_unused(script);
	serve_stale(script);
}

/* The switch: nobody reads the ring now. */
static void switch_over(struct script *script, const struct version_handover *handover)
{
	struct version *version = script->candidate;
	struct error error;
	int err = enter(script, version, &error);

	/* Not before: a mistake in a script does not cost the recording that was there. A pipe or a
	 * device has no length, and needs none. */
	if (!err && script->options.record && ftruncate(script->options.recording_fd, 0) &&
	    errno != EINVAL)
		err = error_set(&error, -errno, "%s: %s", script->options.recording,
				strerror(errno));
	if (!err) {
		err = version_run(version, handover);
		if (err)
			error_set(&error, err, "its worker does not listen: %s", strerror(-err));
	}
	if (err) {
		if (script->active)
			resume(script, script->active);
		refuse(script, error.text);
		return;
	}
	detach_rest(script, version);
	drop(script, &script->previous);
	script->previous = script->active;
	script->active = version;
	script->candidate = NULL;
	script->state = RUNNING;
	script->running_ns = now_ns();
	if (script->source_fd >= 0)
		close(script->source_fd);
	script->source_fd = version_take_source(version);
	tell_own_pids(script);
	release_unused(script);
	timer_set(&script->probation, script->previous ? script->options.probation_ns : 0);
	timer_set(&script->pulse, SECOND);
	script->events->running(script->context);
	serve_stale(script);
}

/* The candidate's bodies are in the slots, and it cannot have them. */
static void take_back(struct script *script)
{
	struct error error;

	if (script->active && enter(script, script->active, &error))
		say(script, "%s", error.text);
}

/* Everything is loaded, nothing is attached: that is all there is to tell. */
static void explain(struct script *script, struct version *version)
{
	struct error error;

	if (!script->options.check && prepare(script, version, &error))
		refuse(script, error.text);
	else if (version_hooks(version, 0) || version_finish(version))
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
	if (version != script->candidate ||
	    (script->state != LOADING && script->state != RUNNING)) {
		version_kill(version, "it is not wanted any more");
		return;
	}
	if (prepare(script, version, &error)) {
		refuse(script, error.text);
	} else if (script->state == LOADING) {
		switch_over(script, &nothing_left);
	} else if (enter(script, version, &error)) {
		take_back(script);
		refuse(script, error.text);
	} else {
		/* What the old bodies sent is in the ring before the old version is asked. */
		staging_settle();
		script->state = YIELDING;
		script->waited = 0;
		if (!version_yield(script->active))
			return;
		script->state = RUNNING;
		take_back(script);
		refuse(script, "the running version does not listen");
	}
}

static void on_yielded(struct version *version, const struct version_handover *handover)
{
	struct script *script = version->owner;

	if (version == script->active && script->state == YIELDING) {
		if (script->candidate) {
			switch_over(script, handover);
		} else {
			resume(script, version);
			serve_stale(script);
		}
	} else if (version != script->active || script->state != FINISHING) {
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
	struct version_declaration *one = &version->declarations[index];
	struct staging staging = staging_of(script);
	struct error error;
	int err = 0;

	/* Not again, when nothing would change. */
	if (one->plan || one->body->is_staged)
		err = staging_make(&staging, version, index, &error);
	if (!err && script->in_slots == version)
		err = staging_install(version, &script->history.swaps, &error);
	if (err) {
		say(script, "%s", error.text);
		version_kill(version, "its filter could not be replaced");
		return;
	}
	if (!one->plan && one->refusal != -EAGAIN)
		tell_refused(script, one);
	if (version_restaged(version, index, one->plan ? NULL : one->refused.text))
		version_kill(version, "it does not listen");
}

static void on_running(struct version *version, double pause_ns)
{
	struct script *script = version->owner;

	if (version != script->active || !isfinite(pause_ns) || pause_ns <= 0)
		return;
	script->history.reloads++;
	script->history.pause_ns += pause_ns;
	if (pause_ns > script->history.longest_ns)
		script->history.longest_ns = pause_ns;
	if (!script->options.quiet)
		say(script, "reloaded, nothing handled for %.1f ms", pause_ns / 1e6);
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

	if (version == script->active)
		script_finish(script);
}

static void on_report(struct version *version, const char *line)
{
	say(version->owner, "%s", line);
}

static void on_used_file(struct version *version, const char *file)
{
	struct script *script = version->owner;

	script->events->used_file(script->context, file);
}

/* Failures of a version that was running. */

static void roll_back(struct script *script, const char *how)
{
	say(script, "the new version failed: %s; back to the one before", how);
	script->history.rollbacks++;
	script->active = script->previous;
	script->previous = NULL;
	timer_set(&script->probation, 0);
	tell_own_pids(script);
	resume(script, script->active);
	if (script->state == RUNNING)
		release_unused(script);
}

static void restart_later(struct script *script, const char *how)
{
	time_t now = time(NULL);

	/* A recording has one beginning, and goes by once. */
	if (script->options.record || script->options.replay) {
		say(script, "%s", how);
		end(script, 1);
		return;
	}
	if (!script->failures || now - script->first_failure > 60) {
		script->failures = 0;
		script->first_failure = now;
	}
	if (++script->failures == FAILURES) {
		say(script,
		    "%s; failed %d times within a minute: quarantined, it is not started again",
		    how, FAILURES);
		end(script, 1);
		return;
	}
	say(script, "%s; its state is lost, it is started again", how);
	script->state = PAUSING;
	timer_set(&script->pulse, 0);
	timer_set(&script->restart, PAUSE_NS << (script->failures - 1));
}

static const struct version_events version_events;

static int start_candidate(struct script *script, int source_fd, struct error *error)
{
	int err = version_start(
		&script->candidate, script->loop, &script->options, source_fd,
		script_is_offline(&script->options) ? -1 : script->kernel.setting.ring_fd,
		&version_events, script, error);

	if (err)
		return err;
	tell_own_pids(script);
	script->loading = 0;
	timer_set(&script->pulse, SECOND);
	if (!script->active)
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
		say(script, "%s", error.text);
		end(script, 1);
	}
}

static void candidate_ended(struct script *script, int code, const char *how)
{
	char exited[64];

	drop(script, &script->candidate);
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
			say(script, "%s%s", script->options.test ? "" : "not started: ", how);
		if (!script->stale)
			end(script, how || script->history.restarts ? 1 : code);
		else if (script->stale = false, start_candidate(script, -1, &error))
			end(script, 2);
		return;
	}
	if (how)
		say(script, "the new version was not started: %s; the running version stays", how);
	else if (code)
		say(script, "the new version was not started; the running version stays");
	release_unused(script);
	serve_stale(script); /* YIELDING: when the active one has answered */
}

static void active_ended(struct script *script, int code, const char *how)
{
	char exited[64];

	drop(script, &script->active);
	if (!how && (script->state != FINISHING || code > 2)) {
		snprintf(exited, sizeof(exited), "its worker exited by itself, status %d", code);
		how = exited;
	}
	if (script->state == FINISHING) {
		if (how)
			say(script, "%s while it was to finish", how);
		end(script, how ? 1 : code);
	} else if (script->state == YIELDING && script->candidate) {
		say(script, "%s while it handed over; its state is lost", how);
		script->state = LOADING;
		switch_over(script, &nothing_left);
	} else if (script->previous) {
		roll_back(script, how);
	} else if (script->candidate) {
		say(script, "%s; its state is lost, the next version is loading", how);
		script->state = LOADING;
	} else {
		restart_later(script, how);
	}
}

static void on_ended(struct version *version, int code, const char *how)
{
	struct script *script = version->owner;

	if (version == script->candidate)
		candidate_ended(script, code, how);
	else if (version == script->active)
		active_ended(script, code, how);
	else
		drop(script, &script->previous);
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

/* Once a second: whoever has been waited for too long is ended, which says what is next. */

static void look_at_candidate(struct script *script)
{
	int patience = script->options.test ? TEST_SECONDS : LOAD_SECONDS;

	version_second(script->candidate);
	if (script->candidate->ready)
		return;
	if (++script->loading == patience)
		version_interrupt(script->candidate);
	else if (script->loading > patience)
		version_kill(script->candidate, script->options.test
							? "it took more than a minute"
							: "it took more than 10 s to load");
}

static void look_at_active(struct script *script)
{
	uint64_t waiting, received = kernel_side_received(&script->kernel, &waiting);
	int missed;

	version_second(script->active);
	/* Slow is not hung: somebody counts what is handled. */
	if (received != script->received) {
		version_alive(script->active);
		script->waited = 0;
	}
	if (script->state == FINISHING || script->state == YIELDING) {
		if (++script->waited > LOAD_SECONDS)
			version_kill(script->active, script->state == FINISHING
							     ? "not finished after 10 s"
							     : "not handed over after 10 s");
	} else if (waiting || script->active->unanswered || received != script->received ||
		   ++script->idle_pulses >= IDLE_PULSES) {
		/* One that has nothing to do is woken seldom: a hundred of them cost no CPU. */
		script->idle_pulses = 0;
		missed = version_ping(script->active);
		if (missed == script->options.patience)
			version_interrupt(script->active);
		else if (missed > script->options.patience)
			version_kill(script->active, "hung in compiled code: it did not answer");
	}
	script->received = received;
}

static void on_pulse(struct loop_source *source)
{
	struct script *script = container_of(source, struct script, pulse);

	timer_read(source);
	timer_set(source, SECOND);
	if (script->candidate)
		look_at_candidate(script);
	if (script->active)
		look_at_active(script);
}

/* The old version's fields cost something: leaves those out that nobody reads now. */
static void trim(struct script *script, struct version *version)
{
	struct staging staging = staging_of(script);
	struct error error;
	int err = 0;

	for (int i = 0; i < version->count && !err; i++)
		err = staging_trim(&staging, version, i, &error);
	if (!err)
		err = staging_install(version, &script->history.swaps, &error);
	if (err)
		say(script, "%s", error.text);
}

static void on_probation(struct loop_source *source)
{
	struct script *script = container_of(source, struct script, probation);

	timer_read(source);
	if (script->previous)
		drop(script, &script->previous);
	release_unused(script);
	if (script->active && !script->candidate)
		trim(script, script->active);
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
	if (script->candidate)
		drop(script, &script->candidate); /* overtaken by a newer version */
	if (start_candidate(script, -1, &error))
		say(script, "%s; %s", error.text,
		    script->active ? "the running version stays"
				   : "the last version is started again");
	else
		timer_set(&script->restart, 0);
}

void script_finish(struct script *script)
{
	if (script->state == FINISHING || script->state == OVER)
		return;
	kernel_side_cut(&script->kernel);
	if (script->previous)
		drop(script, &script->previous);
	if (script->active && script->candidate) {
		if (script->state == YIELDING)
			take_back(script);
		drop(script, &script->candidate);
	}
	object_set_detach(&script->objects, NULL);
	if (!script->active && !script->candidate) {
		end(script, 0); /* between two restarts */
		return;
	}
	script->state = FINISHING;
	script->waited = 0;
	if (!script->active)
		version_kill(script->candidate, "ended while it was loading");
	else if ((script->options.measure &&
		  version_hooks(script->active, now_ns() - script->running_ns)) ||
		 version_finish(script->active))
		version_kill(script->active, "it does not listen");
}

int script_open(struct script **out, struct loop *loop, const struct script_options *options,
		const struct script_events *events, void *context, struct error *error)
{
	struct script *script = calloc(1, sizeof(*script));
	int err = 0;

	if (!script)
		return error_set(error, -ENOMEM, "%s: no memory", options->name);
	script->options = *options;
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
	version_close(script->active);
	version_close(script->candidate);
	version_close(script->previous);
	object_set_close(&script->objects);
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
