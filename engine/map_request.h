/* SPDX-License-Identifier: Apache-2.0 */
/* Map request: a worker wants a single map that is there. It may not open any: it gets a
 * descriptor.
 *
 *   map (pin PATH | id N)      -> found MAP + fd, fd of types?; or found WHY
 *   inner OBJECT NUMBER KEY    -> inner likewise: what a map of maps has for a key
 *
 * Each answers the worker's message of its name. False: the message is malformed, too late, or not
 * granted. */
#ifndef MOONPROBE_MAP_REQUEST_H
#define MOONPROBE_MAP_REQUEST_H

#include <stdbool.h>

struct message;
struct version;

bool map_request_map(struct version *version, struct message *message);
bool map_request_inner(struct version *version, struct message *message);

#endif
