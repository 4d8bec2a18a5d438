/* SPDX-License-Identifier: Apache-2.0 */
/* Plan maps: the maps of a plan, made in the kernel.
 *
 * One with a name outlives its body: the body that follows it and asks for the same name, kind and
 * sizes takes it over with what it holds. */
#ifndef MOONPROBE_PLAN_MAPS_H
#define MOONPROBE_PLAN_MAPS_H

#include "error.h"
#include "plan_file.h"

struct plan_maps {
	struct plan_map is[PLAN_MAPS_MAX];
	int fds[PLAN_MAPS_MAX];
	int count;
};

/* Appends a new map with what it starts with. 0 or -errno with the reason. */
int plan_maps_make(struct plan_maps *maps, const struct plan *plan, uint32_t index,
		   struct error *error);

/* Appends the map of that name, kind and sizes in `from`; -ENOENT when it has none. */
int plan_maps_take(struct plan_maps *maps, const struct plan_map *wanted,
		   const struct plan_maps *from);

/* All of `from`. 0 or -errno. */
int plan_maps_share(struct plan_maps *maps, const struct plan_maps *from);

void plan_maps_close(struct plan_maps *maps);

#endif
