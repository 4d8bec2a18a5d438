// SPDX-License-Identifier: Apache-2.0
#include "staging.h"

#include "body.h"
#include "plan_file.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PROGRAM_US 50000 /* far more than any program runs */

static bool is_taken(const void *context, const struct probe *probe)
{
	return version_uses(context, probe);
}

int staging_find(const struct staging *staging, struct version *version, struct error *error)
{
	const struct version *active = staging->readers[0];

	for (int i = 0; i < version->count; i++) {
		struct declaration *one = &version->declarations[i];

		one->probe =
			kernel_side_find(staging->kernel, &one->request, is_taken, version, error);
		if (!one->probe)
			return -EINVAL;
		if (active && !version_uses(active, one->probe))
			kernel_side_renumber(staging->kernel, one->probe);
	}
	return 0;
}

/* What all that may meet its records read of the declaration's probe. */
static struct probe_request *wanted_of(const struct staging *staging, const struct declaration *one)
{
	struct probe_request *sum = malloc(sizeof(*sum));

	if (!sum)
		return NULL;
	*sum = one->request;
	for (int i = 0; i < STAGING_READERS; i++)
		version_add_fields(staging->readers[i], one->probe, sum);
	return sum;
}

static void replace(struct declaration *one, struct body *body)
{
	if (one->body)
		probe_give_back(one->probe, one->body);
	one->body = body;
}

int staging_make(const struct staging *staging, struct version *version, int index,
		 struct error *error)
{
	struct declaration *one = &version->declarations[index];
	struct probe_request *sum = wanted_of(staging, one);
	struct probe_wish wish = {.request = sum, .plan = one->plan, .before = one->body};
	struct body *body = NULL;
	int err = -ENOENT;

	if (!sum)
		return error_set(error, -ENOMEM, "no memory");
	if (one->plan) {
		err = probe_body(one->probe, &wish, &body, &one->refused);
		if (err) {
			plan_close(one->plan);
			one->plan = NULL;
			one->refusal = err;
		}
	}
	wish.plan = NULL;
	if (err)
		err = probe_body(one->probe, &wish, &body, error);
	free(sum);
	if (!err)
		replace(one, body);
	return err;
}

int staging_trim(const struct staging *staging, struct version *version, int index,
		 struct error *error)
{
	struct declaration *one = &version->declarations[index];
	struct probe_request *sum = wanted_of(staging, one);
	struct probe_wish wish = {.request = sum, .plan = one->plan, .like = one->body};
	struct body *body;
	int err = 0;

	if (!sum)
		return error_set(error, -ENOMEM, "no memory");
	if (sum->field_count < one->body->field_count) {
		err = probe_body(one->probe, &wish, &body, error);
		if (!err)
			replace(one, body);
	}
	free(sum);
	return err;
}

int staging_install(const struct version *version, struct staging_swaps *swaps, struct error *error)
{
	for (int i = 0; i < version->count; i++) {
		const struct declaration *one = &version->declarations[i];
		uint64_t took_ns;
		int replaced = probe_install(one->probe, one->body, &took_ns, error);

		if (replaced < 0)
			return replaced;
		if (!replaced)
			continue;
		swaps->recent[swaps->count++ % STAGING_RECENT] = took_ns;
		swaps->last_ns = took_ns;
	}
	return 0;
}

/* kernel/sched/membarrier.c: synchronize_rcu(), when there is another CPU. A program runs as one
 * RCU read-side section. */
void staging_settle(void)
{
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2 ||
	    syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
		usleep(PROGRAM_US); /* not to be had with nohz_full= */
}

static int compare(const void *a, const void *b)
{
	uint64_t one = *(const uint64_t *)a, other = *(const uint64_t *)b;

	return (one > other) - (one < other);
}

uint64_t staging_median_ns(const struct staging_swaps *swaps)
{
	int count = swaps->count < STAGING_RECENT ? swaps->count : STAGING_RECENT;
	uint64_t sorted[STAGING_RECENT];

	if (!count)
		return 0;
	memcpy(sorted, swaps->recent, count * sizeof(*sorted));
	qsort(sorted, count, sizeof(*sorted), compare);
	return sorted[count / 2];
}
