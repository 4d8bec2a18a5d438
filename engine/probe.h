/* SPDX-License-Identifier: Apache-2.0 */
/* Probe: one script's instance of a probe: its links, its maps, its counters, its bodies.
 *
 *   probe_open()    -> object opened, its maps made, dispatchers with empty slots
 *   probe_attach()  -> linked to its hooks, still without a body
 *   probe_body()    -> a body for one version of the script; any number of them may wait
 *   probe_install() -> that body in the slots, at once: events flow; records tell by their
 * generation probe_mute()    -> at once no more of them
 *
 * The maps a probe keeps its state in live as long as the instance, whatever body runs. */
#ifndef MOONPROBE_PROBE_H
#define MOONPROBE_PROBE_H

#include "asset.h"
#include "counters.h"
#include "error.h"
#include "probe_request.h"
#include "stacks.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What all probes of a script share. */
struct probe_setting {
	const struct search_path *path;
	int ring_fd, settings_fd, targets_fd;
	struct stack_maps stacks;
	pid_t target_pid;   /* 0: any */
	bool target_by_map; /* only processes in the targets map */
	bool except_by_map; /* all processes but those in the targets map */
	bool verbose;	    /* show the kernel's log when it refuses a body */
};

struct body;
struct plan;
struct probe;

/* The object of a probe, by the name of the probe, with or without a target. 0 or -errno with the
 * reason. */
int probe_load_object(const struct search_path *path, const char *name, struct asset_bytes *object,
		      struct error *error);

/* Opens it; its events carry `slot`. There is no body yet: nothing happens when attached. */
int probe_open(struct probe **probe, const struct probe_request *request, uint8_t slot,
	       const struct probe_setting *setting, struct error *error);
/* All of it or nothing; no-op when attached. */
int probe_attach(struct probe *probe, struct error *error);
bool probe_is_walk(
	const struct probe *probe);	/* its events come while it is attached, then no more */
void probe_detach(struct probe *probe); /* can be attached again */

/* True when an instance for `request` could be this one: same probe, same knobs, the same typed
 * fields at the same places. */
bool probe_serves(const struct probe *probe, const struct probe_request *request);

/* What a body is made for. */
struct probe_wish {
	const struct probe_request *request; /* the fields to capture; knobs are the probe's */
	const struct plan *plan;	     /* NULL: everything passes, the worker judges */
	const struct body *before; /* NULL, or what it takes the place of, with the same number: as
				    * with what is in the slots and attached, its maps with names go
				    * on. Those of a body that only waits do not: what they hold was
				    * handed over. */
	const struct body *like;   /* not NULL: of its generation, with its maps, other fields */
};

/* Loads a body, of a new generation. It is the caller's to give back. */
int probe_body(struct probe *probe, const struct probe_wish *wish, struct body **body,
	       struct error *error);
void probe_give_back(struct probe *probe, struct body *body); /* NULL is fine */

/* Puts it in the slots; what was in there is let go when nobody else keeps it. Returns 1 when
 * it replaced another, 0, or -errno. `took_ns` is what making, loading and installing it took. */
int probe_install(struct probe *probe, struct body *body, uint64_t *took_ns, struct error *error);

/* Nothing begins any more, at once: its slots are empty. Where some programs only note what begins
 * and others send when it ends, the latter stay for what is under way, until it is detached. */
void probe_mute(struct probe *probe);

/* A program of a probe, as it is loaded, and what it has cost. */
struct probe_program {
	const char *section;   /* where it is attached */
	uint32_t instructions; /* of the body, after the verifier */
	uint32_t bytes;	       /* of its machine code; 0: it is interpreted */
	uint64_t runs, ns;     /* counted while somebody has BPF statistics enabled */
};

/* The program at `index`, with the code of `body`. 1, 0 when it is left out here, -ENOENT after
 * the last, or another -errno. */
int probe_program(const struct probe *probe, int index, const struct body *body,
		  struct probe_program *program);

const char *probe_name(const struct probe *probe);
int probe_slot(const struct probe *probe); /* of bodies that follow none */
void probe_renumber(struct probe *probe, uint8_t slot);
int probe_counters_fd(const struct probe *probe); /* map of struct event_counters, a row a CPU */

/* The counters, see counters.h; `received` costs no system call. */
void probe_cut(struct probe *probe);
uint64_t probe_received(const struct probe *probe, uint64_t *waiting);
int probe_totals(const struct probe *probe, struct probe_totals *totals);

void probe_close(struct probe *probe); /* detaches; its bodies must be back; NULL is fine */

#endif
