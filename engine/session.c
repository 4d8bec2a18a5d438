// SPDX-License-Identifier: Apache-2.0
#include "session.h"

#include "command.h"
#include "command_line.h"
#include "follow.h"
#include "host.h"

#include <bpf/bpf.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct session {
	struct host host;
	struct follow *follow;
	struct command command;
	struct loop_source deadline, traced_end;
	pid_t target_pid;
	uint64_t for_ns;
	int statistics_fd; /* the kernel counts runs while it is open; -1: nobody asked */
	bool started;
	int status;
};

static void on_deadline(struct loop_source *source)
{
	struct session *session = container_of(source, struct session, deadline);

	timer_read(source);
	host_finish(&session->host);
}

static void on_traced_end(struct loop_source *source)
{
	struct session *session = container_of(source, struct session, traced_end);

	loop_remove(session->host.loop, source);
	if (session->command.pid)
		command_reap(&session->command);
	host_finish(&session->host);
}

static void on_running(void *context)
{
	struct session *session = context;
	struct error error;

	if (session->started)
		return;
	session->started = true;
	if (session->for_ns)
		timer_set(&session->deadline, session->for_ns);
	if (command_waits(&session->command) && command_go(&session->command, &error)) {
		error_print("%s", error.text);
		session->status = STATUS_USAGE;
	}
}

/* The command begins before its recording does: when it cannot, what was recorded before stays.
 * What it does meanwhile waits in the ring. */
static int on_recording(void *context, struct error *error)
{
	struct session *session = context;

	return command_waits(&session->command) ? command_go(&session->command, error) : 0;
}

static int watch_end_of(struct session *session, pid_t pid, struct error *error)
{
	session->traced_end.fd = syscall(SYS_pidfd_open, pid, 0);
	if (session->traced_end.fd < 0)
		return error_set(error, -errno, "process %d: %s", pid, strerror(errno));
	fcntl(session->traced_end.fd, F_SETFD, FD_CLOEXEC);
	if (loop_add(session->host.loop, &session->traced_end))
		return error_set(error, -errno, "process %d: %s", pid, strerror(errno));
	return 0;
}

/* The kernel numbers threads and processes alike; programs know processes. */
static int parse_pid(const char *text, pid_t *pid, struct error *error)
{
	char path[64], line[128];
	char *end;
	long number = strtol(text, &end, 10);
	int group = 0;
	FILE *status;

	if (*end || !isdigit((unsigned char)*text) || number <= 0 || number > 1 << 22)
		return error_set(error, -EINVAL, "-p %s: not a process id", text);
	snprintf(path, sizeof(path), "/proc/%ld/status", number);
	status = fopen(path, "re");
	if (!status)
		return error_set(error, -ESRCH, "-p %ld: no such process", number);
	while (fgets(line, sizeof(line), status))
		if (sscanf(line, "Tgid: %d", &group) == 1)
			break;
	fclose(status);
	if (group != number)
		return error_set(error, -EINVAL, "-p %ld: is a thread of process %d; use -p %d",
				 number, group, group);
	*pid = (pid_t)number;
	return 0;
}

/* What is read must not be what is written: opening it for that would empty it. */
static int keep_input(const char *input, const char *output, struct error *error)
{
	struct stat in, out;

	if (!input || !output || stat(input, &in) || stat(output, &out) ||
	    in.st_dev != out.st_dev || in.st_ino != out.st_ino)
		return 0;
	return error_set(error, -EINVAL, "-o %s: is what is read, and would be overwritten",
			 output);
}

static int redirect(const char *file, struct error *error)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0)
		return error_set(error, -errno, "-o %s: %s", file, strerror(errno));
	close(fd);
	return 0;
}

/* The worker is given it: it may not open files itself. `made`: the file was not there before. */
static int open_recording(struct script_options *options, bool *made, struct error *error)
{
	int how = (options->record ? O_WRONLY | O_CREAT : O_RDONLY) | O_CLOEXEC;
	int fd = options->record ? open(options->recording, how | O_EXCL, 0644) : -1;

	*made = fd >= 0;
	options->recording_fd = fd >= 0 ? fd : open(options->recording, how, 0644);
	return options->recording_fd < 0
		       ? error_set(error, -errno, "%s: %s", options->recording, strerror(errno))
		       : 0;
}

/* A recording that was never begun (a mistake in the script) leaves no file behind. */
static void close_recording(const struct script_options *options, bool made)
{
	struct stat status;

	if (made && !fstat(options->recording_fd, &status) && !status.st_size)
		unlink(options->recording);
	close(options->recording_fd);
}

/* What can be told of a script without the kernel is told. */
static int ask_kernel(struct script_options *options, struct error *error)
{
	int err = options->replay ? 0 : check_kernel(error);

	if (!err || !options->explain || options->measure)
		return err;
	error_print("%s; not tried on this kernel", error->text);
	options->check = true;
	return 0;
}

/* What is traced, and what ends the run. */
static int prepare(struct session *session, const struct session_options *wanted,
		   struct script_options *options, struct error *error)
{
	int err = 0;

	if (wanted->pid && wanted->command)
		return error_set(error, -EINVAL, "-p and -c exclude each other");
	if (wanted->pid)
		err = parse_pid(wanted->pid, &session->target_pid, error);
	options->target_pid = session->target_pid;
	if (!err)
		err = ask_kernel(options, error);
	if (!err && options->measure) {
		session->statistics_fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
		if (session->statistics_fd < 0)
			err = error_set(error, -errno, "statistics of BPF programs: %s",
					strerror(errno));
	}
	if (!err && wanted->command) {
		err = command_hold(&session->command, wanted->command, error);
		if (!err)
			err = follow_open(&session->follow, &options->path, session->command.pid,
					  error);
		if (!err)
			options->targets_fd = follow_targets_fd(session->follow);
	}
	if (!err && (session->command.pid || session->target_pid))
		err = watch_end_of(
			session, session->command.pid ? session->command.pid : session->target_pid,
			error);
	if (!err) {
		err = timer_open(session->host.loop, &session->deadline);
		if (err)
			error_set(error, err, "--for: %s", strerror(-err));
	}
	return err;
}

static bool asks_for_help(const struct script_options *options)
{
	for (int i = 0; i < options->argc; i++)
		if (!strcmp(options->argv[i], "--help") || !strcmp(options->argv[i], "-h"))
			return true;
	return false;
}

int session_run(const struct session_options *wanted, const struct script_options *options,
		char *const *names, int count)
{
	struct session session = {
		.deadline = {.fd = -1, .ready = on_deadline},
		.traced_end = {.fd = -1, .ready = on_traced_end},
		.for_ns = wanted->for_ns,
		.statistics_fd = -1,
	};
	struct script_options shared = *options;
	bool made_recording = false;
	struct error error;
	const char *output = options->record ? options->recording : wanted->output;
	int err = options->replay ? keep_input(options->recording, output, &error) : 0;
	int status = STATUS_USAGE;

	/* Sources first: a misspelt name needs no privileges to be told, and costs no file. */
	for (int i = 0; i < count && !err; i++) {
		struct script_options found = *options;
		struct script_source source;

		found.name = names[i];
		err = script_source_find(&source, &found, &error);
		if (!err)
			err = keep_input(found.file, output, &error);
	}
	/* Before signals are blocked: opening a FIFO may wait for its reader. */
	if (!err && wanted->output)
		err = redirect(wanted->output, &error);
	if (!err)
		err = host_open(&session.host, &error);
	if (asks_for_help(options)) {
		shared.check = true; /* the script answers while it is loaded */
		shared.explain = shared.record = shared.replay = false;
	} else if (!err) {
		err = prepare(&session, wanted, &shared, &error);
		if (!err && shared.recording)
			err = open_recording(&shared, &made_recording, &error);
	}
	/* Scripts that see everything must not see each other's workers write. */
	if (!err && count > 1 && !shared.check) {
		shared.own_pids_fd = bpf_map_create(BPF_MAP_TYPE_HASH, "own_pids", sizeof(uint32_t),
						    sizeof(uint32_t), 4 * count + 1, NULL);
		if (shared.own_pids_fd < 0)
			err = error_set(&error, -errno, "map of own processes: %s",
					strerror(errno));
	}
	session.host.running = on_running;
	session.host.recording = on_recording;
	session.host.context = &session;
	for (int i = 0; i < count && !err; i++)
		err = host_add(&session.host, names[i], &shared, wanted->watching, &error);
	if (err) {
		error_print("%s", error.text);
	} else {
		status = host_run(&session.host);
		if (session.status)
			status = session.status;
		else if (!wanted->silent)
			host_summary(&session.host,
				     session.follow ? follow_lost(session.follow) : 0, stdout);
	}
	host_close(&session.host);
	if (shared.own_pids_fd >= 0)
		close(shared.own_pids_fd);
	if (shared.recording_fd >= 0)
		close_recording(&shared, made_recording);
	if (session.statistics_fd >= 0)
		close(session.statistics_fd);
	follow_close(session.follow);
	command_end(&session.command);
	return status;
}

int session_of(struct command_line *line)
{
	char *name = line->text_name ? line->text_name : "-e";

	if (!line->script.text) {
		if (!line->argc)
			return options_mistake(line, "no script given");
		name = *line->argv++;
		line->argc--;
	}
	line->script.argc = line->argc;
	line->script.argv = line->argv;
	return session_run(&line->session, &line->script, &name, 1);
}
