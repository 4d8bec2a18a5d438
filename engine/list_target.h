/* SPDX-License-Identifier: Apache-2.0 */
/* List target: what a generic probe can be attached to, and what can be read there by type.
 *
 *   kprobe:tcp_*          one line a place
 *   kprobe:tcp_connect    its arguments and their types */
#ifndef MOONPROBE_LIST_TARGET_H
#define MOONPROBE_LIST_TARGET_H

#include "asset.h"
#include "error.h"

#include <stdbool.h>

/* Prints it. 0 or -errno with the reason. */
int list_target(const struct search_path *path, const char *name, bool json, struct error *error);

#endif
