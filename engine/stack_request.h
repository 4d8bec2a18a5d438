/* SPDX-License-Identifier: Apache-2.0 */
/* Stack request: a worker wants names, to show what it has. It knows no addresses of its own.
 *
 *   stacks KIND NUMBER*     -> stacks (FRAMES (NAME WHERE FILE)*)*: of so many of them as fit, in
 *                              order. KIND: kernel or user; FRAMES -1: there is no such stack;
 *                              WHERE: +OFFSET, or the address when there is no NAME
 *   resolve PID ADDRESS     -> resolve NAME WHERE FILE, or resolve alone; PID 0: the kernel
 *   find NAME               -> find ADDRESS*: of the kernel
 *
 * Each answers the worker's message of its name. False: the message is malformed, or it asks too
 * often. */
#ifndef MOONPROBE_STACK_REQUEST_H
#define MOONPROBE_STACK_REQUEST_H

#include <stdbool.h>

struct message;
struct version;

bool stack_request_stacks(struct version *version, struct message *message);
bool stack_request_resolve(struct version *version, struct message *message);
bool stack_request_find(struct version *version, struct message *message);

#endif
