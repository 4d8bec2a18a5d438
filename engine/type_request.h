/* SPDX-License-Identifier: Apache-2.0 */
/* Type request: a worker that loads a script asks what a generic probe is attached to, and what can
 * be read there by type. It could not look by itself, and a mistake is told with its line.
 *
 *   target PROBE      -> target 1, or target 0 WHY
 *   places PROBE FROM -> places NAME*: from that number on, as many as fit; none: there are no more
 *   typed PROBE PATH  -> typed KIND ELEMENT_BYTES ELEMENTS BYTES TYPE DOC (NUMBER NAME)*, or
 *                        typed error WHY
 *
 * Each answers the worker's message of its name. False: the message is malformed, or too late. */
#ifndef MOONPROBE_TYPE_REQUEST_H
#define MOONPROBE_TYPE_REQUEST_H

#include <stdbool.h>

struct message;
struct version;

bool type_request_target(struct version *version, struct message *message);
bool type_request_places(struct version *version, struct message *message);
bool type_request_typed(struct version *version, struct message *message);

#endif
