/* SPDX-License-Identifier: Apache-2.0 */
/* Counters: what a probe sent, what was lost and where.
 *
 *   kernel side --event_counters, a row per CPU--> here <--received, failed-- worker
 *
 * Mapped, so reading them costs no system call. */
#ifndef MOONPROBE_COUNTERS_H
#define MOONPROBE_COUNTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROBE_LOSERS 3

/* A process that lost events: to a full ring, or to its quota. */
struct probe_loser {
	uint32_t pid; /* 0: no process in particular */
	char comm[16];
	uint64_t lost_ring, refused;
};

/* What was lost and where, summed over CPUs. */
struct probe_totals {
	uint64_t events, received, failed;
	uint64_t lost_ring, lost_map, refused;
	uint64_t unhandled; /* neither received nor lost: still in the ring when the script ended */
	uint64_t missed;    /* programs not run: they would have interrupted themselves */
	struct probe_loser losers[PROBE_LOSERS]; /* those that lost most */
	int loser_count;
	bool was_staged; /* what its stages filtered or folded is in none of these */
};

struct event_counters;

struct counters {
	struct event_counters *rows; /* NULL: not mapped */
	size_t bytes;
	int cpus;
	bool is_cut;
	uint64_t cut; /* events when it was */
};

int counters_map(struct counters *counters, int map_fd); /* 0 or -errno */
void counters_unmap(struct counters *counters);

/* Totals end here: later events count only if they have been received, or lost. */
void counters_cut(struct counters *counters);

/* Events received; adds what waits in the ring to `waiting`. */
uint64_t counters_received(const struct counters *counters, uint64_t *waiting);

/* All but `missed`. `senders_fd` is the map of struct event_sender. */
void counters_totals(const struct counters *counters, int senders_fd, struct probe_totals *totals);

#endif
