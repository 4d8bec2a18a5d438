/* SPDX-License-Identifier: Apache-2.0 */
/* Mappings: what processes map as code, as the kernel tells it while it happens: also of those that
 * have ended before anybody could read /proc/PID/maps.
 *
 *   perf_event_open(2), a dummy event on each CPU: fork, exec, mmap --mappings_follow()-->
 * processes
 *
 * The records wait in the rings until they are needed or half a ring is full. Those of all CPUs are
 * put in the order of their times. */
#ifndef MOONPROBE_MAPPINGS_H
#define MOONPROBE_MAPPINGS_H

struct loop;
struct mappings;
struct processes;

/* 0 or -errno; `processes` must live as long. */
int mappings_open(struct mappings **mappings, struct loop *loop, struct processes *processes);
void mappings_follow(struct mappings *mappings); /* all that has happened; NULL is fine */
void mappings_close(struct mappings *mappings);	 /* NULL is fine */

#endif
