/* SPDX-License-Identifier: Apache-2.0 */
/* Clock: how long something takes, in ns. It is CLOCK_MONOTONIC, as in the records. */
#ifndef MOONPROBE_CLOCK_H
#define MOONPROBE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define SECOND_NS 1000000000ull

static inline uint64_t clock_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * SECOND_NS + now.tv_nsec;
}

#endif
