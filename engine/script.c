// SPDX-License-Identifier: Apache-2.0
#include "script.h"

#include "child.h"
#include "json.h"
#include "message.h"
#include "record.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROBES 32

/* One version of the script: its process and what it declared. */
struct version {
	struct child *child;
	struct probe_request *requests;
	int request_count;
	struct probe *probes[PROBES]; /* request i is served by probes[i] */
	bool ready;
};

struct retired {
	char name[64];
	struct probe_totals totals;
};

struct script_reloads {
	int count;
	double pause_ns, longest_ns; /* together, and the worst */
};

struct script {
	struct script_options options;
	struct loop *loop;
	const struct script_events *events;
	void *context;
	int ring_fd, settings_fd;
	struct probe *probes[PROBES]; /* by slot */
	bool attached[PROBES];
	struct retired *retired; /* totals of probes that a reload dropped */
	int retired_count;
	struct version active, candidate; /* child is NULL: none */
	bool yielding, finishing;
	int state_fd;	   /* what the old version handed over; -1: nothing */
	double stopped_ns; /* when it stopped */
	struct script_reloads reloads;
	int status; /* to report when the last worker has ended */
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

/* Kernel side. */

static int create_maps(struct script *script, struct error *error)
{
	uint32_t ring_bytes = script->options.ring_bytes;

	script->ring_fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "ring", 0, 0, ring_bytes, NULL);
	if (script->ring_fd < 0)
		return error_set(
			error, -errno, "ring of %u bytes: %s%s", ring_bytes, strerror(errno),
			errno == EINVAL ? "; it must be a power of two of at least a page" : "");
	script->settings_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "settings", sizeof(uint32_t),
					     sizeof(struct script_settings), 1, NULL);
	if (script->settings_fd < 0)
		return error_set(error, -errno, "settings map: %s", strerror(errno));
	return 0;
}

/* Own processes are not traced: their output would cause output. */
static void tell_own_pids(struct script *script)
{
	struct script_settings settings = {.own_pids = {getpid()}};
	uint32_t first = 0;

	if (script->settings_fd < 0)
		return;
	if (script->active.child)
		settings.own_pids[1] = child_pid(script->active.child);
	if (script->candidate.child)
		settings.own_pids[2] = child_pid(script->candidate.child);
	bpf_map_update_elem(script->settings_fd, &first, &settings, BPF_ANY);
}

static bool used_by(const struct version *version, const struct probe *probe)
{
	for (int i = 0; i < version->request_count; i++)
		if (version->probes[i] == probe)
			return true;
	return false;
}

static void retire(struct script *script, int slot)
{
	struct retired *retired =
		reallocarray(script->retired, script->retired_count + 1, sizeof(*retired));

	if (retired) {
		struct retired *one = &retired[script->retired_count++];

		script->retired = retired;
		snprintf(one->name, sizeof(one->name), "%s", probe_name(script->probes[slot]));
		probe_totals(script->probes[slot], &one->totals);
	}
	probe_close(script->probes[slot]);
	script->probes[slot] = NULL;
	script->attached[slot] = false;
}

/* Closes the probes that neither version uses. */
static void retire_unused(struct script *script)
{
	for (int slot = 0; slot < PROBES; slot++)
		if (script->probes[slot] && !used_by(&script->active, script->probes[slot]) &&
		    !used_by(&script->candidate, script->probes[slot]))
			retire(script, slot);
}

static int find_or_open(struct script *script, struct version *version, int index,
			struct error *error)
{
	const struct probe_request *request = &version->requests[index];
	struct probe_setting setting = {
		.path = &script->options.path,
		.ring_fd = script->ring_fd,
		.settings_fd = script->settings_fd,
		.targets_fd = script->options.targets_fd,
		.target_pid = script->options.target_pid,
		.target_by_map = script->options.targets_fd >= 0,
	};
	int slot;

	for (slot = 0; slot < PROBES; slot++) {
		struct probe *probe = script->probes[slot];

		if (probe && probe_serves(probe, request) && !used_by(version, probe)) {
			version->probes[index] = probe;
			/* Events in flight keep their fields until the old version is done. */
			return probe_adapt(probe, request, false, error);
		}
	}
	for (slot = 0; slot < PROBES && script->probes[slot]; slot++)
		;
	if (slot == PROBES)
		return error_set(error, -E2BIG, "more than %d probes in one script", PROBES);
	if (probe_open(&script->probes[slot], request, slot, &setting, error))
		return -EINVAL;
	version->probes[index] = script->probes[slot];
	return 0;
}

/* Versions. */

static void version_close(struct version *version)
{
	child_close(version->child);
	free(version->requests);
	memset(version, 0, sizeof(*version));
}

static void drop_candidate(struct script *script)
{
	version_close(&script->candidate);
	script->yielding = false;
	retire_unused(script);
	tell_own_pids(script);
}

static void end(struct script *script, int status)
{
	script->status = status;
	script->events->ended(script->context, status);
}

/* The candidate could not take over. Without an older version that is the end. */
static void refuse(struct script *script, const char *why)
{
	bool first = !script->active.child;

	say(script, "%s%s", why, first ? "" : "; the running version stays");
	drop_candidate(script);
	if (first)
		end(script, 2);
}

static int send_simple(struct version *version, const char *name)
{
	struct message *message = malloc(sizeof(*message));
	int err = -ENOMEM;

	if (message) {
		message_start(message, name);
		err = child_send(version->child, message);
	}
	free(message);
	return err;
}

static int send_run(struct script *script, struct version *version)
{
	struct message *message = malloc(sizeof(*message));
	int err = -ENOMEM;

	if (!message)
		return err;
	message_start(message, "run");
	message_number(message, script->state_fd >= 0 ? script->stopped_ns : 0);
	if (script->state_fd >= 0)
		message_fd(message, script->state_fd);
	for (int i = 0; i < version->request_count; i++) {
		message_number(message, probe_slot(version->probes[i]));
		message_fd(message, probe_counters_fd(version->probes[i]));
	}
	err = child_send(version->child, message);
	free(message);
	return err;
}

/* The switch: nobody reads the ring now. Attach what is new, start the new version, detach
 * what is no longer used. */
static void switch_over(struct script *script)
{
	struct error error;
	int err = 0;

	for (int slot = 0; slot < PROBES && !err; slot++) {
		if (!script->probes[slot] || script->attached[slot])
			continue;
		err = probe_attach(script->probes[slot], &error);
		script->attached[slot] = !err;
	}
	if (!err) {
		err = send_run(script, &script->candidate);
		if (err)
			error_set(&error, err, "worker does not answer: %s", strerror(-err));
	}
	if (err) {
		refuse(script, error.text);
		return;
	}
	version_close(&script->active);
	script->active = script->candidate;
	memset(&script->candidate, 0, sizeof(script->candidate));
	if (script->state_fd >= 0)
		close(script->state_fd);
	script->state_fd = -1;
	script->yielding = false;
	retire_unused(script);
	tell_own_pids(script);
	/* The old version's fields cost something: leave those out that nobody reads now. */
	for (int i = 0; i < script->active.request_count; i++)
		if (probe_adapt(script->active.probes[i], &script->active.requests[i], true,
				&error))
			say(script, "%s", error.text);
	script->events->running(script->context);
}

static void on_ready(struct script *script, struct version *version)
{
	struct error error;

	if (version != &script->candidate || version->ready)
		return;
	version->ready = true;
	if (script->options.check)
		return; /* its end says the rest */
	for (int i = 0; i < version->request_count; i++)
		if (find_or_open(script, version, i, &error)) {
			refuse(script, error.text);
			return;
		}
	if (!script->active.child) {
		switch_over(script);
	} else if (send_simple(&script->active, "yield")) {
		refuse(script, "the running version does not answer");
	} else {
		script->yielding = true;
	}
}

/* Messages. A worker is not trusted: what does not parse ends it. */

static void reply_file(struct child *child, const char *name, int fd, const char *found)
{
	struct message *reply = malloc(sizeof(*reply));

	if (reply) {
		message_start(reply, name);
		message_text(reply, fd >= 0 ? found : "");
		if (fd >= 0)
			message_fd(reply, fd);
		child_send(child, reply);
	}
	free(reply);
	if (fd >= 0)
		close(fd);
}

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), tail = strlen(end);

	return length >= tail && !strcmp(text + length - tail, end);
}

/* asset NAME -> asset PATH + fd, or asset "" when only the embedded one exists */
static bool on_asset(struct script *script, struct child *child, struct message *message)
{
	char found[4096];
	const char *name;
	int fd;

	if (!message_next_text(message, &name))
		return false;
	if (!ends_with(name, ".lua") && !ends_with(name, ".bpf.o") && !ends_with(name, ".h"))
		return false;
	fd = search_path_open(&script->options.path, name, found, sizeof(found));
	if (fd >= 0)
		script->events->used_file(script->context, found);
	reply_file(child, "asset", fd, found);
	return true;
}

/* module NAME.lua -> the user's module, beside the script or on the search path */
static bool on_module(struct script *script, struct child *child, struct message *message)
{
	struct search_path path = script->options.path;
	char found[4096];
	const char *name;
	int fd;

	if (!message_next_text(message, &name) || !ends_with(name, ".lua"))
		return false;
	if (script->options.folder) {
		if (path.count == SEARCH_DIRS)
			path.count--;
		memmove(path.dirs + 1, path.dirs, path.count * sizeof(*path.dirs));
		path.dirs[0] = (char *)script->options.folder;
		path.count++;
	}
	fd = search_path_open(&path, name, found, sizeof(found));
	if (fd >= 0)
		script->events->used_file(script->context, found);
	reply_file(child, "module", fd, found);
	return true;
}

static bool copy_text(struct message *message, char *to, size_t size)
{
	const char *text;

	return message_next_text(message, &text) && (size_t)snprintf(to, size, "%s", text) < size;
}

static bool parse_request(struct message *message, struct probe_request *request)
{
	const char *what;

	memset(request, 0, sizeof(*request));
	if (!copy_text(message, request->name, sizeof(request->name)))
		return false;
	for (const char *at = request->name; *at; at++)
		if (*at == '/' || *at == '.')
			return false; /* it becomes part of a file name */
	while (!message_at_end(message)) {
		if (!message_next_text(message, &what))
			return false;
		if (!strcmp(what, "field")) {
			if (request->field_count == PROBE_FIELDS ||
			    !copy_text(message, request->fields[request->field_count++], 64))
				return false;
		} else if (!strcmp(what, "knob")) {
			int index = request->knob_count++;

			if (index == PROBE_KNOBS || !copy_text(message, request->knobs[index].name,
							       sizeof(request->knobs[index].name)))
				return false;
			request->knobs[index].is_text = message_next_kind(message) == 's';
			if (request->knobs[index].is_text
				    ? !copy_text(message, request->knobs[index].text,
						 sizeof(request->knobs[index].text))
				    : !message_next_number(message, &request->knobs[index].number))
				return false;
		} else {
			return false;
		}
	}
	return true;
}

/* declare PROBE (knob NAME VALUE | field NAME)* */
static bool on_declare(struct version *version, struct message *message)
{
	struct probe_request *requests;

	if (version->ready || version->request_count == PROBES)
		return false;
	requests = reallocarray(version->requests, version->request_count + 1, sizeof(*requests));
	if (!requests)
		return false;
	version->requests = requests;
	return parse_request(message, &requests[version->request_count++]);
}

/* state WHEN + fd: the old version has stopped; this is what the new one inherits. */
static bool on_state(struct script *script, struct version *version, struct message *message)
{
	if (version != &script->active || !script->yielding ||
	    !message_next_number(message, &script->stopped_ns))
		return false;
	script->state_fd = message_take_fd(message, 0);
	switch_over(script);
	return true;
}

/* running PAUSE: handles events; for PAUSE ns nobody did. */
static bool on_running(struct script *script, struct version *version, struct message *message)
{
	double pause_ns;

	if (version != &script->active || !message_next_number(message, &pause_ns))
		return false;
	if (pause_ns > 0) {
		script->reloads.count++;
		script->reloads.pause_ns += pause_ns;
		if (pause_ns > script->reloads.longest_ns)
			script->reloads.longest_ns = pause_ns;
		if (!script->options.quiet)
			say(script, "reloaded, nothing handled for %.1f ms", pause_ns / 1e6);
	}
	return true;
}

static void on_message(struct child *child, struct message *message)
{
	struct script *script = child_owner(child);
	struct version *version =
		child == script->active.child ? &script->active : &script->candidate;
	const char *name = "", *text;
	bool understood = false;

	if (message_next_text(message, &name)) {
		if (!strcmp(name, "asset")) {
			understood = on_asset(script, child, message);
		} else if (!strcmp(name, "module")) {
			understood = on_module(script, child, message);
		} else if (!strcmp(name, "declare")) {
			understood = on_declare(version, message);
		} else if (!strcmp(name, "ready")) {
			understood = true;
			on_ready(script, version);
		} else if (!strcmp(name, "state")) {
			understood = on_state(script, version, message);
		} else if (!strcmp(name, "running")) {
			understood = on_running(script, version, message);
		} else if (!strcmp(name, "report")) {
			understood = message_next_text(message, &text);
			if (understood)
				say(script, "%s", text);
		} else if (!strcmp(name, "stop")) {
			understood = true;
			script_finish(script);
		}
	}
	if (!understood) {
		say(script, "its worker sent a malformed message ('%.20s'); ended", name);
		child_kill(child);
	}
}

static void on_ended(struct child *child, int status)
{
	struct script *script = child_owner(child);
	bool was_candidate = child == script->candidate.child;
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : 1;

	if (!WIFEXITED(status) && !(script->finishing && WTERMSIG(status) == SIGKILL))
		say(script, "its worker was ended by signal %d (%s)", WTERMSIG(status),
		    strsignal(WTERMSIG(status)));
	if (was_candidate) {
		bool first = !script->active.child;

		if (!first && code)
			say(script, "the new version was not started; the running version stays");
		drop_candidate(script);
		if (first)
			end(script, code);
		return;
	}
	version_close(&script->active);
	if (script->candidate.child) /* it died while yielding: go on with the new one */
		drop_candidate(script);
	end(script, code);
}

static const struct child_events child_events = {.message = on_message, .ended = on_ended};

/* Source as a descriptor: the worker may not be allowed to open it. */
static int open_source(const struct script *script, struct error *error)
{
	const struct script_options *options = &script->options;
	int fd;

	if (options->file) {
		fd = open(options->file, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return error_set(error, -errno, "%s: %s", options->file, strerror(errno));
		script->events->used_file(script->context, options->file);
		return fd;
	}
	fd = memfd_create("source", MFD_CLOEXEC);
	if (fd < 0 ||
	    write(fd, options->text, strlen(options->text)) != (ssize_t)strlen(options->text))
		return error_set(error, -EIO, "%s: cannot be handed over", options->name);
	return fd;
}

static int send_start(struct script *script, int source, struct error *error)
{
	const struct script_options *options = &script->options;
	struct message *message = malloc(sizeof(*message));
	int err = -ENOMEM;

	if (!message)
		return error_set(error, err, "no memory");
	message_start(message, "start");
	message_text(message, options->name);
	message_text(message, options->file ? options->file : "");
	message_text(message, options->json ? "json" : "text");
	message_number(message, options->check);
	message_number(message, options->quiet);
	message_number(message, options->verbose);
	message_number(message, options->path.count);
	message_number(message, options->ring_bytes);
	message_number(message, libbpf_num_possible_cpus());
	for (int i = 0; i < options->argc; i++)
		message_text(message, options->argv[i]);
	message_fd(message, source);
	if (!options->check)
		message_fd(message, script->ring_fd);
	err = child_send(script->candidate.child, message);
	free(message);
	return err ? error_set(error, err, "worker: %s", strerror(-err)) : 0;
}

int script_start(struct script *script, struct error *error)
{
	int source = open_source(script, error), err;

	if (source < 0)
		return source;
	err = child_start(&script->candidate.child, script->loop, &child_events, script, error);
	if (!err) {
		tell_own_pids(script);
		err = send_start(script, source, error);
	}
	close(source);
	return err;
}

int script_reload(struct script *script, struct error *error)
{
	if (script->finishing || script->yielding)
		return 0;
	if (!script->active.child && script->candidate.child)
		return 0; /* still starting for the first time; the next change will do */
	if (script->candidate.child)
		drop_candidate(script); /* overtaken by a newer version */
	return script_start(script, error);
}

void script_finish(struct script *script)
{
	if (script->finishing)
		return;
	script->finishing = true;
	if (script->candidate.child && script->active.child)
		drop_candidate(script);
	if (script->active.child && !send_simple(&script->active, "finish"))
		return;
	/* Not running yet, or it does not listen. */
	child_kill(script->active.child ? script->active.child : script->candidate.child);
}

int script_open(struct script **out, struct loop *loop, const struct script_options *options,
		const struct script_events *events, void *context, struct error *error)
{
	struct script *script = calloc(1, sizeof(*script));
	int err = 0;

	if (!script)
		return error_set(error, -ENOMEM, "no memory");
	script->options = *options;
	script->loop = loop;
	script->events = events;
	script->context = context;
	script->ring_fd = script->settings_fd = script->state_fd = -1;
	if (!options->check)
		err = create_maps(script, error);
	if (err) {
		script_close(script);
		return err;
	}
	*out = script;
	return 0;
}

static uint64_t lost_in(const struct probe_totals *totals)
{
	return totals->lost_ring + totals->lost_map + totals->missed;
}

/* One probe's part of the summary, as text only when something went wrong. */
static void probe_summary(const struct script *script, const char *name,
			  const struct probe_totals *totals, bool first, FILE *out)
{
	if (script->options.json) {
		fprintf(out, "%s{\"probe\":", first ? "" : ",");
		json_text(out, name);
		fprintf(out,
			",\"events\":%llu,\"received\":%llu,\"failed\":%llu,\"lost\":{\"ring_"
			"full\":"
			"%llu,\"map_full\":%llu,\"recursion\":%llu}}",
			(unsigned long long)totals->events, (unsigned long long)totals->received,
			(unsigned long long)totals->failed, (unsigned long long)totals->lost_ring,
			(unsigned long long)totals->lost_map, (unsigned long long)totals->missed);
		return;
	}
	if (totals->lost_ring)
		say(script, "%s: lost %llu of %llu events, the ring was full; a larger one: --ring",
		    name, (unsigned long long)totals->lost_ring,
		    (unsigned long long)totals->events);
	if (totals->lost_map)
		say(script, "%s: lost %llu starts, its map was full", name,
		    (unsigned long long)totals->lost_map);
	if (totals->missed)
		say(script, "%s: missed %llu times, it would have interrupted itself", name,
		    (unsigned long long)totals->missed);
	if (totals->failed)
		say(script, "%s: %llu events skipped, their handler raised an error", name,
		    (unsigned long long)totals->failed);
}

static void add(struct probe_totals *sum, const struct probe_totals *totals)
{
	sum->events += totals->events;
	sum->received += totals->received;
	sum->failed += totals->failed;
	sum->lost_ring += totals->lost_ring;
	sum->lost_map += totals->lost_map;
	sum->missed += totals->missed;
}

void script_summary(const struct script *script, uint64_t unfollowed, FILE *out)
{
	struct probe_totals totals, sum = {0};
	bool first = true;

	if (script->options.json) {
		fprintf(out, "{\"summary\":{\"script\":");
		json_text(out, script->options.name);
		fprintf(out,
			",\"status\":%d,\"unfollowed\":%llu,\"reloads\":{\"count\":%d,"
			"\"pause_ns\":%.0f,\"longest_ns\":%.0f},\"probes\":[",
			script->status, (unsigned long long)unfollowed, script->reloads.count,
			script->reloads.pause_ns, script->reloads.longest_ns);
	}
	for (int slot = 0; slot < PROBES; slot++) {
		if (!script->probes[slot] || probe_totals(script->probes[slot], &totals))
			continue;
		probe_summary(script, probe_name(script->probes[slot]), &totals, first, out);
		add(&sum, &totals);
		first = false;
	}
	for (int i = 0; i < script->retired_count; i++) {
		probe_summary(script, script->retired[i].name, &script->retired[i].totals, first,
			      out);
		add(&sum, &script->retired[i].totals);
		first = false;
	}
	if (script->options.json) {
		fprintf(out, "]}}\n");
		fflush(out);
		return;
	}
	if (unfollowed)
		say(script, "%llu child processes were not followed, the map was full",
		    (unsigned long long)unfollowed);
	if (!script->options.quiet)
		say(script, "%llu events, %llu lost", (unsigned long long)sum.events,
		    (unsigned long long)lost_in(&sum));
}

void script_close(struct script *script)
{
	if (!script)
		return;
	version_close(&script->active);
	version_close(&script->candidate);
	for (int slot = 0; slot < PROBES; slot++)
		probe_close(script->probes[slot]);
	if (script->ring_fd >= 0)
		close(script->ring_fd);
	if (script->settings_fd >= 0)
		close(script->settings_fd);
	if (script->state_fd >= 0)
		close(script->state_fd);
	free(script->retired);
	free(script);
}
