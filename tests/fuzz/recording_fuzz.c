// SPDX-License-Identifier: Apache-2.0
/* Whatever a recording says, its reader stays within its memory: libFuzzer, `make fuzz`.
 *
 * The first byte chooses: the rest is a file, or the records of a good block, so that both the
 * frame and what is in it are tried. Checksums count as right here. */
#include "player.h"
#include "record.h"
#include "recording.h"
#include "ring.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define EVENT_BYTES 96
#define PROBES 4
#define STEPS 16

static volatile unsigned char sink;

static void touch(const void *bytes, size_t size)
{
	const unsigned char *at = bytes;

	for (size_t i = 0; i < size; i++)
		sink ^= at[i];
}

/* As the drain loop does, with handlers that read whole events. */
static void drain(struct player *player)
{
	struct ring *ring = player_ring(player);
	size_t ready;

	while ((ready = ring_ready(ring, 65536))) {
		for (size_t done = 0; done < ready;) {
			const struct ring_record *record =
				(void *)(ring->data + (ring->position & ring->mask) + done);

			done += (record->length + 15) & ~7u;
			*ring->handled = ring->position + done;
			touch(record + 1, EVENT_BYTES);
			player_now(player);
		}
		ring_release(ring, ready);
	}
}

static void play(int fd)
{
	struct player *player = player_open(fd);

	if (!player)
		abort();
	player_cpus(player, 2);
	for (int slot = 0; slot < PROBES; slot++)
		player_probe(player, slot, EVENT_BYTES, 8);
	while (player_next(player) == RECORDING_BLOCK) {
		touch(player_bytes(player), player_size(player));
		if (player_kind(player) != RECORDING_RECORDS || !player_load(player))
			continue;
		for (int i = 0; i < STEPS && !player_is_done(player); i++) {
			player_until(player, i + 1 < STEPS ? player_next_ns(player) + 1 : 1e300);
			drain(player);
		}
	}
	player_close(player);
}

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t size)
{
	static int fd = -1;
	struct recording_writer *writer;

	if (!size)
		return 0;
	if (fd < 0)
		fd = memfd_create("recording", 0);
	if (ftruncate(fd, 0) || lseek(fd, 0, SEEK_SET))
		abort();
	if (*bytes & 1) {
		if (recording_writer_open(&writer, fd))
			abort();
		recording_write(writer, RECORDING_RECORDS, bytes + 1, size - 1);
		recording_writer_close(writer);
	} else if (write(fd, bytes + 1, size - 1) < 0) {
		abort();
	}
	lseek(fd, 0, SEEK_SET);
	play(fd);
	return 0;
}
