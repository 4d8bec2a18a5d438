// SPDX-License-Identifier: Apache-2.0
#include "watchdog.h"

#include "child.h"
#include "kernel_side.h"
#include "order.h"
#include "version.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LOAD_SECONDS 10 /* to load a version, to hand over, to finish */
#define TEST_SECONDS 60 /* for a test file */
#define IDLE_LOOKS 5	/* between two pings of an idle worker */
#define COUNTS_MS 500	/* of CPU time, since the last look that counted */

/* Its state as /proc shows it: R runs or would, S waits, ...; and the CPU time it has used. */
static char state_of(pid_t pid, uint64_t *cpu_ms)
{
	char path[64], text[512] = "", state = 0;
	unsigned long user = 0, system = 0;
	const char *end;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (file && !fgets(text, sizeof(text), file))
		text[0] = 0;
	if (file)
		fclose(file);
	end = strrchr(text, ')');
	if (end) /* see proc_pid_stat(5) */
		sscanf(end + 1, " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &state,
		       &user, &system);
	*cpu_ms = (user + system) * 1000 / sysconf(_SC_CLK_TCK);
	return state;
}

/* Asks for a sign of life. Returns how many were not answered while the worker was using a CPU:
 * one that waits (for a slow reader of its output, say) is not hung, nor is one that others leave
 * no CPU. */
static int ping(struct version *version)
{
	uint64_t cpu_ms;
	bool computes = state_of(child_pid(version->child), &cpu_ms) == 'R';

	if (version->unanswered && !computes)
		return version->unanswered = 1; /* start counting anew */
	if (version->unanswered && cpu_ms - version->cpu_ms < COUNTS_MS)
		return 0;
	version->cpu_ms = cpu_ms;
	if (!version->unanswered) {
		int err = order_ping(version);

		if (err == -EPIPE || err == -ECONNRESET)
			version_kill(version, "it closed its socket");
		if (err)
			return 0; /* a full socket: what is in it comes first */
	}
	return ++version->unanswered;
}

static void interrupt(struct version *version)
{
	kill(child_pid(version->child), SIGUSR1);
}

void watchdog_candidate(struct watchdog *watchdog, struct version *candidate)
{
	bool test = candidate->options->test;
	int patience = test ? TEST_SECONDS : LOAD_SECONDS;

	if (candidate->ready)
		return;
	if (++watchdog->loading == patience)
		interrupt(candidate);
	else if (watchdog->loading > patience)
		version_kill(candidate, test ? "it took more than a minute"
					     : "it took more than 10 s to load");
}

void watchdog_active(struct watchdog *watchdog, struct version *active,
		     const struct kernel_side *kernel, const char *overdue)
{
	uint64_t waiting, received = kernel_side_received(kernel, &waiting);
	bool progress = received != watchdog->received;
	int missed;

	/* Slow is not hung: somebody counts what is handled. */
	if (progress) {
		if (active->unanswered > 1)
			active->unanswered = 1;
		watchdog->waited = 0;
	}
	watchdog->received = received;
	if (overdue) {
		if (++watchdog->waited > LOAD_SECONDS)
			version_kill(active, overdue);
	} else if (waiting || active->unanswered || progress || ++watchdog->idle >= IDLE_LOOKS) {
		watchdog->idle = 0;
		missed = ping(active);
		if (missed == active->options->patience)
			interrupt(active);
		else if (missed > active->options->patience)
			version_kill(active, "hung in compiled code: it did not answer");
	}
}
