/* SPDX-License-Identifier: Apache-2.0 */
/* Object request: a worker wants a BPF object of the user's: its file, then what is to be done with
 * it. The host reads the file, once; the worker gets a copy.
 *
 *   object NAME                      -> object PATH + fd, or object WHY
 *   load NAME (attach PROGRAM | detached | rodata NAME BYTES | entries MAP N)*
 *   entry (MAP KEY VALUE FLAGS)*     what the object loaded last has from the start
 *
 * What they ask for is noted (own_objects.h) and had when the version is ready. False: the message
 * is malformed, too late, or not granted: the worker checks this itself, to say so at the script's
 * line. */
#ifndef MOONPROBE_OBJECT_REQUEST_H
#define MOONPROBE_OBJECT_REQUEST_H

#include <stdbool.h>

struct message;
struct version;

bool object_request_object(struct version *version, struct message *message);
bool object_request_load(struct version *version, struct message *message);
bool object_request_entry(struct version *version, struct message *message);

#endif
