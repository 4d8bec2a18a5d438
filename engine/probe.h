/* SPDX-License-Identifier: Apache-2.0 */
/* Probe: one script's instance of a probe: its programs, its maps, its counters.
 *
 *   request --probe_open()--> opened -> specialised -> loaded -> slots -> dispatchers
 *           --probe_attach()-> links
 *           --probe_adapt()-> a new body, with other fields, in the same slots
 *
 * Specialised means: rodata says which process, which knobs, and which fields somebody
 * reads; the verifier then removes the code of the rest. The maps a probe keeps its state
 * in live as long as the instance, whatever body runs. */
#ifndef MOONPROBE_PROBE_H
#define MOONPROBE_PROBE_H

#include "asset.h"
#include "error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define PROBE_KNOBS 32
#define PROBE_FIELDS 64

/* What a script asks for. */
struct probe_request {
	char name[64];
	struct {
		char name[64];
		bool is_text;
		double number;
		char text[128];
	} knobs[PROBE_KNOBS];
	int knob_count;
	char fields[PROBE_FIELDS][64]; /* those read by anybody */
	int field_count;
};

bool probe_request_has_field(const struct probe_request *request, const char *field);

/* What all probes of a script share. */
struct probe_setting {
	const struct search_path *path;
	int ring_fd, settings_fd, targets_fd;
	pid_t target_pid;   /* 0: any */
	bool target_by_map; /* only processes in the targets map */
	bool except_by_map; /* all processes but those in the targets map */
};

struct probe;

/* Loads it, with events of slot `slot`; probe_attach() makes them flow. */
int probe_open(struct probe **probe, const struct probe_request *request, int slot,
	       const struct probe_setting *setting, struct error *error);
int probe_attach(struct probe *probe, struct error *error); /* no-op when attached */
void probe_detach(struct probe *probe);			    /* can be attached again */

/* True when an instance for `request` could be this one: same probe, same knobs. */
bool probe_serves(const struct probe *probe, const struct probe_request *request);

/* Makes the body capture the fields of `request` (exactly those when `exact`, else those and
 * the ones captured now) by replacing it in its slots. Nothing is detached. No-op when it
 * already does. */
int probe_adapt(struct probe *probe, const struct probe_request *request, bool exact,
		struct error *error);

const char *probe_name(const struct probe *probe);
int probe_slot(const struct probe *probe);
int probe_counters_fd(const struct probe *probe); /* map of struct event_counters, a row a CPU */

/* What was lost and where, summed over CPUs. */
#define PROBE_LOSERS 3

/* A process that lost events: to a full ring, or to its quota. */
struct probe_loser {
	uint32_t pid; /* 0: no process in particular */
	char comm[16];
	uint64_t lost_ring, refused;
};

struct probe_totals {
	uint64_t events, received, failed;
	uint64_t lost_ring, lost_map, refused;
	uint64_t unhandled; /* neither received nor lost: still in the ring when the script ended */
	uint64_t missed;    /* programs not run: they would have interrupted themselves */
	struct probe_loser losers[PROBE_LOSERS]; /* those that lost most */
	int loser_count;
};
/* Totals end here: later events count only if they have been received, or lost. */
void probe_cut(struct probe *probe);
/* That part of it, without a system call; adds what waits in the ring to `waiting`. */
uint64_t probe_received(const struct probe *probe, uint64_t *waiting);
int probe_totals(const struct probe *probe, struct probe_totals *totals);

void probe_close(struct probe *probe); /* detaches; NULL is fine */

#endif
