// SPDX-License-Identifier: Apache-2.0
#include "succession.h"

#include "body.h"
#include "kernel_side.h"
#include "order.h"
#include "staging.h"
#include "version.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static bool is_used(const void *context, const struct probe *probe)
{
	const struct succession *line = context;

	return version_uses(line->active, probe) || version_uses(line->candidate, probe) ||
	       version_uses(line->previous, probe);
}

void succession_release(struct succession *line)
{
	if (line->active)
		kernel_side_release(line->kernel, is_used, line);
}

void succession_tell_pids(const struct succession *line)
{
	const struct version *versions[] = {line->active, line->candidate, line->previous};
	pid_t pids[4] = {getpid()};

	if (script_is_offline(line->options))
		return;
	for (int i = 0; i < 3; i++)
		if (versions[i])
			pids[1 + i] = version_pid(versions[i]);
	kernel_side_own_pids(line->kernel, pids, 4);
}

void succession_drop(struct succession *line, struct version **version)
{
	if (*version)
		kernel_side_forget_pid(line->kernel, version_pid(*version));
	if (line->in_slots == *version)
		line->in_slots = NULL;
	version_close(*version);
	*version = NULL;
	succession_tell_pids(line);
}

static struct staging staging_of(struct succession *line)
{
	return (struct staging){
		.kernel = line->kernel,
		.readers = {line->active, line->candidate, line->previous},
	};
}

/* Its plan cannot be used: then the worker does all of it. */
static void tell_refused(const struct succession *line, const struct declaration *one)
{
	bool is_bug = one->refusal == -EINVAL || one->refusal == -EACCES;

	error_about(line->options->name, "%s; %sthe worker filters and counts instead%s%s%s",
		    one->refused.text,
		    is_bug ? "this is a bug of moonprobe's, please report it; " : "",
		    line->options->explain ? "" : "; moonprobe explain -v ",
		    line->options->explain ? "" : line->options->name,
		    line->options->explain ? "" : " tells more");
}

int succession_prepare(struct succession *line, struct version *version, struct error *error)
{
	struct staging staging = staging_of(line);
	int err = line->options->replay ? 0 : staging_find(&staging, version, error);

	if (line->options->replay)
		return 0;

	for (int i = 0; i < version->count && !err; i++) {
		struct declaration *one = &version->declarations[i];

		err = staging_make(&staging, version, i, error);
		if (err || !one->planned)
			continue;
		if (!one->plan && one->request.insists)
			return error_set(error, -EINVAL, "%s; the script wants it in the kernel",
					 one->refused.text);
		if (!one->plan)
			tell_refused(line, one);
		err = order_staged(version, i, one->plan ? NULL : one->refused.text);
		if (err)
			error_set(error, err, "its worker does not listen: %s", strerror(-err));
	}
	return err;
}

int succession_enter(struct succession *line, struct version *version, struct error *error)
{
	int err;

	if (line->options->replay)
		return 0;
	err = staging_install(version, line->swaps, error);
	line->in_slots = version;
	for (int i = 0; i < version->count && !err; i++)
		err = probe_attach(version->declarations[i].probe, error);
	return err;
}

void succession_settle(struct succession *line, const struct version *version)
{
	for (int i = 0; i < KERNEL_SIDE_PROBES; i++) {
		struct probe *probe = line->kernel->probes[i];

		if (probe && !version_uses(version, probe))
			probe_detach(probe);
	}
}

int succession_restage(struct succession *line, struct version *version, int index,
		       struct error *error)
{
	struct staging staging = staging_of(line);
	struct declaration *one = &version->declarations[index];
	int err = 0;

	/* Not again, when nothing would change. */
	if (one->plan || one->body->is_staged)
		err = staging_make(&staging, version, index, error);
	if (!err && line->in_slots == version)
		err = staging_install(version, line->swaps, error);
	if (err)
		return err;
	if (!one->plan && one->refusal != -EAGAIN)
		tell_refused(line, one);
	return 0;
}

int succession_trim(struct succession *line, struct error *error)
{
	struct staging staging = staging_of(line);
	int err = 0;

	for (int i = 0; i < line->active->count && !err; i++)
		err = staging_trim(&staging, line->active, i, error);
	return err ? err : staging_install(line->active, line->swaps, error);
}

void succession_promote(struct succession *line)
{
	succession_drop(line, &line->previous);
	line->previous = line->active;
	line->active = line->candidate;
	line->candidate = NULL;
	succession_tell_pids(line);
}

void succession_roll_back(struct succession *line)
{
	line->active = line->previous;
	line->previous = NULL;
	succession_tell_pids(line);
}
