// SPDX-License-Identifier: Apache-2.0
#include "script.h"

#include "json.h"
#include "kernel_side.h"
#include "version.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000ull
#define LOAD_SECONDS 10	       /* to load a version, to hand over, to finish */
#define IDLE_PULSES 5	       /* seconds between two pings of an idle worker */
#define FAILURES 5	       /* in a minute, then quarantine */
#define PAUSE_NS (SECOND / 10) /* before the first restart; doubles */

struct script {
	struct script_options options;
	struct loop *loop;
	const struct script_events *events;
	void *context;
	struct kernel_side kernel;
	struct version *active, *candidate, *previous;
	struct loop_source pulse;     /* every second: is everybody alive? */
	struct loop_source probation; /* when it ends, `previous` is let go */
	struct loop_source restart;
	bool yielding, finishing, over;
	bool stale;	   /* the source changed while a switch was under way */
	uint64_t received; /* by workers, at the last pulse */
	int idle_pulses;   /* without a ping */
	int waited;	   /* seconds for a candidate, a handover or the end */
	int failures;
	time_t first_failure;
	int status;
	struct {
		int count, rollbacks, restarts;
		double pause_ns, longest_ns; /* nothing handled: together, and the worst */
	} history;
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

/* Bookkeeping after versions have changed. */

static bool is_used(const void *context, const struct probe *probe)
{
	const struct script *script = context;

	return version_uses(script->active, probe) || version_uses(script->candidate, probe) ||
	       version_uses(script->previous, probe);
}

static void versions_changed(struct script *script)
{
	const struct version *versions[] = {script->active, script->candidate, script->previous};
	pid_t pids[4] = {getpid()};

	if (script->options.check)
		return;
	for (int i = 0; i < 3; i++)
		if (versions[i])
			pids[1 + i] = version_pid(versions[i]);
	kernel_side_own_pids(&script->kernel, pids, 4);
	kernel_side_release(&script->kernel, is_used, script);
}

static void drop(struct script *script, struct version **version)
{
	version_close(*version);
	*version = NULL;
	versions_changed(script);
}

static void end(struct script *script, int status)
{
	if (script->over)
		return;
	script->over = true;
	script->status = status;
	timer_set(&script->pulse, 0);
	timer_set(&script->probation, 0);
	timer_set(&script->restart, 0);
	script->events->ended(script->context, status);
}

/* The candidate cannot take over. Without a running version that is the end. */
static void refuse(struct script *script, const char *why)
{
	drop(script, &script->candidate);
	script->yielding = false;
	if (script->active) {
		say(script, "%s; the running version stays", why);
	} else {
		say(script, "%s", why);
		end(script, 2);
	}
}

/* Attaches what `version` uses and detaches what only the previous one does. */
static int attach(struct script *script, struct version *version, struct error *error)
{
	for (int i = 0; i < version->request_count; i++) {
		int err = probe_attach(version->probes[i], error);

		if (err)
			return err;
	}
	for (int slot = 0; slot < KERNEL_SIDE_PROBES; slot++) {
		struct probe *probe = script->kernel.probes[slot];

		if (probe && !version_uses(version, probe))
			probe_detach(probe);
	}
	return 0;
}

/* The switch: nobody reads the ring now. `state_fd` is what the old version handed over. */
static void switch_over(struct script *script, int state_fd, double stopped_ns)
{
	struct version *version = script->candidate;
	struct error error;
	int err = attach(script, version, &error);

	if (!err) {
		err = version_run(version, state_fd, stopped_ns);
		if (err)
			error_set(&error, err, "its worker does not listen: %s", strerror(-err));
	}
	if (err) {
		if (script->active) {
			struct error ignored;

			attach(script, script->active, &ignored);
			version_resume(script->active);
		}
		refuse(script, error.text);
		return;
	}
	version_close(script->previous);
	script->previous = script->active;
	script->active = version;
	script->candidate = NULL;
	script->yielding = false;
	versions_changed(script);
	timer_set(&script->probation, script->previous ? script->options.probation_ns : 0);
	timer_set(&script->pulse, SECOND);
	script->waited = 0;
	script->events->running(script->context);
	if (script->stale && script_reload(script, &error))
		say(script, "%s; the running version stays", error.text);
}

static void on_ready(struct version *version)
{
	struct script *script = version->owner;
	struct error error;

	if (script->options.check)
		return; /* its end says the rest */
	for (int i = 0; i < version->request_count; i++) {
		version->probes[i] = kernel_side_find(&script->kernel, &version->requests[i],
						      version->probes, i, &error);
		if (!version->probes[i]) {
			refuse(script, error.text);
			return;
		}
	}
	if (!script->active) {
		switch_over(script, -1, 0);
	} else if (version_yield(script->active)) {
		refuse(script, "the running version does not listen");
	} else {
		script->yielding = true;
		script->waited = 0;
	}
}

static void on_yielded(struct version *version, int state_fd, double stopped_ns)
{
	struct script *script = version->owner;

	if (version == script->active && script->yielding && script->candidate)
		switch_over(script, state_fd, stopped_ns);
	else
		version_kill(version, "it yielded unasked");
	if (state_fd >= 0)
		close(state_fd);
}

static void on_running(struct version *version, double pause_ns)
{
	struct script *script = version->owner;

	if (version != script->active || pause_ns <= 0)
		return;
	script->history.count++;
	script->history.pause_ns += pause_ns;
	if (pause_ns > script->history.longest_ns)
		script->history.longest_ns = pause_ns;
	if (!script->options.quiet)
		say(script, "reloaded, nothing handled for %.1f ms", pause_ns / 1e6);
}

static void on_wants_stop(struct version *version)
{
	script_finish(version->owner);
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
	struct version *previous = script->previous;
	struct error error;

	say(script, "the new version failed: %s; back to the one before", how);
	script->history.rollbacks++;
	drop(script, &script->active);
	script->active = previous;
	script->previous = NULL;
	timer_set(&script->probation, 0);
	if (attach(script, previous, &error)) {
		say(script, "%s", error.text);
		end(script, 1);
	} else if (version_resume(previous)) {
		version_kill(previous, "it does not listen");
	}
	versions_changed(script);
}

static void restart_later(struct script *script, const char *how)
{
	time_t now = time(NULL);

	drop(script, &script->active);
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
	timer_set(&script->pulse, 0);
	timer_set(&script->restart, PAUSE_NS << (script->failures - 1));
}

static void on_restart(struct loop_source *source)
{
	struct script *script = container_of(source, struct script, restart);
	struct error error;

	timer_read(source);
	script->history.restarts++;
	if (script_start(script, &error)) {
		say(script, "%s", error.text);
		end(script, 1);
	}
}

static void candidate_ended(struct script *script, int code, const char *how)
{
	bool restarted = script->history.restarts > 0;

	drop(script, &script->candidate);
	script->yielding = false;
	if (script->finishing) {
		end(script, 0); /* asked to end before it ran */
		return;
	}
	if (how)
		say(script, "not started: %s%s", how,
		    script->active ? "; the running version stays" : "");
	else if (script->active && code)
		say(script, "the new version was not started; the running version stays");
	if (!script->active)
		end(script, how || restarted ? 1 : code);
}

static void on_ended(struct version *version, int code, const char *how)
{
	struct script *script = version->owner;

	if (version == script->candidate) {
		candidate_ended(script, code, how);
	} else if (version == script->previous) {
		drop(script, &script->previous);
	} else if (script->finishing) {
		if (how)
			say(script, "%s while it was to finish", how);
		drop(script, &script->active);
		end(script, how || code > 2 ? 1 : code);
	} else {
		char exited[64];

		if (!how) {
			snprintf(exited, sizeof(exited), "its worker exited by itself, status %d",
				 code);
			how = exited;
		}
		if (script->candidate && script->yielding) {
			/* Its successor is ready: go on with that one, without the state. */
			say(script, "%s while it handed over; its state is lost", how);
			drop(script, &script->active);
			switch_over(script, -1, 0);
		} else if (script->previous) {
			roll_back(script, how);
		} else {
			restart_later(script, how);
		}
	}
}

static const struct version_events version_events = {
	.ready = on_ready,
	.running = on_running,
	.yielded = on_yielded,
	.wants_stop = on_wants_stop,
	.report = on_report,
	.used_file = on_used_file,
	.ended = on_ended,
};

/* Once a second: whoever has been waited for too long is ended, which says what is next. */
static void on_pulse(struct loop_source *source)
{
	struct script *script = container_of(source, struct script, pulse);
	int missed, patience;
	uint64_t received, waiting;

	timer_read(source);
	timer_set(source, SECOND);
	if (script->candidate)
		version_second(script->candidate);
	if (script->active)
		version_second(script->active);
	if (script->candidate && !script->candidate->ready && ++script->waited >= LOAD_SECONDS) {
		if (script->waited == LOAD_SECONDS)
			version_interrupt(script->candidate);
		else
			version_kill(script->candidate, "it took more than 10 s to load");
		return;
	}
	if (!script->active)
		return;
	/* Slow is not hung: somebody counts what is handled. */
	received = kernel_side_received(&script->kernel, &waiting);
	if (received != script->received)
		version_alive(script->active);
	script->received = received;
	/* One that has nothing to do is woken seldom: a hundred of them cost no CPU. */
	if (!waiting && !script->finishing && !script->yielding && !script->active->unanswered &&
	    ++script->idle_pulses < IDLE_PULSES)
		return;
	script->idle_pulses = 0;
	patience = script->finishing ? 2 : script->options.patience;
	missed = version_ping(script->active);
	if (missed == patience)
		version_interrupt(script->active);
	else if (missed > patience)
		version_kill(script->active, "hung in compiled code: it did not answer");
	else if ((script->finishing || script->yielding) && ++script->waited > LOAD_SECONDS)
		version_kill(script->active, script->finishing ? "not finished after 10 s"
							       : "not handed over after 10 s");
}

static void on_probation(struct loop_source *source)
{
	struct script *script = container_of(source, struct script, probation);
	struct error error;

	timer_read(source);
	if (script->previous)
		drop(script, &script->previous);
	/* The old version's fields cost something: leave those out that nobody reads now. */
	for (int i = 0; script->active && !script->candidate && i < script->active->request_count;
	     i++)
		if (probe_adapt(script->active->probes[i], &script->active->requests[i], true,
				&error))
			say(script, "%s", error.text);
}

int script_start(struct script *script, struct error *error)
{
	int err = version_start(&script->candidate, script->loop, &script->options,
				script->options.check ? -1 : script->kernel.setting.ring_fd,
				&version_events, script, error);

	if (err)
		return err;
	versions_changed(script);
	script->waited = 0;
	timer_set(&script->pulse, SECOND);
	return 0;
}

int script_reload(struct script *script, struct error *error)
{
	if (script->finishing || script->over)
		return 0;
	script->stale = script->yielding || (!script->active && script->candidate);
	if (script->stale)
		return 0; /* when that is done */
	if (script->candidate)
		drop(script, &script->candidate); /* overtaken by a newer version */
	timer_set(&script->restart, 0);
	return script_start(script, error);
}

void script_finish(struct script *script)
{
	if (script->finishing || script->over)
		return;
	script->finishing = true;
	script->waited = 0;
	if (script->candidate && script->active)
		drop(script, &script->candidate);
	if (script->previous)
		drop(script, &script->previous);
	kernel_side_cut(&script->kernel);
	if (script->candidate)
		version_kill(script->candidate, "ended while it was loading");
	else if (!script->active)
		end(script, 0); /* between two restarts */
	else if (version_finish(script->active))
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
	script->kernel.setting.ring_fd = script->kernel.setting.settings_fd = -1;
	script->pulse = (struct loop_source){.fd = -1, .ready = on_pulse};
	script->probation = (struct loop_source){.fd = -1, .ready = on_probation};
	script->restart = (struct loop_source){.fd = -1, .ready = on_restart};
	if (!options->check)
		err = kernel_side_open(&script->kernel, &script->options.path, options->ring_bytes,
				       options->target_pid, options->targets_fd, error);
	if (!err && (timer_open(loop, &script->pulse) || timer_open(loop, &script->probation) ||
		     timer_open(loop, &script->restart)))
		err = error_set(error, -errno, "%s: timers: %s", options->name, strerror(errno));
	if (err)
		script_close(script);
	else
		*out = script;
	return err;
}

/* Summary. */

struct summary {
	const struct script *script;
	FILE *out;
	bool first;
	struct probe_totals sum;
};

static void add(struct probe_totals *sum, const struct probe_totals *totals)
{
	sum->events += totals->events;
	sum->received += totals->received;
	sum->failed += totals->failed;
	sum->lost_ring += totals->lost_ring;
	sum->lost_map += totals->lost_map;
	sum->refused += totals->refused;
	sum->unhandled += totals->unhandled;
	sum->missed += totals->missed;
}

static void json_probe(FILE *out, const char *name, const struct probe_totals *totals)
{
	fprintf(out, "{\"probe\":");
	json_text(out, name);
	fprintf(out,
		",\"events\":%llu,\"received\":%llu,\"failed\":%llu,\"lost\":{\"ring_full\":%llu,"
		"\"map_full\":%llu,\"quota\":%llu,\"recursion\":%llu,\"unhandled\":%llu},"
		"\"losers\":[",
		(unsigned long long)totals->events, (unsigned long long)totals->received,
		(unsigned long long)totals->failed, (unsigned long long)totals->lost_ring,
		(unsigned long long)totals->lost_map, (unsigned long long)totals->refused,
		(unsigned long long)totals->missed, (unsigned long long)totals->unhandled);
	for (int i = 0; i < totals->loser_count; i++) {
		fprintf(out, "%s{\"pid\":%u,\"comm\":", i ? "," : "", totals->losers[i].pid);
		json_text(out, totals->losers[i].comm);
		fprintf(out, ",\"ring_full\":%llu,\"quota\":%llu}",
			(unsigned long long)totals->losers[i].lost_ring,
			(unsigned long long)totals->losers[i].refused);
	}
	fprintf(out, "]}");
}

/* A line for each thing that went wrong. */
static void say_probe(const struct script *script, const char *name,
		      const struct probe_totals *totals)
{
	if (totals->lost_ring)
		say(script, "%s: lost %llu of %llu events, the ring was full; a larger one: --ring",
		    name, (unsigned long long)totals->lost_ring,
		    (unsigned long long)totals->events);
	if (totals->refused)
		say(script, "%s: %llu events refused, more than their process's quota", name,
		    (unsigned long long)totals->refused);
	for (int i = 0; i < totals->loser_count; i++)
		say(script, "%s: of these, %llu of pid %u%s%s%s", name,
		    (unsigned long long)(totals->losers[i].lost_ring + totals->losers[i].refused),
		    totals->losers[i].pid, *totals->losers[i].comm ? " (" : "",
		    totals->losers[i].comm, *totals->losers[i].comm ? ")" : "");
	if (totals->lost_map)
		say(script, "%s: lost %llu starts, its map was full", name,
		    (unsigned long long)totals->lost_map);
	if (totals->missed)
		say(script, "%s: missed %llu times, it would have interrupted itself", name,
		    (unsigned long long)totals->missed);
	if (totals->unhandled)
		say(script, "%s: %llu events not handled, the script ended before", name,
		    (unsigned long long)totals->unhandled);
	if (totals->failed)
		say(script, "%s: %llu events skipped, their handler raised an error", name,
		    (unsigned long long)totals->failed);
}

static void summarise(void *context, const char *name, const struct probe_totals *totals)
{
	struct summary *summary = context;

	add(&summary->sum, totals);
	if (!summary->script->options.json) {
		say_probe(summary->script, name, totals);
		return;
	}
	if (!summary->first)
		fputc(',', summary->out);
	summary->first = false;
	json_probe(summary->out, name, totals);
}

void script_summary(const struct script *script, uint64_t unfollowed, FILE *out)
{
	struct summary summary = {.script = script, .out = out, .first = true};
	const struct probe_totals *sum = &summary.sum;

	if (script->options.json) {
		fprintf(out, "{\"summary\":{\"script\":");
		json_text(out, script->options.name);
		fprintf(out,
			",\"status\":%d,\"unfollowed\":%llu,\"reloads\":{\"count\":%d,"
			"\"rollbacks\":"
			"%d,\"restarts\":%d,\"pause_ns\":%.0f,\"longest_ns\":%.0f},\"probes\":[",
			script->status, (unsigned long long)unfollowed, script->history.count,
			script->history.rollbacks, script->history.restarts,
			script->history.pause_ns, script->history.longest_ns);
	}
	kernel_side_totals(&script->kernel, summarise, &summary);
	if (script->options.json) {
		fprintf(out, "]}}\n");
		fflush(out);
		return;
	}
	if (unfollowed)
		say(script, "%llu child processes were not followed, the map was full",
		    (unsigned long long)unfollowed);
	if (!script->options.quiet)
		say(script, "%llu events, %llu lost", (unsigned long long)sum->events,
		    (unsigned long long)(sum->lost_ring + sum->lost_map + sum->refused +
					 sum->missed + sum->unhandled));
}

void script_close(struct script *script)
{
	struct loop_source *const timers[] = {&script->pulse, &script->probation, &script->restart};

	if (!script)
		return;
	version_close(script->active);
	version_close(script->candidate);
	version_close(script->previous);
	kernel_side_close(&script->kernel);
	for (int i = 0; i < 3; i++) {
		loop_remove(script->loop, timers[i]);
		if (timers[i]->fd >= 0)
			close(timers[i]->fd);
	}
	free(script);
}
