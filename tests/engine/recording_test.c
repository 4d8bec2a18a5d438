// SPDX-License-Identifier: Apache-2.0
/* Recordings written, cut, damaged and read; records played and recorded again. */
#include "recording.h"

#include "player.h"
#include "record.h"
#include "recorder.h"
#include "ring.h"
#include "test.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/mman.h>

#define EVENT_BYTES 32
#define TIME_OFFSET 8

struct file {
	int fd;
	size_t size;
	unsigned char bytes[4096];
};

static const struct {
	enum recording_kind kind;
	const char *text;
} blocks[] = {
	{RECORDING_HEAD, "moonprobe-recording 1\n"},
	{RECORDING_NAMES, "device 1 sda\n"},
	{RECORDING_COUNTERS, "time 1\n"},
	{77, "of a later version of moonprobe, which is skipped by what does not know it"},
	{RECORDING_COUNTERS,
	 "00000000000000000000000000000000000000000000000000000000000000000000"},
	{RECORDING_END, ""},
};

static int memory_file(const void *bytes, size_t size)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), size);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

/* `ends` tells where each block ends. */
static void write_file(struct file *file, size_t ends[COUNT_OF(blocks)])
{
	struct recording_writer *writer;

	file->fd = memory_file("", 0);
	assert_int_equal(recording_writer_open(&writer, file->fd), 0);
	for (size_t i = 0; i < COUNT_OF(blocks); i++) {
		assert_int_equal(recording_write(writer, blocks[i].kind, blocks[i].text,
						 strlen(blocks[i].text)),
				 0);
		ends[i] = recording_written(writer);
	}
	recording_writer_close(writer);
	file->size = pread(file->fd, file->bytes, sizeof(file->bytes), 0);
	assert_int_equal(file->size, ends[COUNT_OF(blocks) - 1]);
	close(file->fd);
}

/* Reads on, checks that all that comes is what was written, and tells how much and why no more. */
static enum recording_state read_all(const void *bytes, size_t size, size_t *count)
{
	int fd = memory_file(bytes, size);
	struct recording_reader *reader;
	enum recording_state state;

	*count = 0;
	assert_int_equal(recording_reader_open(&reader, fd), 0);
	while ((state = recording_read(reader)) == RECORDING_BLOCK) {
		assert_true(*count < COUNT_OF(blocks));
		assert_int_equal(recording_kind(reader), blocks[*count].kind);
		assert_int_equal(recording_size(reader), strlen(blocks[*count].text));
		assert_memory_equal(recording_bytes(reader), blocks[*count].text,
				    recording_size(reader));
		(*count)++;
	}
	assert_int_equal(recording_read(reader), RECORDING_OVER);
	recording_reader_close(reader);
	close(fd);
	return state;
}

static void test_cut_at_every_byte(void **state)
{
	size_t ends[COUNT_OF(blocks)], whole = 0, count;
	struct file file;

	(void)state;
	write_file(&file, ends);
	for (size_t size = 0; size <= file.size; size++) {
		enum recording_state why = read_all(file.bytes, size, &count);
		bool between = !size || (whole && size == ends[whole - 1]);

		if (whole < COUNT_OF(blocks) && size == ends[whole]) {
			whole++;
			between = true;
		}
		assert_int_equal(count, whole);
		assert_int_equal(why, between ? RECORDING_OVER : RECORDING_CUT);
	}
	assert_int_equal(whole, COUNT_OF(blocks));
}

/* A wrong size may also look like a cut; a block that is not what was written never comes. */
static void test_every_bit_flipped(void **state)
{
	size_t ends[COUNT_OF(blocks)], count, hit = 0;
	struct file file;

	(void)state;
	write_file(&file, ends);
	for (size_t bit = 0; bit < file.size * 8; bit++) {
		enum recording_state why;

		while (bit / 8 >= ends[hit])
			hit++;
		file.bytes[bit / 8] ^= 1 << bit % 8;
		why = read_all(file.bytes, file.size, &count);
		file.bytes[bit / 8] ^= 1 << bit % 8;
		assert_int_equal(count, hit);
		assert_true(why == RECORDING_DAMAGED || why == RECORDING_CUT);
	}
}

static void test_blocks_in_another_order(void **state)
{
	size_t ends[COUNT_OF(blocks)], count;
	struct file file;

	(void)state;
	write_file(&file, ends);
	memmove(file.bytes + ends[0], file.bytes + ends[1], file.size - ends[1]);
	assert_int_equal(read_all(file.bytes, file.size - (ends[1] - ends[0]), &count),
			 RECORDING_DAMAGED);
	assert_int_equal(count, 1);
}

static void test_other_byte_order(void **state)
{
	struct recording_block block = {.magic = __builtin_bswap32(RECORDING_MAGIC)};
	size_t count;

	(void)state;
	assert_int_equal(read_all(&block, sizeof(block), &count), RECORDING_FOREIGN);
}

/* Sizes that would need memory, with a right checksum. */
static void test_hostile_sizes(void **state)
{
	static unsigned char bytes[65536];
	struct recording_block *block = (void *)bytes;
	const struct recording_block hostile[] = {
		{.raw = ~0u, .stored = ~0u},
		{.raw = RECORDING_BLOCK_BYTES + 1, .stored = RECORDING_BLOCK_BYTES + 1},
		{.raw = 100, .stored = 200, .packed = 1},
		{.raw = 200, .stored = 100},
		{.raw = 200, .stored = 100, .packed = 1}, /* not zstd */
		{.raw = 100, .stored = 100, .packed = 2},
		{.raw = 100, .stored = 100, .number = 1},
	};
	size_t count;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(hostile); i++) {
		*block = hostile[i];
		block->magic = RECORDING_MAGIC;
		block->kind = RECORDING_HEAD;
		if (block->stored <= sizeof(bytes) - sizeof(*block))
			block->checksum = recording_checksum(block, block + 1);
		assert_int_equal(read_all(bytes, sizeof(bytes), &count), RECORDING_DAMAGED);
		assert_int_equal(count, 0);
	}
}

static void test_large_blocks(void **state)
{
	size_t size = RECORDING_BLOCK_BYTES;
	unsigned char *bytes = calloc(1, size + 1);
	struct recording_writer *writer;
	struct recording_reader *reader;
	uint64_t number = 1;
	int fd = memory_file("", 0);

	(void)state;
	assert_non_null(bytes);
	assert_int_equal(recording_writer_open(&writer, fd), 0);
	assert_int_equal(recording_write(writer, 3, bytes, size + 1), -E2BIG);
	assert_int_equal(recording_write(writer, 3, bytes, size), 0);
	assert_true(recording_written(writer) < 1000);
	for (size_t i = 0; i < size; i++) { /* what cannot be packed is stored as it is */
		number = number * 6364136223846793005ull + 1442695040888963407ull;
		bytes[i] = number >> 56;
	}
	assert_int_equal(recording_write(writer, 3, bytes, size), 0);
	assert_true(recording_written(writer) > size);
	recording_writer_close(writer);
	lseek(fd, 0, SEEK_SET);
	assert_int_equal(recording_reader_open(&reader, fd), 0);
	assert_int_equal(recording_read(reader), RECORDING_BLOCK);
	assert_int_equal(recording_read(reader), RECORDING_BLOCK);
	assert_int_equal(recording_size(reader), size);
	assert_memory_equal(recording_bytes(reader), bytes, size);
	assert_int_equal(recording_read(reader), RECORDING_OVER);
	recording_reader_close(reader);
	close(fd);
	free(bytes);
}

static void test_disk_full(void **state)
{
	struct recording_writer *writer;
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	(void)state;
	assert_int_equal(recording_writer_open(&writer, fd), 0);
	assert_int_equal(recording_write(writer, RECORDING_HEAD, "x", 1), -ENOSPC);
	recording_writer_close(writer);
	close(fd);
}

/* Records. */

struct event {
	struct ring_record record;
	struct event_header header;
	uint64_t time_ns;
	uint64_t rest[2];
};

static struct event event_of(uint64_t time_ns, int cpu)
{
	return (struct event){
		.record = {.length = EVENT_BYTES, .page_offset = 3},
		.header = {.slot = 7, .cpu = cpu, .stamp = (uint32_t)time_ns},
		.time_ns = time_ns,
	};
}

static struct player *player_new(int fd)
{
	struct player *player = player_open(fd);

	assert_non_null(player);
	player_cpus(player, 2);
	assert_int_equal(player_probe(player, 7, EVENT_BYTES, TIME_OFFSET), 0);
	return player;
}

static void test_bad_records(void **state)
{
	struct player *player = player_new(-1);
	struct event good[2] = {event_of(1, 0), event_of(2, 1)}, bad[2];

	(void)state;
	assert_int_equal(player_probe(player, 7, 16, 8), -1);	   /* twice */
	assert_int_equal(player_probe(player, 8, 4, 0), -1);	   /* no header */
	assert_int_equal(player_probe(player, 8, 16, 12), -1);	   /* half a time */
	assert_int_equal(player_probe(player, 8, 1 << 20, 8), -1); /* too long */
	assert_int_equal(player_probe(player, 256, 16, 8), -1);	   /* no slot */
	assert_true(player_load_bytes(player, good, sizeof(good)));
	for (size_t size = 1; size < sizeof(good); size++)
		assert_int_equal(player_load_bytes(player, good, size), size == sizeof(*good));
	for (int i = 0; i < 7; i++) {
		memcpy(bad, good, sizeof(bad));
		if (i == 0)
			bad[1].header.cpu = 2;
		else if (i == 1)
			bad[1].header.slot = 8;
		else if (i == 2)
			bad[1].record.length = EVENT_BYTES + 1;
		else if (i == 3)
			bad[1].record.length = 8;
		else if (i == 4)
			bad[1].record.length |= 1u << 31;
		else if (i == 5)
			bad[1].record.length |= 1u << 30;
		else
			bad[0].record.length = ~0u;
		assert_false(player_load_bytes(player, bad, sizeof(bad)));
		assert_int_equal(player_until(player, 1e300), 0);
		assert_true(player_is_done(player));
	}
	player_close(player);
}

static void test_time(void **state)
{
	struct player *player = player_new(-1);
	struct event events[] = {event_of(10, 0), event_of(30, 0), event_of(20, 0),
				 event_of(40, 0)};
	struct ring *ring = player_ring(player);

	(void)state;
	assert_true(player_load_bytes(player, events, sizeof(events)));
	assert_int_equal(player_until(player, 10), 0); /* a timer of that moment comes first */
	assert_true(player_next_ns(player) == 10);
	assert_int_equal(player_until(player, 30), sizeof(*events));
	assert_int_equal(ring_ready(ring, 1 << 20), sizeof(*events));
	assert_true(player_now(player) == 0);
	*ring->handled = sizeof(*events);
	assert_true(player_now(player) == 10);
	ring_release(ring, sizeof(*events));
	assert_int_equal(player_until(player, 25), 0); /* events do not overtake each other */
	assert_int_equal(player_until(player, 40), 2 * sizeof(*events));
	*ring->handled = 3 * sizeof(*events);
	assert_true(player_now(player) == 30); /* the clock does not go back */
	assert_false(player_is_done(player));
	assert_int_equal(player_until(player, 1e300), 3 * sizeof(*events));
	assert_true(player_is_done(player));
	player_close(player);
}

/* A player's ring is as good as the kernel's for the recorder. */
static void test_recorded(void **state)
{
	struct event_counters rows[2] = {0};
	struct player *player = player_new(-1);
	struct event events[] = {event_of(10, 0), event_of(11, 1), event_of(12, 1)};
	int fd = memory_file("", 0);
	struct recorder *recorder = recorder_open(fd);
	const uint64_t *noted;

	(void)state;
	assert_non_null(recorder);
	recorder_count(recorder, 7, rows, 2);
	assert_int_equal(recorder_watch(recorder, 7, TIME_OFFSET, 8), 0);
	assert_true(player_load_bytes(player, events, sizeof(events)));
	player_until(player, 1e300);
	assert_int_equal(recorder_take(recorder, player_ring(player), 1 << 20), sizeof(events));
	assert_int_equal(recorder_take(recorder, player_ring(player), 1 << 20), 0);
	assert_int_equal(recorder_held(recorder), sizeof(events));
	assert_int_equal(recorder_records(recorder), 3);
	assert_int_equal(rows[0].received, 1);
	assert_int_equal(rows[1].received, 2);
	assert_int_equal(recorder_noted(recorder, 0, &noted), 3);
	assert_int_equal(noted[2], 12);
	assert_int_equal(recorder_noted(recorder, 0, &noted), 0);
	assert_int_equal(recorder_flush(recorder), 0);
	player_close(player);
	lseek(fd, 0, SEEK_SET);
	player = player_new(fd);
	assert_int_equal(player_next(player), RECORDING_BLOCK);
	assert_int_equal(player_kind(player), RECORDING_RECORDS);
	assert_true(player_load(player));
	for (size_t i = 0; i < COUNT_OF(events); i++)
		events[i].record.page_offset = 0;
	assert_memory_equal(player_bytes(player), events, sizeof(events));
	player_close(player);
	recorder_close(recorder);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut_at_every_byte),
		cmocka_unit_test(test_every_bit_flipped),
		cmocka_unit_test(test_blocks_in_another_order),
		cmocka_unit_test(test_other_byte_order),
		cmocka_unit_test(test_hostile_sizes),
		cmocka_unit_test(test_large_blocks),
		cmocka_unit_test(test_disk_full),
		cmocka_unit_test(test_bad_records),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_recorded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
