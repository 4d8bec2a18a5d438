/* SPDX-License-Identifier: Apache-2.0 */
/* Privilege: what the host needs and what a worker gives away. */
#ifndef MOONPROBE_PRIVILEGE_H
#define MOONPROBE_PRIVILEGE_H

#include "error.h"

#include <stdbool.h>

bool privilege_has(int capability); /* CAP_*, in the effective set */

/* 0, or -EPERM naming the capabilities that are missing to load and attach probes. */
int privilege_check(struct error *error);

/* Becomes nobody for good: no capabilities, no way to get any (no_new_privs), not to be
 * traced or dumped, and killed when the host dies. When started without root, the user stays.
 * 0 or -errno. */
int privilege_drop(void);

#endif
