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

struct bpf_map_info;
struct message;
struct object_wish;
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

/* `now_ns`: before what is traced begins. `newest_slot`: of those given so far; what has others
 * behind it is the next version's. */
int order_run(struct version *version, const struct version_handover *handover, uint8_t newest_slot,
	      uint64_t now_ns);
int order_yield(struct version *version);
/* Nothing comes of the next version. One that yielded goes on where the ring is. */
int order_resume(struct version *version, uint8_t newest_slot);
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

/* order_object.c. */

/* Answers a request for an object: its path as `text`, and a copy that the worker reads types from;
 * or no file, and why not. */
int order_object(struct version *version, const struct object_wish *file, const char *text);

/* Hands over the maps of the loaded object with this number. */
int order_maps(struct version *version, int index);

/* Answers a map request; `why` is NULL when there is one. The descriptor stays the caller's. */
int order_map(struct version *version, const char *kind, int fd, const struct bpf_map_info *info,
	      const char *why);

/* For the files of orders: sends it and frees it; NULL is -ENOMEM. */
int order_dispatch(struct version *version, struct message *message);

#endif
