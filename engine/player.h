/* SPDX-License-Identifier: Apache-2.0 */
/* Player: shows the records of a recording to the drain loop as if they were in a ring. Called
 * from Lua through the FFI (stdlib/replay.lua).
 *
 *   file --player_next()--> block of records, checked --player_until(ns)--> "finished" in the ring
 *
 * So timers can run between the events they fell between. What the loop reads is checked before:
 * the file may come from anybody. */
#ifndef MOONPROBE_PLAYER_H
#define MOONPROBE_PLAYER_H

#include <stddef.h>
#include <stdint.h>

struct player;
struct ring;

struct player *player_open(int fd); /* NULL: no memory */

/* What records of a slot are like; 0, or -1: that cannot be. Others are damage. */
int player_probe(struct player *player, uint32_t slot, uint32_t event_bytes, uint32_t time_offset);
void player_cpus(struct player *player, uint32_t cpus);

/* The next block: enum recording_state, and its kind and bytes. */
int player_next(struct player *player);
int player_kind(const struct player *player);
const char *player_bytes(const struct player *player);
size_t player_size(const struct player *player);
double player_position(const struct player *player);

/* Of a block of records. False: they are not what they should be. */
int player_load(struct player *player);
/* The same for records that somebody has changed. */
int player_load_bytes(struct player *player, const void *bytes, size_t size);

/* Lets the ring have the records up to the first that is not before `ns`: bytes that wait. */
size_t player_until(struct player *player, double ns);
int player_is_done(const struct player *player); /* the block has no more */
double player_next_ns(const struct player *player);

/* The latest time among the events the loop has come to, that at hand included; 0: none yet. */
double player_now(struct player *player);

struct ring *player_ring(struct player *player);
void player_close(struct player *player); /* NULL is fine */

#endif
