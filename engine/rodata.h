/* SPDX-License-Identifier: Apache-2.0 */
/* Rodata: the constants a body is specialised with: which process, which knobs, which fields
 * somebody reads. The verifier knows them and removes the code of the rest. */
#ifndef MOONPROBE_RODATA_H
#define MOONPROBE_RODATA_H

#include "error.h"
#include "probe.h"

#include <stddef.h>
#include <stdint.h>

struct plan;
struct schema;
struct target;

struct rodata {
	const struct schema *schema; /* says where what lies */
	unsigned char *bytes;	     /* the object's, to be changed */
	size_t size;
};

/* Where the generation lies, or -errno. */
int rodata_generation_at(const struct schema *schema);

/* `plan`: NULL when the body has no stages. 0 or -errno with the reason: a knob that does not
 * exist, or a value it cannot hold. */
int rodata_specialise(struct rodata *rodata, const struct probe_request *request,
		      const struct probe_setting *setting, const struct plan *plan, uint8_t slot,
		      uint8_t generation, struct error *error);

/* What a generic probe knows of its target, and how much of its typed room it sends. */
int rodata_target(struct rodata *rodata, const struct target *target, uint32_t typed_bytes,
		  struct error *error);

#endif
