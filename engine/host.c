// SPDX-License-Identifier: Apache-2.0
#include "host.h"

#include "command_line.h"
#include "file_limit.h"
#include "kernel_btf.h"
#include "script.h"
#include "watch.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

struct host_script {
	struct host_script *next;
	struct host *host;
	struct script_options options;
	struct script *script;
	struct watch *watch; /* NULL: not reloaded */
	struct script_source source;
	bool ended, ran;
};

static void on_signal(struct loop_source *source)
{
	struct host *host = container_of(source, struct host, signals);
	struct signalfd_siginfo signal;

	if (read(source->fd, &signal, sizeof(signal)) == sizeof(signal))
		host_finish(host);
}

static void on_changed(void *context)
{
	struct host_script *one = context;

	if (!one->ended)
		script_reload(one->script);
}

static void on_used_file(void *context, const char *file)
{
	struct host_script *one = context;

	char *target = one->watch ? realpath(file, NULL) : NULL;

	/* The name that was used, and what it leads to. */
	if (target && strcmp(target, file))
		watch_add(one->watch, target);
	free(target);
	if (one->watch && watch_add(one->watch, file))
		error_print("%s: changes of %s cannot be watched", one->options.name, file);
}

/* Tells when nobody is still loading, and ends when nobody is left. */
static void take_stock(struct host *host)
{
	bool loading = false, left = false;

	for (struct host_script *one = host->scripts; one; one = one->next) {
		loading |= !one->ran && !one->ended;
		left |= !one->ended;
	}
	if (!left)
		loop_stop(host->loop);
	if (!left || loading)
		return;
	kernel_btf_release();
	host->running(host->context);
}

static void on_running(void *context)
{
	struct host_script *one = context;

	one->ran = true;
	take_stock(one->host);
}

static void on_ended(void *context, int status)
{
	struct host_script *one = context;

	one->ended = true;
	if (status > one->host->status)
		one->host->status = status;
	take_stock(one->host);
}

static int on_recording(void *context, struct error *error)
{
	const struct host *host = ((struct host_script *)context)->host;

	return host->recording ? host->recording(host->context, error) : 0;
}

static const struct script_events script_events = {
	.recording = on_recording,
	.running = on_running,
	.ended = on_ended,
	.used_file = on_used_file,
};

int host_open(struct host *host, struct error *error)
{
	sigset_t signals;
	int err;

	file_limit_raise();
	memset(host, 0, sizeof(*host));
	host->signals = (struct loop_source){.fd = -1, .ready = on_signal};
	err = loop_open(&host->loop);
	if (err)
		return error_set(error, err, "loop: %s", strerror(-err));
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	host->signals.fd = signalfd(-1, &signals, SFD_CLOEXEC);
	err = host->signals.fd < 0 ? -errno : loop_add(host->loop, &host->signals);
	return err ? error_set(error, err, "signals: %s", strerror(-err)) : 0;
}

int host_add(struct host *host, const char *name, const struct script_options *options,
	     bool watching, struct error *error)
{
	struct host_script *one = calloc(1, sizeof(*one));
	int err;

	if (!one)
		return error_set(error, -ENOMEM, "%s: no memory", name);
	one->host = host;
	one->options = *options;
	one->options.name = name;
	one->next = host->scripts;
	host->scripts = one;
	err = script_source_find(&one->source, &one->options, error);
	if (!err && watching) {
		err = watch_open(&one->watch, host->loop, on_changed, one);
		if (err)
			error_set(error, err, "%s: -w: %s", name, strerror(-err));
	}
	if (!err)
		err = script_open(&one->script, host->loop, &one->options, &script_events, one,
				  error);
	if (!err)
		err = script_start(one->script, error);
	one->ended = err != 0;
	return err;
}

int host_run(struct host *host)
{
	bool needs_kernel = false;
	int err;

	for (struct host_script *one = host->scripts; one; one = one->next)
		needs_kernel |= !script_is_offline(&one->options);
	if (needs_kernel)
		kernel_btf_load(); /* meanwhile the workers start */
	err = loop_run(host->loop);
	return err ? STATUS_FAILED : host->status;
}

void host_finish(struct host *host)
{
	for (struct host_script *one = host->scripts; one; one = one->next)
		if (!one->ended)
			script_finish(one->script);
}

void host_summary(struct host *host, uint64_t unfollowed, FILE *out)
{
	for (struct host_script *one = host->scripts; one; one = one->next)
		if (one->ran)
			script_summary(one->script, unfollowed, out);
}

void host_close(struct host *host)
{
	if (!host->loop)
		return;
	while (host->scripts) {
		struct host_script *next = host->scripts->next;

		script_close(host->scripts->script);
		watch_close(host->scripts->watch);
		free(host->scripts);
		host->scripts = next;
	}
	loop_remove(host->loop, &host->signals);
	if (host->signals.fd >= 0)
		close(host->signals.fd);
	loop_close(host->loop);
}
