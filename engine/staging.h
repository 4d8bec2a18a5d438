/* SPDX-License-Identifier: Apache-2.0 */
/* Staging: brings a version's declarations into the kernel.
 *
 *   declaration --find--> probe --make--> body, waiting --install--> in the slots
 *                                  settle: no program of the bodies before runs any more
 *
 * A body captures what all versions read that may meet its records: the ring outlives a switch,
 * and a switch can be undone. When that is over, trim makes the same body with less. */
#ifndef MOONPROBE_STAGING_H
#define MOONPROBE_STAGING_H

#include "error.h"
#include "kernel_side.h"
#include "version.h"

#include <stdbool.h>
#include <stdint.h>

#define STAGING_READERS 3 /* active, candidate, previous */
#define STAGING_RECENT 63

/* How long it took to replace a body: making, loading, putting it into its slots. */
struct staging_swaps {
	int count;
	uint64_t last_ns;
	uint64_t recent[STAGING_RECENT]; /* of the last ones, round and round */
};

struct staging {
	struct kernel_side *kernel;
	const struct version *readers[STAGING_READERS]; /* NULL: nobody */
};

/* Gives each declaration its probe. 0 or -errno with the reason. */
int staging_find(const struct staging *staging, struct version *version, struct error *error);

/* Gives a declaration a body, with the stages of its plan. When those cannot be had the plan is
 * given up, `refused` says why, and the body lets everything pass. 0 or -errno. */
int staging_make(const struct staging *staging, struct version *version, int index,
		 struct error *error);

/* The same body without the fields that nobody reads any more; no-op when there are none. */
int staging_trim(const struct staging *staging, struct version *version, int index,
		 struct error *error);

/* The bodies of a version go into their slots. */
int staging_install(const struct version *version, struct staging_swaps *swaps,
		    struct error *error);

/* Waits until programs that were running have ended: some 10 ms. */
void staging_settle(void);

uint64_t staging_median_ns(const struct staging_swaps *swaps); /* 0: none yet */

#endif
