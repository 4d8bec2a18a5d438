// SPDX-License-Identifier: Apache-2.0
#include "summary.h"

#include "error.h"
#include "json.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static void say(const struct script_options *options, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void say(const struct script_options *options, const char *format, ...)
{
	char line[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	error_print("%s: %s", options->name, line);
}

struct summary {
	const struct script_options *options;
	FILE *out;
	bool json, first;
	struct probe_totals sum;
};

static void add(struct probe_totals *sum, const struct probe_totals *totals)
{
	sum->events += totals->events;
	sum->received += totals->received;
	sum->failed += totals->failed;
	sum->lost_ring += totals->lost_ring;
	sum->lost_map += totals->lost_map;
	sum->refused += totals->refused;
	sum->unhandled += totals->unhandled;
	sum->missed += totals->missed;
	sum->was_staged |= totals->was_staged;
}

static void json_probe(FILE *out, const char *name, const struct probe_totals *totals)
{
	fprintf(out, "{\"probe\":");
	json_text(out, name);
	fprintf(out,
		",\"events\":%llu,\"received\":%llu,\"failed\":%llu,\"lost\":{\"ring_full\":%llu,"
		"\"map_full\":%llu,\"quota\":%llu,\"recursion\":%llu,\"unhandled\":%llu},"
		"\"losers\":[",
		(unsigned long long)totals->events, (unsigned long long)totals->received,
		(unsigned long long)totals->failed, (unsigned long long)totals->lost_ring,
		(unsigned long long)totals->lost_map, (unsigned long long)totals->refused,
		(unsigned long long)totals->missed, (unsigned long long)totals->unhandled);
	for (int i = 0; i < totals->loser_count; i++) {
		fprintf(out, "%s{\"pid\":%u,\"comm\":", i ? "," : "", totals->losers[i].pid);
		json_text(out, totals->losers[i].comm);
		fprintf(out, ",\"ring_full\":%llu,\"quota\":%llu}",
			(unsigned long long)totals->losers[i].lost_ring,
			(unsigned long long)totals->losers[i].refused);
	}
	fprintf(out, "]}");
}

/* A line for each thing that went wrong. */
static void say_probe(const struct script_options *options, const char *name,
		      const struct probe_totals *totals)
{
	if (totals->lost_ring)
		say(options,
		    "%s: lost %llu of %llu events, the ring was full; a larger one: --ring", name,
		    (unsigned long long)totals->lost_ring, (unsigned long long)totals->events);
	if (totals->refused)
		say(options, "%s: %llu events refused, more than their process's quota", name,
		    (unsigned long long)totals->refused);
	for (int i = 0; i < totals->loser_count; i++)
		say(options, "%s: of these, %llu of pid %u%s%s%s", name,
		    (unsigned long long)(totals->losers[i].lost_ring + totals->losers[i].refused),
		    totals->losers[i].pid, *totals->losers[i].comm ? " (" : "",
		    totals->losers[i].comm, *totals->losers[i].comm ? ")" : "");
	if (totals->lost_map)
		say(options, "%s: lost %llu starts, its map was full", name,
		    (unsigned long long)totals->lost_map);
	if (totals->missed)
		say(options, "%s: missed %llu times, it would have interrupted itself", name,
		    (unsigned long long)totals->missed);
	if (totals->unhandled)
		say(options, "%s: %llu events not handled, the script ended before", name,
		    (unsigned long long)totals->unhandled);
	if (totals->failed)
		say(options, "%s: %llu events skipped, their handler raised an error", name,
		    (unsigned long long)totals->failed);
}

static void summarise(void *context, const char *name, const struct probe_totals *totals)
{
	struct summary *summary = context;

	add(&summary->sum, totals);
	if (!summary->json) {
		say_probe(summary->options, name, totals);
		return;
	}
	if (!summary->first)
		fputc(',', summary->out);
	summary->first = false;
	json_probe(summary->out, name, totals);
}

static int ring_index(const struct script_history *history, const char *name)
{
	int i = 0;

	while (i < history->ring_count && strcmp(history->rings[i].name, name))
		i++;
	return i;
}

void summary_add_ring(struct script_history *history, const char *name, uint64_t received,
		      uint64_t failed)
{
	struct summary_ring *rings = history->rings;
	int i = ring_index(history, name);

	if (i == history->ring_count && i >= SUMMARY_RINGS - 1) {
		name = "(others)";
		i = ring_index(history, name);
	}
	if (i == history->ring_count) {
		rings = reallocarray(rings, i + 1, sizeof(*rings));
		if (!rings) {
			error_print("ring %s: %llu records are not in the summary, no memory", name,
				    (unsigned long long)received);
			return;
		}
		history->rings = rings;
		history->ring_count++;
		rings[i] = (struct summary_ring){0};
		snprintf(rings[i].name, sizeof(rings[i].name), "%s", name);
	}
	rings[i].received += received;
	rings[i].failed += failed;
}

static void json_rings(const struct script_history *history, FILE *out)
{
	for (int i = 0; i < history->ring_count; i++) {
		const struct summary_ring *ring = &history->rings[i];

		fprintf(out, "%s{\"ring\":", i ? "," : "");
		json_text(out, ring->name);
		fprintf(out, ",\"received\":%llu,\"failed\":%llu}",
			(unsigned long long)ring->received, (unsigned long long)ring->failed);
	}
}

static void say_rings(const struct script_options *options, const struct script_history *history)
{
	for (int i = 0; i < history->ring_count; i++) {
		const struct summary_ring *ring = &history->rings[i];

		if (ring->failed)
			say(options, "ring %s: %llu records skipped, their handler raised an error",
			    ring->name, (unsigned long long)ring->failed);
		if (!options->quiet)
			say(options, "ring %s: %llu records received", ring->name,
			    (unsigned long long)ring->received);
	}
}

void summary_print(const struct script_options *options, const struct kernel_side *kernel,
		   const struct script_history *history, uint64_t unfollowed, FILE *out)
{
	/* Who wants no summary is told what went wrong all the same. */
	struct summary summary = {.options = options,
				  .out = out,
				  .json = options->json && !options->quiet,
				  .first = true};
	const struct probe_totals *sum = &summary.sum;

	if (summary.json) {
		fprintf(out, "{\"summary\":{\"script\":");
		json_text(out, options->name);
		fprintf(out,
			",\"status\":%d,\"unfollowed\":%llu,\"reloads\":{\"count\":%d,"
			"\"rollbacks\":"
			"%d,\"restarts\":%d,\"pause_ns\":%.0f,\"longest_ns\":%.0f},"
			"\"swaps\":{\"count\":%d,\"last_ns\":%llu,\"median_ns\":%llu},"
			"\"probes\":[",
			history->status, (unsigned long long)unfollowed, history->reloads,
			history->rollbacks, history->restarts, history->pause_ns,
			history->longest_ns, history->swaps.count,
			(unsigned long long)history->swaps.last_ns,
			(unsigned long long)staging_median_ns(&history->swaps));
	}
	kernel_side_totals(kernel, summarise, &summary);
	if (summary.json) {
		fprintf(out, "],\"rings\":[");
		json_rings(history, out);
		fprintf(out, "]}}\n");
		fflush(out);
		return;
	}
	if (unfollowed)
		say(options, "%llu child processes were not followed, the map was full",
		    (unsigned long long)unfollowed);
	say_rings(options, history);
	if (!options->quiet)
		say(options, "%llu events, %llu lost%s", (unsigned long long)sum->events,
		    (unsigned long long)(sum->lost_ring + sum->lost_map + sum->refused +
					 sum->missed + sum->unhandled),
		    sum->was_staged ? ", besides those the kernel filtered or folded" : "");
}
