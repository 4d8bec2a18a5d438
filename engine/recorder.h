/* SPDX-License-Identifier: Apache-2.0 */
/* Recorder: moves finished records out of the ring into blocks of a recording. Called from Lua
 * through the FFI (stdlib/record.lua), which says when a block is written.
 *
 *   ring --recorder_take()--> block that is being filled --recorder_flush()--> file
 *
 * What is taken is counted as received, as the drain loop does with what it handles. */
#ifndef MOONPROBE_RECORDER_H
#define MOONPROBE_RECORDER_H

#include <stddef.h>
#include <stdint.h>

#define RECORDER_NUMBERS 16384 /* distinct numbers of each watched field that are noted */

struct recorder;
struct ring;
struct event_counters;

struct recorder *recorder_open(int fd); /* NULL: no memory. fd stays the caller's */
/* The probe in a slot: its rows of counters, one per CPU. */
void recorder_count(struct recorder *recorder, int slot, struct event_counters *rows, int cpus);
/* Notes what numbers a field of 4 or 8 bytes has: somebody has to know their names. Its place among
 * the watched ones, or -1: no room. */
int recorder_watch(struct recorder *recorder, int slot, uint32_t offset, uint32_t bytes);
/* The numbers it had since the last call. */
size_t recorder_noted(struct recorder *recorder, int place, const uint64_t **numbers);

/* Bytes taken from the ring; 0: nothing is finished, or the block is full. */
size_t recorder_take(struct recorder *recorder, struct ring *ring, size_t at_most);
size_t recorder_held(const struct recorder *recorder); /* bytes in the block */
int recorder_is_full(const struct recorder *recorder);
uint64_t recorder_records(const struct recorder *recorder); /* so far */
uint64_t recorder_bytes(const struct recorder *recorder);   /* of the file so far */

/* 0 or -errno. */
int recorder_flush(struct recorder *recorder); /* what is held, as a block of records */
int recorder_text(struct recorder *recorder, int kind, const char *text, size_t size);

void recorder_close(struct recorder *recorder); /* NULL is fine */

#endif
