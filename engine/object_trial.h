/* SPDX-License-Identifier: Apache-2.0 */
/* Object trial: does libbpf survive a file? libbpf trusts the numbers in an object, and a damaged
 * one makes it crash; in the host that would end every script. So a child of ours goes first. */
#ifndef MOONPROBE_OBJECT_TRIAL_H
#define MOONPROBE_OBJECT_TRIAL_H

#include <stddef.h>

struct bpf_object;

/* 0, or -EBADMSG when it crashes or does not end. Whether it can be opened and loaded is another
 * matter. */
int object_trial_open(const void *bytes, size_t size);

/* The same for what libbpf does to load it: without the verifier, with maps of one entry. */
int object_trial_load(struct bpf_object *object);

#endif
