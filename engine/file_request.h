/* SPDX-License-Identifier: Apache-2.0 */
/* File request: a worker asks for a file. It may not be allowed to open any: it gets a descriptor.
 *
 * Each answers the worker's message of its name. False: the message is malformed, or not for this
 * kind of run. */
#ifndef MOONPROBE_FILE_REQUEST_H
#define MOONPROBE_FILE_REQUEST_H

#include <stdbool.h>

struct message;
struct version;

bool file_request_asset(struct version *version, struct message *message);
bool file_request_module(struct version *version, struct message *message);
bool file_request_recording(struct version *version, struct message *message);
bool file_request_golden(struct version *version, struct message *message);

#endif
