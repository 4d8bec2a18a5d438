/* SPDX-License-Identifier: Apache-2.0 */
/* Plan file: a worker's plan (bpf/include/plan.h) as its host holds it.
 *
 *   descriptor --plan_open()--> a copy whose every offset and count has been checked
 *
 * The worker is not trusted. What it sent is read once into memory of ours; the instructions
 * are data here, stage_check() judges them. Everything lives as long as the plan. */
#ifndef MOONPROBE_PLAN_FILE_H
#define MOONPROBE_PLAN_FILE_H

#include "error.h"
#include "plan.h"

#include <linux/bpf.h>
#include <stdint.h>

enum plan_stage { PLAN_EARLY, PLAN_LATE, PLAN_STAGES };

struct plan_code {
	const struct bpf_insn *code;
	uint32_t count; /* 0: the stage lets everything pass */
	const uint32_t *where;
};

struct plan {
	const struct plan_map *maps;
	uint32_t map_count;
	struct plan_code stages[PLAN_STAGES];
	const unsigned char *contents[PLAN_MAPS_MAX]; /* of each map: key, value, key, ... */
	const char *text;
	unsigned char *file; /* all of the above points into it */
};

/* 0 or -errno with the reason. The descriptor stays the caller's. */
int plan_open(struct plan **plan, int fd, struct error *error);
void plan_close(struct plan *plan); /* NULL is fine */

/* "file:line" that an instruction was made from; "" when there is no such instruction. */
const char *plan_where(const struct plan *plan, enum plan_stage stage, uint32_t instruction);
const char *plan_stage_name(enum plan_stage stage);

#endif
