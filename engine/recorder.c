// SPDX-License-Identifier: Apache-2.0
#include "recorder.h"

#include "record.h"
#include "recording.h"
#include "ring.h"

#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>

#define FFI __attribute__((visibility("default")))
#define HELD_BYTES (256 << 10) /* stays in the cache */
#define WATCHED 64
#define PLACES (2 * RECORDER_NUMBERS) /* a power of two */
#define SLOTS 256

struct watched {
	int slot;
	uint32_t offset, bytes;
	uint64_t last; /* most often it is the same again */
	size_t count, told;
	uint64_t *numbers;
	uint32_t *places; /* by hash: one more than where it is among them, 0: nothing */
};

struct recorder {
	struct recording_writer *writer;
	size_t held;
	uint64_t records;
	struct {
		struct event_counters *rows;
		int cpus;
	} slots[SLOTS];
	int watched_count;
	struct watched watched[WATCHED];
	unsigned char block[HELD_BYTES];
};

FFI struct recorder *recorder_open(int fd)
{
	struct recorder *recorder = calloc(1, sizeof(*recorder));

	if (!recorder)
		return NULL;
	if (!recording_writer_open(&recorder->writer, fd))
		return recorder;
	free(recorder);
	return NULL;
}

FFI void recorder_count(struct recorder *recorder, int slot, struct event_counters *rows, int cpus)
{
	recorder->slots[slot].rows = rows;
	recorder->slots[slot].cpus = cpus;
}

FFI int recorder_watch(struct recorder *recorder, int slot, uint32_t offset, uint32_t bytes)
{
	struct watched one = {.slot = slot, .offset = offset, .bytes = bytes};

	if (recorder->watched_count == WATCHED || (bytes != 4 && bytes != 8))
		return -1;
	one.numbers = calloc(RECORDER_NUMBERS, sizeof(*one.numbers));
	one.places = calloc(PLACES, sizeof(*one.places));
	if (!one.numbers || !one.places) {
		free(one.numbers);
		free(one.places);
		return -1;
	}
	recorder->watched[recorder->watched_count] = one;
	return recorder->watched_count++;
}

FFI size_t recorder_noted(struct recorder *recorder, int place, const uint64_t **numbers)
{
	struct watched *one = &recorder->watched[place];
	size_t count = one->count - one->told;

	*numbers = one->numbers + one->told;
	one->told = one->count;
	return count;
}

static void note(struct watched *one, const unsigned char *event, uint32_t length)
{
	uint64_t number;
	uint32_t small;
	size_t place;

	if (one->offset + one->bytes > length)
		return;
	if (one->bytes == sizeof(small)) {
		memcpy(&small, event + one->offset, sizeof(small));
		number = small;
	} else {
		memcpy(&number, event + one->offset, sizeof(number));
	}
	if (one->count && number == one->last)
		return;
	one->last = number;
	place = number * 0x9e3779b97f4a7c15 >> 40;
	for (; one->places[place % PLACES]; place++)
		if (one->numbers[one->places[place % PLACES] - 1] == number)
			return;
	if (one->count == RECORDER_NUMBERS)
		return;
	one->numbers[one->count++] = number;
	one->places[place % PLACES] = one->count;
}

/* One record, finished and not discarded. */
static void take(struct recorder *recorder, const struct ring_record *record, size_t room)
{
	const struct event_header *header = (const void *)(record + 1);
	struct ring_record *copy = (void *)(recorder->block + recorder->held);

	memcpy(copy, record, room);
	copy->page_offset = 0; /* the kernel's own; without it blocks are smaller */
	recorder->held += room;
	recorder->records++;
	if (header->cpu < recorder->slots[header->slot].cpus)
		recorder->slots[header->slot].rows[header->cpu].received++;
	for (int i = 0; i < recorder->watched_count; i++)
		if (recorder->watched[i].slot == header->slot)
			note(&recorder->watched[i], (const void *)header, record->length);
}

FFI size_t recorder_take(struct recorder *recorder, struct ring *ring, size_t at_most)
{
	size_t ready = ring_ready(ring, at_most), done = 0;
	const unsigned char *data = ring->data + (ring->position & ring->mask);

	while (done < ready) {
		const struct ring_record *record = (const void *)(data + done);
		uint32_t length = record->length & ~BPF_RINGBUF_DISCARD_BIT;
		size_t room = (sizeof(*record) + length + 7) & ~7ull;

		if (!(record->length & BPF_RINGBUF_DISCARD_BIT)) {
			if (recorder->held + room > HELD_BYTES)
				break;
			take(recorder, record, room);
		}
		done += room;
	}
	if (done)
		ring_release(ring, done);
	return done;
}

FFI size_t recorder_held(const struct recorder *recorder)
{
	return recorder->held;
}

/* No record has more than 64 KiB: offsets in them have 16 bits in the kernel's verifier. */
FFI int recorder_is_full(const struct recorder *recorder)
{
	return recorder->held + (64 << 10) > HELD_BYTES;
}

FFI uint64_t recorder_records(const struct recorder *recorder)
{
	return recorder->records;
}

FFI uint64_t recorder_bytes(const struct recorder *recorder)
{
	return recording_written(recorder->writer);
}

FFI int recorder_flush(struct recorder *recorder)
{
	int err = 0;

	if (recorder->held)
		err = recording_write(recorder->writer, RECORDING_RECORDS, recorder->block,
				      recorder->held);
	recorder->held = 0;
	return err;
}

FFI int recorder_text(struct recorder *recorder, int kind, const char *text, size_t size)
{
	return recording_write(recorder->writer, kind, text, size);
}

void recorder_close(struct recorder *recorder)
{
	if (!recorder)
		return;
	for (int i = 0; i < recorder->watched_count; i++) {
		free(recorder->watched[i].numbers);
		free(recorder->watched[i].places);
	}
	recording_writer_close(recorder->writer);
	free(recorder);
}
