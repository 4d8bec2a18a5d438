/* SPDX-License-Identifier: Apache-2.0 */
/* Follow: keeps a script's `targets` map true: a command and all its descendants.
 *
 * Its programs (bpf/follow.bpf.c) must be attached before the script's probes, because
 * programs on one tracepoint run in the order they were attached. */
#ifndef MOONPROBE_FOLLOW_H
#define MOONPROBE_FOLLOW_H

#include "asset.h"
#include "error.h"

#include <stdint.h>
#include <sys/types.h>

struct follow;

/* Attaches, with `pid` pending: traced from its next exec on. */
int follow_open(struct follow **follow, const struct search_path *path, pid_t pid,
		struct error *error);
int follow_targets_fd(const struct follow *follow);
uint64_t follow_lost(const struct follow *follow); /* descendants that found the map full */
void follow_close(struct follow *follow);	   /* NULL is fine */

#endif
