/* SPDX-License-Identifier: Apache-2.0 */
/* Typed fields: what a script reads of a generic probe by type, as code for its bodies.
 *
 *   { "args.sk.__sk_common.skc_dport", offset 96, early }... --typed_fields_make()--> two parts
 *
 * The places in the event are the worker's choice; they are checked to be in the event's room.
 * Early and late ones do not lie among each other: the code clears what is between its own. */
#ifndef MOONPROBE_TYPED_FIELDS_H
#define MOONPROBE_TYPED_FIELDS_H

#include "error.h"
#include "probe.h"
#include "splice.h"

#include <stdint.h>

struct schema_field;
struct target;

struct typed_fields {
	struct splice_part early, late; /* without code when nothing is read */
	uint32_t bytes;			/* of the room that is in use */
	int slots;			/* so many are needed, from the first one on */
};

/* `room` is the field of the event they lie in; NULL: it has none. 0 or -errno with the reason. */
int typed_fields_make(struct typed_fields *fields, const struct probe_request *request,
		      const struct target *target, const struct schema_field *room,
		      struct error *error);
void typed_fields_free(struct typed_fields *fields); /* all zeros are fine */

#endif
