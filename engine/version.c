// SPDX-License-Identifier: Apache-2.0
#include "version.h"

#include "body.h"
#include "child.h"
#include "golden.h"
#include "message.h"
#include "plan_file.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MESSAGES_PER_SECOND 5000 /* loading a script takes some fifty */
#define RESTAGES_PER_SECOND 600	 /* a worker asks every 2 ms; each takes half of one */
#define SLOW_NS 500000000	 /* for one of them */

/* Sending. */

static struct message *message_new(const char *name)
{
	struct message *message = malloc(sizeof(*message));

	if (message)
		message_start(message, name);
	return message;
}

/* Sends and frees. */
static int dispatch(struct version *version, struct message *message)
{
	int err = message ? child_send(version->child, message) : -ENOMEM;

	free(message);
	return err;
}

/* The descriptors of its stages' maps, in the plan's order. */
static void add_maps(struct message *message, const struct version_declaration *one)
{
	for (int i = 0; i < one->body->maps.count; i++)
		message_fd(message, one->body->maps.fds[i]);
}

int version_staged(struct version *version, int index, const char *why)
{
	struct message *message = message_new("stage");

	if (message) {
		message_number(message, index);
		message_number(message, !why);
		message_text(message, why ? why : "");
		if (!why)
			add_maps(message, &version->declarations[index]);
	}
	return dispatch(version, message);
}

int version_restaged(struct version *version, int index, const char *why)
{
	struct message *message = message_new("restaged");
	const struct version_declaration *one = &version->declarations[index];

	if (message) {
		message_number(message, index);
		message_number(message, why ? -1 : one->body->generation);
		message_text(message, why ? why : "");
		if (!why)
			add_maps(message, one);
	}
	return dispatch(version, message);
}

/* None, for one that no probe serves: the kernel was not asked. */
static int add_programs(struct message *message, const struct version_declaration *one)
{
	struct probe_program program;
	int got = one->probe ? 0 : -ENOENT;

	for (int i = 0; got >= 0; i++) {
		got = probe_program(one->probe, i, one->body, &program);
		if (got <= 0)
			continue;
		message_text(message, program.section);
		message_number(message, program.instructions);
		message_number(message, program.bytes);
		message_number(message, program.runs);
		message_number(message, program.ns);
	}
	return got == -ENOENT ? 0 : got;
}

int version_hooks(struct version *version, uint64_t measured_ns)
{
	int err = 0;

	for (int i = 0; i < version->count && !err; i++) {
		struct message *message = message_new("hooks");

		if (message) {
			message_number(message, i);
			message_number(message, measured_ns);
			err = add_programs(message, &version->declarations[i]);
		}
		if (err)
			free(message);
		else
			err = dispatch(version, message);
	}
	return err;
}

int version_run(struct version *version, const struct version_handover *handover)
{
	struct message *message = message_new("run");

	if (!message)
		return -ENOMEM;
	message_number(message, handover->state_fd >= 0 ? handover->stopped_ns : 0);
	message_number(message, handover->handled_until);
	if (handover->state_fd >= 0)
		message_fd(message, handover->state_fd);
	for (int i = 0; i < version->count && !version->options->replay; i++) {
		const struct version_declaration *one = &version->declarations[i];

		message_number(message, probe_slot(one->probe));
		message_number(message, one->body->generation);
		message_fd(message, probe_counters_fd(one->probe));
	}
	version->unanswered = 0;
	version->started = true;
	return dispatch(version, message);
}

int version_yield(struct version *version)
{
	return dispatch(version, message_new("yield"));
}

int version_resume(struct version *version)
{
	version->unanswered = 0;
	return dispatch(version, message_new("resume"));
}

int version_finish(struct version *version)
{
	return dispatch(version, message_new("finish"));
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

/* Its state as /proc shows it: R runs, S waits, ... */
static char state_of(pid_t pid)
{
	char path[64], text[512] = "";
	const char *end;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (!fgets(text, sizeof(text), file))
		text[0] = 0;
	fclose(file);
	end = strrchr(text, ')');
	return end && end[1] ? end[2] : 0;
}

int version_ping(struct version *version)
{
	if (version->unanswered && state_of(child_pid(version->child)) != 'R')
		return version->unanswered = 1; /* waits: start counting anew */
	if (!version->unanswered) {
		int err = dispatch(version, message_new("ping"));

		if (err == -EPIPE || err == -ECONNRESET)
			version_kill(version, "it closed its socket");
		if (err)
			return 0; /* a full socket: what is in it comes first */
	}
	return ++version->unanswered;
}

void version_second(struct version *version)
{
	version->messages = version->restages = 0;
}

void version_alive(struct version *version)
{
	if (version->unanswered > 1)
		version->unanswered = 1;
}

void version_interrupt(struct version *version)
{
	kill(child_pid(version->child), SIGUSR1);
}

/* Files. The worker may not be allowed to open them; we hand descriptors over. */

static void reply_file(struct version *version, const char *kind, int fd, const char *found)
{
	struct message *reply = message_new(kind);

	if (fd >= 0)
		version->events->used_file(version, found);
	if (reply) {
		message_text(reply, fd >= 0 ? found : "");
		if (fd >= 0)
			message_fd(reply, fd);
	}
	dispatch(version, reply);
	if (fd >= 0)
		close(fd);
}

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), tail = strlen(end);

	return length >= tail && !strcmp(text + length - tail, end);
}

/* asset NAME -> asset PATH + fd, or asset "" when only the embedded one exists */
static bool on_asset(struct version *version, struct message *message)
{
	char found[4096];
	const char *name;
	int fd;

	if (!message_next_text(message, &name))
		return false;
	if (!ends_with(name, ".lua") && !ends_with(name, ".bpf.o") && !ends_with(name, ".h"))
		return false;
	fd = search_path_open(&version->options->path, name, found, sizeof(found));
	reply_file(version, "asset", fd, found);
	return true;
}

/* A file of the user's, beside the script or on the search path. */
static void reply_user_file(struct version *version, const char *kind, const char *name)
{
	struct search_path beside = {.dirs = {(char *)version->options->folder}, .count = 1};
	char found[4096];
	int fd = -ENOENT;

	if (version->options->folder)
		fd = search_path_open(&beside, name, found, sizeof(found));
	if (fd < 0)
		fd = search_path_open(&version->options->path, name, found, sizeof(found));
	reply_file(version, kind, fd, found);
}

/* module NAME.lua -> the user's module */
static bool on_module(struct version *version, struct message *message)
{
	const char *name;

	if (!message_next_text(message, &name) || !ends_with(name, ".lua"))
		return false;
	reply_user_file(version, "module", name);
	return true;
}

/* recording NAME.rec -> what a test replays, beside it or on the search path */
static bool on_recording(struct version *version, struct message *message)
{
	const char *name;

	if (!version->options->test || !message_next_text(message, &name) ||
	    !ends_with(name, ".rec"))
		return false;
	reply_user_file(version, "recording", name);
	return true;
}

/* golden -> golden PATH + fd, or golden "": the texts a test expects; golden + fd writes them first
 */
static bool on_golden(struct version *version, struct message *message)
{
	const struct script_options *options = version->options;
	int text = message_take_fd(message, 0), fd = -EACCES;
	char found[4096];

	if (options->test && options->file && text < 0)
		fd = golden_open(options->file, found, sizeof(found));
	else if (options->update && options->file)
		fd = golden_write(options->file, text, found, sizeof(found));
	if (text >= 0)
		close(text);
	reply_file(version, "golden", fd, found);
	return options->test;
}

/* Declarations. */

static bool copy_text(struct message *message, char *to, size_t size)
{
	const char *text;

	return message_next_text(message, &text) && (size_t)snprintf(to, size, "%s", text) < size;
}

static bool parse_knob(struct message *message, struct probe_request *request)
{
	int index = request->knob_count;

	if (index == PROBE_KNOBS ||
	    !copy_text(message, request->knobs[index].name, sizeof(request->knobs[index].name)))
		return false;
	request->knob_count++;
	request->knobs[index].is_text = message_next_kind(message) == 's';
	if (!request->knobs[index].is_text)
		return message_next_number(message, &request->knobs[index].number);
	return copy_text(message, request->knobs[index].text, sizeof(request->knobs[index].text));
}

static bool parse_field(struct message *message, struct probe_request *request)
{
	if (request->field_count == PROBE_FIELDS)
		return false;
	return copy_text(message, request->fields[request->field_count++],
			 sizeof(request->fields[0]));
}

static bool parse_request(struct message *message, struct probe_request *request)
{
	const char *what;

	while (!message_at_end(message)) {
		if (!message_next_text(message, &what))
			return false;
		if (!strcmp(what, "kernel"))
			request->insists = true;
		else if (!strcmp(what, "field")
				 ? !parse_field(message, request)
				 : strcmp(what, "knob") || !parse_knob(message, request))
			return false;
	}
	return true;
}

/* A plan that cannot be used is no breach of the protocol: the worker can judge by itself. */
static void take_plan(struct version_declaration *one, struct message *message)
{
	int fd = message_take_fd(message, 0);

	plan_close(one->plan);
	one->plan = NULL;
	one->planned = fd >= 0;
	one->refusal = fd < 0 ? 0 : plan_open(&one->plan, fd, &one->refused);
	if (fd >= 0)
		close(fd);
}

/* declare PROBE (kernel | knob NAME VALUE | field NAME)* + fd of the plan? */
static bool on_declare(struct version *version, struct message *message)
{
	struct version_declaration *all, *one;

	if (version->ready || version->count == KERNEL_SIDE_PROBES)
		return false;
	all = reallocarray(version->declarations, version->count + 1, sizeof(*all));
	if (!all)
		return false;
	version->declarations = all;
	one = &all[version->count++];
	memset(one, 0, sizeof(*one));
	if (!copy_text(message, one->request.name, sizeof(one->request.name)) ||
	    strpbrk(one->request.name, "/.")) /* it becomes part of a file name */
		return false;
	take_plan(one, message);
	return parse_request(message, &one->request);
}

/* The fields it reads from now on; the knobs cannot change. */
static bool parse_fields(struct message *message, struct probe_request *request)
{
	struct probe_request *next = malloc(sizeof(*next));
	bool understood;

	if (!next)
		return false;
	*next = *request;
	next->field_count = 0;
	understood = parse_request(message, next) && next->knob_count == request->knob_count;
	if (understood)
		*request = *next;
	free(next);
	return understood;
}

/* A worker must not keep the host, which others need too, busy with its filters. */
static const char *why_not_restage(struct version *version)
{
	if (version->verifies_slowly)
		return "the kernel takes too long to verify this script's stages";
	if (++version->restages > RESTAGES_PER_SECOND)
		return "stages can be replaced 50 times a second";
	return NULL;
}

/* restage INDEX (field NAME)* + fd of the plan: it reads and filters otherwise from now on */
static bool on_restage(struct version *version, struct message *message)
{
	struct version_declaration *one;
	uint64_t start = now_ns();
	const char *why_not;
	double index;

	if (!version->started || version->options->replay || version->options->record ||
	    !message->fd_count || !message_next_number(message, &index) ||
	    !(index >= 0 && index < version->count && index == floor(index)))
		return false;
	one = &version->declarations[(int)index];
	if (!parse_fields(message, &one->request))
		return false;
	why_not = why_not_restage(version);
	if (why_not) {
		plan_close(one->plan);
		one->plan = NULL;
		one->refusal = error_set(&one->refused, -EAGAIN, "%s", why_not);
	} else {
		take_plan(one, message);
	}
	version->events->restage(version, (int)index);
	version->verifies_slowly |= now_ns() - start > SLOW_NS;
	return true;
}

static bool on_ready(struct version *version, struct message *message)
{
	(void)message;
	if (version->ready)
		return false;
	version->ready = true;
	version->events->ready(version);
	return true;
}

static bool on_running(struct version *version, struct message *message)
{
	double pause_ns;

	if (!version->ready || !message_next_number(message, &pause_ns))
		return false;
	version->events->running(version, pause_ns);
	return true;
}

/* state WHEN, POSITION + fd: it has stopped; this is what the next version inherits. */
static bool on_state(struct version *version, struct message *message)
{
	struct version_handover handover;

	if (!version->ready || !message_next_number(message, &handover.stopped_ns) ||
	    !(handover.stopped_ns > 0) || !message_next_number(message, &handover.handled_until) ||
	    !(handover.handled_until >= 0 && isfinite(handover.handled_until)))
		return false;
	handover.state_fd = message_take_fd(message, 0);
	version->unanswered = 0;
	version->events->yielded(version, &handover);
	return true;
}

static bool on_pong(struct version *version, struct message *message)
{
	(void)message;
	version->unanswered = 0;
	return true;
}

/* stuck WHERE: it was interrupted there, and ends */
static bool on_stuck(struct version *version, struct message *message)
{
	const char *where;

	if (!message_next_text(message, &where))
		return false;
	snprintf(version->stuck, sizeof(version->stuck), "hung at %s", where);
	version->condemned = version->stuck;
	return true;
}

static bool on_report(struct version *version, struct message *message)
{
	const char *line;

	if (!message_next_text(message, &line))
		return false;
	version->events->report(version, line);
	return true;
}

/* total PROBE EVENTS RECEIVED FAILED RING_FULL MAP_FULL REFUSED UNHANDLED: of a replay, where no
 * counter of the kernel says it */
static bool on_total(struct version *version, struct message *message)
{
	double numbers[7];
	char name[64];

	if (!version->options->replay || !copy_text(message, name, sizeof(name)))
		return false;
	for (int i = 0; i < 7; i++)
		if (!message_next_number(message, &numbers[i]) ||
		    !(numbers[i] >= 0 && numbers[i] <= 0x1p53))
			return false;
	version->events->total(version, name,
			       &(struct probe_totals){
				       .events = numbers[0],
				       .received = numbers[1],
				       .failed = numbers[2],
				       .lost_ring = numbers[3],
				       .lost_map = numbers[4],
				       .refused = numbers[5],
				       .unhandled = numbers[6],
			       });
	return true;
}

static bool on_stop(struct version *version, struct message *message)
{
	(void)message;
	version->events->wants_stop(version);
	return true;
}

static void on_message(struct child *child, struct message *message)
{
	static const struct {
		const char *name;
		bool (*take)(struct version *version, struct message *message);
	} kinds[] = {
		{"asset", on_asset},
		{"module", on_module},
		{"declare", on_declare},
		{"ready", on_ready},
		{"state", on_state},
		{"pong", on_pong},
		{"running", on_running},
		{"report", on_report},
		{"stop", on_stop},
		{"stuck", on_stuck},
		{"restage", on_restage},
		{"golden", on_golden},
		{"recording", on_recording},
		{"total", on_total},
		{"object", own_objects_on_file},
		{"load", own_objects_on_load},
		{"entry", own_objects_on_entry},
		{"find", own_objects_on_find},
		{"inner", own_objects_on_inner},
	};
	struct version *version = child_owner(child);
	const char *name;

	if (++version->messages > MESSAGES_PER_SECOND) {
		version_kill(version, "it flooded its host with messages");
		return;
	}
	if (message_next_text(message, &name))
		for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
			if (!strcmp(name, kinds[i].name)) {
				if (kinds[i].take(version, message))
					return; /* which may have closed the version */
				break;
			}
	version_kill(version, "it sent a malformed message");
}

static void on_ended(struct child *child, int status)
{
	struct version *version = child_owner(child);
	char how[300];

	if (WIFEXITED(status) && !version->condemned) {
		version->events->ended(version, WEXITSTATUS(status), NULL);
		return;
	}
	if (version->condemned)
		snprintf(how, sizeof(how), "%s", version->condemned);
	else
		snprintf(how, sizeof(how), "ended by signal %d, %s", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	version->events->ended(version, 1, how);
}

static const struct child_events child_events = {.message = on_message, .ended = on_ended};

/* Copies a script into memory: what is run does not change when the file does. */
static int read_source(const char *file, int memory, struct error *error)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat status;
	char part[16384];
	ssize_t got;

	if (fd < 0)
		return error_set(error, -errno, "%s: %s", file, strerror(errno));
	if (fstat(fd, &status) || !S_ISREG(status.st_mode)) {
		close(fd);
		return error_set(error, -EINVAL, "%s: is no regular file any more", file);
	}
	while ((got = read(fd, part, sizeof(part))) > 0)
		if (write(memory, part, got) != got)
			got = -1;
	close(fd);
	return got ? error_set(error, -EIO, "%s: cannot be read: %s", file, strerror(errno)) : 0;
}

/* Source as a descriptor of memory. */
static int open_source(struct version *version, struct error *error)
{
	const struct script_options *options = version->options;
	int fd = memfd_create("source", MFD_CLOEXEC), err = 0;

	if (fd < 0)
		return error_set(error, -errno, "%s: memfd_create: %s", options->name,
				 strerror(errno));
	if (options->file) {
		err = read_source(options->file, fd, error);
		version->events->used_file(version, options->file);
	} else if (write(fd, options->text, strlen(options->text)) !=
		   (ssize_t)strlen(options->text)) {
		err = error_set(error, -EIO, "%s: cannot be handed over", options->name);
	}
	if (err)
		close(fd);
	return err ? err : fd;
}

/* What the worker is for, see stdlib/boot.lua. */
static int mode_of(const struct script_options *options)
{
	if (options->explain)
		return options->measure ? 4 : 3;
	if (options->record)
		return 5;
	if (options->replay)
		return 6;
	if (options->test)
		return 7;
	return options->check + options->permissions;
}

static int send_start(struct version *version, int source, int ring_fd)
{
	const struct script_options *options = version->options;
	struct message *message = message_new("start");

	if (!message)
		return -ENOMEM;
	message_text(message, options->name);
	message_text(message, options->file ? options->file : "");
	message_text(message, options->json ? "json" : "text");
	message_number(message, mode_of(options));
	message_number(message, options->quiet);
	message_number(message, options->verbose);
	message_number(message, options->path.count);
	message_number(message, options->ring_bytes);
	message_number(message, libbpf_num_possible_cpus());
	message_text(message, options->allow ? options->allow : "");
	message_text(message, options->recording ? options->recording : "");
	message_text(message, options->playback ? options->playback : "");
	message_number(message, options->path.count + !!options->folder);
	if (options->folder)
		message_text(message, options->folder);
	for (int i = 0; i < options->path.count; i++)
		message_text(message, options->path.dirs[i]);
	for (int i = 0; i < options->argc; i++)
		message_text(message, options->argv[i]);
	message_fd(message, source);
	if (ring_fd >= 0)
		message_fd(message, ring_fd);
	if (options->recording_fd >= 0)
		message_fd(message, options->recording_fd);
	if (options->steps_fd >= 0)
		message_fd(message, options->steps_fd);
	return dispatch(version, message);
}

int version_start(struct version **out, struct loop *loop, const struct script_options *options,
		  int source_fd, int ring_fd, const struct version_events *events, void *owner,
		  struct error *error)
{
	struct version *version = calloc(1, sizeof(*version));
	int err;

	if (!version)
		return error_set(error, -ENOMEM, "%s: no memory", options->name);
	version->owner = owner;
	version->events = events;
	version->options = options;
	if (source_fd < 0) {
		version->source_fd = open_source(version, error);
	} else {
		version->source_fd = fcntl(source_fd, F_DUPFD_CLOEXEC, 0);
		if (version->source_fd < 0)
			error_set(error, -errno, "%s: %s", options->name, strerror(errno));
	}
	err = version->source_fd < 0 ? -EIO : 0;
	if (!err)
		err = child_start(&version->child, loop, &child_events, version, error);
	if (!err) {
		version->pid = child_pid(version->child);
		err = send_start(version, version->source_fd, ring_fd);
		if (err)
			error_set(error, err, "%s: its worker: %s", options->name, strerror(-err));
	}
	if (err)
		version_close(version);
	else
		*out = version;
	return err;
}

int version_take_source(struct version *version)
{
	int fd = version->source_fd;

	version->source_fd = -1;
	return fd;
}

pid_t version_pid(const struct version *version)
{
	return version->pid;
}

bool version_uses(const struct version *version, const struct probe *probe)
{
	for (int i = 0; version && i < version->count; i++)
		if (version->declarations[i].probe == probe)
			return true;
	return false;
}

void version_add_fields(const struct version *version, const struct probe *probe,
			struct probe_request *sum)
{
	for (int i = 0; version && i < version->count; i++)
		if (version->declarations[i].probe == probe)
			probe_request_add_fields(sum, &version->declarations[i].request);
}

void version_kill(struct version *version, const char *why)
{
	if (!version->condemned)
		version->condemned = why;
	child_kill(version->child);
}

void version_close(struct version *version)
{
	if (!version)
		return;
	child_close(version->child);
	if (version->source_fd >= 0)
		close(version->source_fd);
	for (int i = 0; i < version->count; i++) {
		struct version_declaration *one = &version->declarations[i];

		if (one->body)
			probe_give_back(one->probe, one->body);
		plan_close(one->plan);
	}
	own_objects_close(&version->own);
	free(version->declarations);
	free(version);
}
