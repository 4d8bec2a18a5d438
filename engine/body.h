/* SPDX-License-Identifier: Apache-2.0 */
/* Body: what a probe's dispatchers call: its programs, with constants and stages put in.
 *
 *   template + rodata + plan --body_load()--> loaded programs, and the maps of the stages
 *
 * The slots hold one body at a time. Others wait: a candidate's for the switch, the last
 * version's for a rollback. The programs hold their maps; what is here gives workers and later
 * bodies access to them. */
#ifndef MOONPROBE_BODY_H
#define MOONPROBE_BODY_H

#include "error.h"
#include "plan_file.h"
#include "plan_maps.h"

#include <stdbool.h>
#include <stdint.h>

struct template;
struct splice_part;

struct body_program {
	int fd;		 /* -1: left out */
	uint64_t number; /* the same for the same program in two bodies */
};

struct body {
	struct body *next; /* of the same probe */
	int references;
	uint8_t slot, generation;      /* what its records are marked with */
	int field_count;	       /* how many fields it was made to capture */
	struct body_program *programs; /* in the template's order */
	int program_count;
	unsigned char *rodata;
	bool is_staged;	       /* it has a plan's stages; else everything passes */
	struct plan_maps maps; /* in the plan's order */
	uint64_t load_ns;      /* what it took to make and load it */
};

struct body_wish {
	const struct template *template;
	const unsigned char *rodata; /* in place of the template's */
	uint32_t generation_at;	     /* where in it the generation lies */
	uint32_t event_bytes;
	const struct splice_part *parts; /* of SPLICE_STUBS: what the engine has made; or NULL */
	const struct plan *plan;	 /* NULL: everything passes, nothing is decided */
	const struct body *others; /* of the same probe: programs that would be the same are taken
				    * from there */
	const struct body *before[2]; /* maps with names from these: NULL, or what it follows */
	const struct body *like;      /* all of whose maps are kept; of the same plan, or NULL */
	bool verbose;		      /* show the kernel's log when it refuses */
};

/* 0 or -errno with the reason, which names the place in the script when it is a stage that the
 * kernel refused. */
int body_load(struct body **body, const struct body_wish *wish, struct error *error);
void body_close(struct body *body); /* NULL is fine */

#endif
