/* SPDX-License-Identifier: Apache-2.0 */
/* Order: what a host tells a version's worker. engine/README.md has the messages' contents.
 *
 *   start -> stage* -> run -> (restaged | ping | yield -> resume)* -> finish
 *
 * Each returns 0 or -errno, and never waits: a worker that does not read gets -EAGAIN. */
#ifndef MOONPROBE_ORDER_H
#define MOONPROBE_ORDER_H

#include <stdbool.h>
#include <stdint.h>

struct stacks;
struct symbol;
struct target;
struct typed;
struct version;
struct version_handover;

int order_start(struct version *version, int ring_fd); /* -1: it has none */

/* Tells what became of a declaration's plan; `why` is NULL when it was accepted. */
int order_staged(struct version *version, int index, const char *why);
int order_restaged(struct version *version, int index, const char *why);

/* Tells what the declarations' probes are in this kernel, and what they have cost within so many
 * ns: to be printed when it is finished. */
int order_hooks(struct version *version, uint64_t measured_ns);

/* `now_ns`: before what is traced begins. */
int order_run(struct version *version, const struct version_handover *handover, uint64_t now_ns);
int order_yield(struct version *version);
int order_resume(struct version *version); /* one that yielded: goes on where the ring is */
int order_finish(struct version *version);
int order_ping(struct version *version);

/* Answers a request for a file; below zero: there is none. The descriptor stays the caller's. */
int order_file(struct version *version, const char *kind, int fd, const char *path);

/* Answers a type request; `why` is NULL, or `typed` is not, when there is such a thing. `target`
 * NULL: it has no places. */
int order_target(struct version *version, const char *why);
int order_places(struct version *version, const struct target *target, int from);
int order_typed(struct version *version, const struct typed *typed, const char *why);

/* Answers a stack request; `stacks` or `symbol` NULL: nothing is known. */
int order_stacks(struct version *version, struct stacks *stacks, bool of_kernel,
		 const uint64_t *numbers, int count);
int order_symbol(struct version *version, const struct symbol *symbol);
int order_found(struct version *version, const uint64_t *addresses, int count);

#endif
