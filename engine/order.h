/* SPDX-License-Identifier: Apache-2.0 */
/* Order: what a host tells a version's worker. engine/README.md has the messages' contents.
 *
 *   start -> stage* -> run -> (restaged | ping | yield -> resume)* -> finish
 *
 * Each returns 0 or -errno, and never waits: a worker that does not read gets -EAGAIN. */
#ifndef MOONPROBE_ORDER_H
#define MOONPROBE_ORDER_H

#include <stdint.h>

struct version;
struct version_handover;

int order_start(struct version *version, int ring_fd); /* -1: it has none */

/* Tells what became of a declaration's plan; `why` is NULL when it was accepted. */
int order_staged(struct version *version, int index, const char *why);
int order_restaged(struct version *version, int index, const char *why);

/* Tells what the declarations' probes are in this kernel, and what they have cost within so many
 * ns: to be printed when it is finished. */
int order_hooks(struct version *version, uint64_t measured_ns);

int order_run(struct version *version, const struct version_handover *handover);
int order_yield(struct version *version);
int order_resume(struct version *version); /* one that yielded: goes on where the ring is */
int order_finish(struct version *version);
int order_ping(struct version *version);

/* Answers a request for a file; below zero: there is none. The descriptor stays the caller's. */
int order_file(struct version *version, const char *kind, int fd, const char *path);

#endif
