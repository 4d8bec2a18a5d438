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
	const struct succession *versions = context;

	return version_uses(versions->active, probe) || version_uses(versions->candidate, probe) ||
	       version_uses(versions->previous, probe);
}

void succession_release(struct succession *versions)
{
	const struct version *const all[] = {versions->active, versions->candidate,
					     versions->previous};

	if (!versions->active)
		return;
	kernel_side_release(versions->kernel, is_used, versions);
	object_set_release(&versions->objects, all, 3);
}

void succession_tell_pids(const struct succession *versions)
{
	const struct version *all[] = {versions->active, versions->candidate, versions->previous};
	pid_t pids[4] = {getpid()};

	if (script_is_offline(versions->options))
		return;
	for (int i = 0; i < 3; i++)
		if (all[i])
			pids[1 + i] = version_pid(all[i]);
	kernel_side_own_pids(versions->kernel, pids, 4);
}

void succession_drop(struct succession *versions, struct version **version)
{
	if (*version)
		kernel_side_forget_pid(versions->kernel, version_pid(*version));
	if (versions->in_slots == *version)
		versions->in_slots = NULL;
	version_close(*version);
	*version = NULL;
	succession_tell_pids(versions);
}

static struct staging staging_of(struct succession *versions)
{
	return (struct staging){
		.kernel = versions->kernel,
		.readers = {versions->active, versions->candidate, versions->previous},
	};
}

/* Its plan cannot be used: then the worker does all of it. */
static void tell_refused(const struct succession *versions, const struct declaration *one)
{
	bool is_bug = one->refusal == -EINVAL || one->refusal == -EACCES;

	error_about(versions->options->name, "%s; %sthe worker filters and counts instead%s%s%s",
		    one->refused.text,
		    is_bug ? "this is a bug of moonprobe's, please report it; " : "",
		    versions->options->explain ? "" : "; moonprobe explain -v ",
		    versions->options->explain ? "" : versions->options->name,
		    versions->options->explain ? "" : " tells more");
}

int succession_prepare(struct succession *versions, struct version *version, struct error *error)
{
	struct staging staging = staging_of(versions);
	int err = versions->options->replay ? 0 : staging_find(&staging, version, error);

	if (versions->options->replay)
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
			tell_refused(versions, one);
		err = order_staged(version, i, one->plan ? NULL : one->refused.text);
		if (err)
			error_set(error, err, "its worker does not listen: %s", strerror(-err));
	}
	return err ? err : own_objects_find(version, &versions->objects, error);
}

static int attach(const struct version *version, bool walks, struct error *error)
{
	int err = 0;

	for (int i = 0; i < version->count && !err; i++)
		if (probe_is_walk(version->declarations[i].probe) == walks)
			err = probe_attach(version->declarations[i].probe, error);
	return err;
}

/* What attaching takes, some ms, is not between the two: else the events of a probe that has other
 * knobs now would be told twice for so long, or not at all. */
static int switch_bodies(struct succession *versions, const struct version *version,
			 struct error *error)
{
	int err = staging_install(version, versions->swaps, error);

	versions->in_slots = version;
	for (int i = 0; i < KERNEL_SIDE_PROBES && !err; i++) {
		struct probe *probe = versions->kernel->probes[i];

		if (probe && !version_uses(version, probe))
			probe_mute(probe);
	}
	return err;
}

int succession_enter(struct succession *versions, struct version *version, struct error *error)
{
	int err;

	if (versions->options->replay)
		return 0;
	err = attach(version, false, error);
	if (!err)
		err = switch_bodies(versions, version, error);
	if (!err)
		err = attach(version, true, error);
	return err ? err : own_objects_attach(version, error);
}

void succession_detach_others(struct succession *versions, const struct version *version)
{
	for (int i = 0; i < KERNEL_SIDE_PROBES; i++) {
		struct probe *probe = versions->kernel->probes[i];

		if (probe && !version_uses(version, probe))
			probe_detach(probe);
	}
	object_set_detach(&versions->objects, version);
}

int succession_restage(struct succession *versions, struct version *version, int index,
		       struct error *error)
{
	struct staging staging = staging_of(versions);
	struct declaration *one = &version->declarations[index];
	int err = 0;

	/* Not again, when nothing would change. */
	if (one->plan || one->body->is_staged)
		err = staging_make(&staging, version, index, error);
	if (!err && versions->in_slots == version)
		err = staging_install(version, versions->swaps, error);
	if (err)
		return err;
	if (!one->plan && one->refusal != -EAGAIN)
		tell_refused(versions, one);
	return 0;
}

int succession_trim(struct succession *versions, struct error *error)
{
	struct staging staging = staging_of(versions);
	int err = 0;

	for (int i = 0; i < versions->active->count && !err; i++)
		err = staging_trim(&staging, versions->active, i, error);
	return err ? err : staging_install(versions->active, versions->swaps, error);
}

void succession_promote(struct succession *versions)
{
	succession_drop(versions, &versions->previous);
	versions->previous = versions->active;
	versions->active = versions->candidate;
	versions->candidate = NULL;
	succession_tell_pids(versions);
}

void succession_roll_back(struct succession *versions)
{
	versions->active = versions->previous;
	versions->previous = NULL;
	succession_tell_pids(versions);
}
