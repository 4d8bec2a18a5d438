/* SPDX-License-Identifier: Apache-2.0 */
/* Watch: says when one of some files has changed on disk, however the editor writes it
 * (in place, or a new file moved over the old one). */
#ifndef MOONPROBE_WATCH_H
#define MOONPROBE_WATCH_H

#include "loop.h"

struct watch;

/* changed(context) comes once for changes that lie close together. */
int watch_open(struct watch **watch, struct loop *loop, void (*changed)(void *context),
	       void *context);
int watch_add(struct watch *watch, const char *file); /* again is fine; 0 or -errno */
void watch_close(struct watch *watch);		      /* NULL is fine */

#endif
