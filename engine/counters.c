// SPDX-License-Identifier: Apache-2.0
#include "counters.h"

#include "record.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int counters_map(struct counters *counters, int map_fd)
{
	size_t page = sysconf(_SC_PAGESIZE);
	void *rows;

	counters->cpus = libbpf_num_possible_cpus();
	counters->bytes = (counters->cpus * sizeof(struct event_counters) + page - 1) / page * page;
	rows = mmap(NULL, counters->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
	if (rows == MAP_FAILED)
		return -errno;
	counters->rows = rows;
	return 0;
}

void counters_unmap(struct counters *counters)
{
	if (counters->rows)
		munmap(counters->rows, counters->bytes);
	counters->rows = NULL;
}

static void find_losers(int map, struct probe_totals *totals)
{
	const int room = PROBE_LOSERS;
	int count = 0;
	struct probe_loser *losers = totals->losers;
	uint32_t pid, *previous = NULL;

	/* The map lives: a key that is evicted meanwhile makes the walk start again. */
	for (int seen = 0; seen < 1024 && !bpf_map_get_next_key(map, previous, &pid); seen++) {
		struct event_sender sender;
		struct probe_loser loser = {.pid = pid};
		int place = count;

		previous = &pid;
		if (bpf_map_lookup_elem(map, &pid, &sender) ||
		    sender.lost_ring + sender.refused == 0)
			continue;
		loser.lost_ring = sender.lost_ring;
		loser.refused = sender.refused;
		memcpy(loser.comm, sender.comm, sizeof(loser.comm) - 1);
		/* Insertion into the few that are wanted, largest first. */
		while (place && losers[place - 1].lost_ring + losers[place - 1].refused <
					loser.lost_ring + loser.refused) {
			if (place < room)
				losers[place] = losers[place - 1];
			place--;
		}
		if (place < room)
			losers[place] = loser;
		count += count < room;
	}
	totals->loser_count = count;
}

void counters_cut(struct counters *counters)
{
	counters->is_cut = true;
	for (int cpu = 0; cpu < counters->cpus; cpu++)
		counters->cut += counters->rows[cpu].events;
}

uint64_t counters_received(const struct counters *counters, uint64_t *waiting)
{
	uint64_t received = 0, sent = 0;

	for (int cpu = 0; cpu < counters->cpus; cpu++) {
		received += counters->rows[cpu].received;
		sent += counters->rows[cpu].events - counters->rows[cpu].lost_ring;
	}
	*waiting += sent > received ? sent - received : 0;
	return received;
}

void counters_totals(const struct counters *counters, int senders_fd, struct probe_totals *totals)
{
	uint64_t accounted;

	memset(totals, 0, sizeof(*totals));
	for (int cpu = 0; cpu < counters->cpus; cpu++) {
		const struct event_counters *row = &counters->rows[cpu];

		totals->events += row->events;
		totals->lost_ring += row->lost_ring;
		totals->lost_map += row->lost_map;
		totals->refused += row->refused;
		totals->received += row->received;
		totals->failed += row->failed;
	}
	accounted = totals->received + totals->lost_ring;
	if (counters->is_cut)
		totals->events = counters->cut > accounted ? counters->cut : accounted;
	if (totals->events > accounted)
		totals->unhandled = totals->events - accounted;
	if (totals->lost_ring || totals->refused)
		find_losers(senders_fd, totals);
}
