/* SPDX-License-Identifier: Apache-2.0 */
/* Growing: memory that is used again and again and only grows. For one thread's static variables.
 */
#ifndef MOONPROBE_GROWING_H
#define MOONPROBE_GROWING_H

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

struct growing {
	void *start;
	size_t bytes;
};

/* Room for so many; what was there may have moved. 0 or -ENOMEM, and nothing has changed. */
static inline int growing_make_room(struct growing *room, size_t bytes)
{
	void *start;

	if (room->bytes >= bytes)
		return 0;
	start = realloc(room->start, bytes);
	if (!start)
		return -ENOMEM;
	room->start = start;
	room->bytes = bytes;
	return 0;
}

#endif
