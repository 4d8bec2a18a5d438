/* SPDX-License-Identifier: Apache-2.0 */
/* Targets: those of the generic probes that a worker asks about while it loads its script, looked
 * up once.
 *
 *   target NAME -> is there such a thing?      typed NAME PATH -> what is at the end of that path?
 */
#ifndef MOONPROBE_TARGETS_H
#define MOONPROBE_TARGETS_H

#include "asset.h"
#include "error.h"
#include "target.h"

#define TARGETS 32

struct targets {
	struct target *list[TARGETS];
	int count;
};

/* The target of a probe's whole name. NULL with the reason. It stays theirs. */
const struct target *targets_find(struct targets *targets, const struct search_path *path,
				  const char *name, const struct target_setting *setting,
				  struct error *error);
void targets_close(struct targets *targets); /* all zeros are fine */

#endif
