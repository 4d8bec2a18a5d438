// SPDX-License-Identifier: Apache-2.0
#include "player.h"

#include "record.h"
#include "recording.h"
#include "ring.h"

#include <stdlib.h>
#include <string.h>

#define FFI __attribute__((visibility("default")))
#define SLOTS 256
#define MOST_EVENT_BYTES (64 << 10)

struct player {
	struct recording_reader *reader;
	struct ring ring;
	uint64_t consumer, producer, handled; /* what the kernel and the ring's page have */
	size_t size;			      /* of the records that are loaded */
	uint64_t walked;		      /* events before this place count for player_now() */
	uint64_t now_ns;
	uint32_t cpus;
	struct {
		uint32_t event_bytes; /* 0: no such probe */
		uint32_t time_offset;
	} slots[SLOTS];
	/* Records may be shorter than their event; Lua reads whole ones. */
	_Alignas(8) unsigned char block[RECORDING_BLOCK_BYTES + MOST_EVENT_BYTES];
};

FFI struct player *player_open(int fd)
{
	struct player *player = calloc(1, sizeof(*player));

	if (!player)
		return NULL;
	if (recording_reader_open(&player->reader, fd)) {
		free(player);
		return NULL;
	}
	player->ring = (struct ring){
		.data = player->block,
		.mask = RECORDING_BLOCK_BYTES - 1,
		.handled = &player->handled,
		.consumer = &player->consumer,
		.producer = &player->producer,
	};
	return player;
}

FFI int player_probe(struct player *player, uint32_t slot, uint32_t event_bytes,
		     uint32_t time_offset)
{
	if (slot >= SLOTS || player->slots[slot].event_bytes ||
	    event_bytes < sizeof(struct event_header) || event_bytes > MOST_EVENT_BYTES ||
	    time_offset > event_bytes - sizeof(uint64_t))
		return -1;
	player->slots[slot].event_bytes = event_bytes;
	player->slots[slot].time_offset = time_offset;
	return 0;
}

FFI void player_cpus(struct player *player, uint32_t cpus)
{
	player->cpus = cpus;
}

FFI int player_next(struct player *player)
{
	return recording_read(player->reader);
}

FFI int player_kind(const struct player *player)
{
	return recording_kind(player->reader);
}

FFI const char *player_bytes(const struct player *player)
{
	return recording_bytes(player->reader);
}

FFI size_t player_size(const struct player *player)
{
	return recording_size(player->reader);
}

FFI double player_position(const struct player *player)
{
	return recording_position(player->reader);
}

static size_t room_of(const struct ring_record *record)
{
	return (sizeof(*record) + record->length + 7) & ~7ull;
}

static int is_good(const struct player *player, const struct ring_record *record, size_t left)
{
	const struct event_header *header = (const void *)(record + 1);

	if (left < sizeof(*record) + sizeof(*header) || record->length < sizeof(*header) ||
	    record->length > MOST_EVENT_BYTES || room_of(record) > left)
		return 0;
	return header->cpu < player->cpus &&
	       record->length <= player->slots[header->slot].event_bytes &&
	       record->length >= player->slots[header->slot].time_offset + sizeof(uint64_t);
}

FFI int player_load_bytes(struct player *player, const void *bytes, size_t size)
{
	player->size = 0;
	player->ring.position = player->consumer = player->producer = player->handled = 0;
	player->walked = 0;
	if (size > RECORDING_BLOCK_BYTES)
		return 0;
	memcpy(player->block, bytes, size);
	memset(player->block + size, 0, MOST_EVENT_BYTES);
	for (size_t at = 0; at < size;) {
		const struct ring_record *record = (const void *)(player->block + at);

		if (size - at < sizeof(*record) || !is_good(player, record, size - at))
			return 0;
		at += room_of(record);
	}
	player->size = size;
	return 1;
}

FFI int player_load(struct player *player)
{
	return player_load_bytes(player, recording_bytes(player->reader),
				 recording_size(player->reader));
}

static uint64_t time_at(const struct player *player, uint64_t at)
{
	const unsigned char *event = player->block + at + sizeof(struct ring_record);
	const struct event_header *header = (const void *)event;
	uint64_t ns;

	memcpy(&ns, event + player->slots[header->slot].time_offset, sizeof(ns));
	return ns;
}

static uint64_t after(const struct player *player, uint64_t at)
{
	return at + room_of((const void *)(player->block + at));
}

FFI size_t player_until(struct player *player, double ns)
{
	uint64_t at = player->producer;

	while (at < player->size && time_at(player, at) < ns)
		at = after(player, at);
	player->producer = at;
	return at - player->ring.position;
}

FFI int player_is_done(const struct player *player)
{
	return player->producer == player->size;
}

FFI double player_next_ns(const struct player *player)
{
	return player_is_done(player) ? 0 : time_at(player, player->producer);
}

FFI double player_now(struct player *player)
{
	while (player->walked < player->handled) {
		uint64_t ns = time_at(player, player->walked);

		if (ns > player->now_ns)
			player->now_ns = ns;
		player->walked = after(player, player->walked);
	}
	return player->now_ns;
}

FFI struct ring *player_ring(struct player *player)
{
	return &player->ring;
}

FFI FFI void player_close(struct player *player)
{
	if (!player)
		return;
	recording_reader_close(player->reader);
	free(player);
}
