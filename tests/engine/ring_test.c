// SPDX-License-Identifier: Apache-2.0
/* The kernel's side is played by a file in memory with the pages of a ring: the consumer's,
 * the producer's, the data and the data once more. One test asks the kernel itself. */
#include "ring.h"

#include "privilege.h"
#include "record.h"
#include "test.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <sys/mman.h>

#define BYTES 4096

struct fake {
	int fd;
	size_t page;
	unsigned char *base; /* of the whole file */
};

static struct fake fake;
static struct ring *ring;

static uint64_t *consumer(void)
{
	return (uint64_t *)fake.base;
}

static uint64_t *producer(void)
{
	return (uint64_t *)(fake.base + fake.page);
}

static int fake_open(void)
{
	size_t size;

	fake.page = sysconf(_SC_PAGESIZE);
	size = 2 * fake.page + 2 * BYTES;
	fake.fd = memfd_create("ring", MFD_CLOEXEC);
	if (fake.fd < 0 || ftruncate(fake.fd, size))
		return -1;
	fake.base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fake.fd, 0);
	return fake.base == MAP_FAILED ? -1 : 0;
}

static void fake_close(void)
{
	munmap(fake.base, 2 * fake.page + 2 * BYTES);
	close(fake.fd);
}

static int setup(void **state)
{
	(void)state;
	return fake_open() || ring_open(&ring, fake.fd, BYTES);
}

static int teardown(void **state)
{
	(void)state;
	ring_close(ring);
	fake_close();
	return 0;
}

/* In the kernel both copies are the same memory. */
static void store(uint64_t at, const void *bytes, size_t size)
{
	unsigned char *data = fake.base + 2 * fake.page;

	for (size_t i = 0; i < size; i++) {
		size_t offset = (at + i) & (BYTES - 1);

		data[offset] = data[offset + BYTES] = ((const unsigned char *)bytes)[i];
	}
}

/* Reserves a record and fills it with `fill`; returns where it starts. */
static uint64_t put(uint32_t length, uint32_t flags, int fill)
{
	struct ring_record record = {.length = length | flags};
	unsigned char content[BYTES];
	uint64_t at = *producer();

	memset(content, fill, sizeof(content));
	store(at, &record, sizeof(record));
	store(at + sizeof(record), content, length);
	*producer() = at + ((sizeof(record) + length + 7) & ~7ull);
	return at;
}

static void set_flags(uint64_t at, uint32_t length, uint32_t flags)
{
	struct ring_record record = {.length = length | flags};

	store(at, &record, sizeof(record));
}

static void an_empty_ring(void **state)
{
	(void)state;
	assert_int_equal(ring_ready(ring, BYTES), 0);
	assert_int_equal(ring_reserved(ring), 0);
	assert_int_equal(ring->position, 0);
	assert_int_equal(ring->mask, BYTES - 1);
}

static void finished_records_are_ready(void **state)
{
	const struct ring_record *record;

	(void)state;
	put(16, 0, 'a');
	assert_int_equal(ring_ready(ring, BYTES), 24);
	put(24, 0, 'b');
	assert_int_equal(ring_ready(ring, BYTES), 24 + 32);
	record = (void *)(ring->data + 24);
	assert_int_equal(record->length, 24);
	assert_int_equal(ring->data[24 + 8], 'b');
}

static void lengths_are_rounded_up_to_8(void **state)
{
	(void)state;
	for (uint32_t length = 1; length <= 17; length++) {
		put(length, 0, 'x');
		assert_int_equal(ring_ready(ring, BYTES), (8 + length + 7) / 8 * 8);
		ring_release(ring, ring_ready(ring, BYTES));
	}
}

static void a_record_being_written_stops_the_batch(void **state)
{
	uint64_t busy;

	(void)state;
	put(8, 0, 'a');
	busy = put(8, BPF_RINGBUF_BUSY_BIT, 'b');
	put(8, 0, 'c'); /* finished, but behind it: order is kept */
	assert_int_equal(ring_ready(ring, BYTES), 16);
	assert_int_equal(ring_reserved(ring), 48);
	ring_release(ring, 16);
	assert_int_equal(ring_ready(ring, BYTES), 0);
	set_flags(busy, 8, 0);
	assert_int_equal(ring_ready(ring, BYTES), 32);
}

static void a_discarded_record_is_passed_over(void **state)
{
	(void)state;
	put(8, BPF_RINGBUF_DISCARD_BIT, 'a');
	put(8, 0, 'b');
	assert_int_equal(ring_ready(ring, BYTES), 32);
	put(40, BPF_RINGBUF_DISCARD_BIT | BPF_RINGBUF_BUSY_BIT, 'c');
	assert_int_equal(ring_ready(ring, BYTES), 32);
}

static void a_batch_ends_with_a_whole_record(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++)
		put(24, 0, 'x');
	assert_int_equal(ring_ready(ring, 0), 0);
	assert_int_equal(ring_ready(ring, 1), 32);
	assert_int_equal(ring_ready(ring, 32), 32);
	assert_int_equal(ring_ready(ring, 33), 64);
	assert_int_equal(ring_ready(ring, 1000), 128);
	assert_int_equal(ring->position, 0); /* looking takes nothing away */
}

static void released_room_is_told_to_the_kernel(void **state)
{
	(void)state;
	put(8, 0, 'a');
	put(8, 0, 'b');
	ring_release(ring, 16);
	assert_int_equal(*consumer(), 16);
	assert_int_equal(ring->position, 16);
	assert_int_equal(ring_ready(ring, BYTES), 16);
	assert_int_equal(ring_reserved(ring), 16);
	ring_release(ring, 16);
	assert_int_equal(*consumer(), 32);
	assert_int_equal(ring_ready(ring, BYTES), 0);
	assert_int_equal(ring_reserved(ring), 0);
}

static void a_record_over_the_end_is_in_one_piece(void **state)
{
	size_t ready;

	(void)state;
	put(BYTES - 8 - 16, 0, 'a'); /* 16 bytes are left before the end */
	ring_release(ring, ring_ready(ring, BYTES));
	assert_int_equal(ring->position & ring->mask, BYTES - 16);
	put(100, 0, 'w');
	ready = ring_ready(ring, BYTES);
	assert_int_equal(ready, 112);
	for (int i = 0; i < 100; i++)
		assert_int_equal(ring->data[(ring->position & ring->mask) + 8 + i], 'w');
	ring_release(ring, ready);
	assert_int_equal(*consumer(), BYTES + 96);
	put(8, 0, 'n');
	assert_int_equal(ring->data[(ring->position & ring->mask) + 8], 'n');
}

static void a_full_ring(void **state)
{
	(void)state;
	for (int i = 0; i < BYTES / 64; i++)
		put(56, 0, 'x');
	assert_int_equal(ring_ready(ring, BYTES), BYTES);
	assert_int_equal(ring_ready(ring, (size_t)-1), BYTES);
	ring_release(ring, BYTES);
	assert_int_equal(ring_ready(ring, BYTES), 0);
}

static void positions_are_more_than_32_bits(void **state)
{
	uint64_t far = (1ull << 40) + BYTES - 8;

	(void)state;
	ring_close(ring);
	*consumer() = *producer() = far;
	assert_int_equal(ring_open(&ring, fake.fd, BYTES), 0);
	assert_true(ring->position == far);
	put(16, 0, 'x');
	assert_int_equal(ring_ready(ring, BYTES), 24);
	ring_release(ring, 24);
	assert_true(*consumer() == far + 24);
}

static void another_process_goes_on_where_this_one_stopped(void **state)
{
	struct ring *next;

	(void)state;
	put(8, 0, 'a');
	put(8, 0, 'b');
	ring_release(ring, 16);
	assert_int_equal(ring_open(&next, fake.fd, BYTES), 0);
	assert_int_equal(next->position, 16);
	assert_int_equal(next->data[(next->position & next->mask) + 8], 'b');
	assert_int_equal(ring_ready(next, BYTES), 16);
	ring_close(next);
}

static void what_cannot_be_mapped(void **state)
{
	int read_only = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct ring *none = NULL;

	(void)state;
	assert_int_equal(ring_open(&none, -1, BYTES), -EBADF);
	assert_int_equal(ring_open(&none, read_only, BYTES), -EACCES);
	/* The first page can be had, the rest is larger than the address space. */
	assert_int_equal(ring_open(&none, fake.fd, 1ull << 47), -ENOMEM);
	assert_null(none);
	ring_close(NULL);
	close(read_only);
}

/* A program that sends 8 bytes, 0x11 each, run once by hand for each event. */
static int sender(int map_fd)
{
	const struct bpf_insn program[] = {
		/* *(u64 *)(r10 - 8) = 0x1111111111111111 */
		{.code = BPF_LD | BPF_IMM | BPF_DW, .dst_reg = 2, .imm = 0x11111111},
		{.imm = 0x11111111},
		{.code = BPF_STX | BPF_MEM | BPF_DW, .dst_reg = 10, .src_reg = 2, .off = -8},
		/* bpf_ringbuf_output(map, r10 - 8, 8, 0) */
		{.code = BPF_LD | BPF_IMM | BPF_DW,
		 .dst_reg = 1,
		 .src_reg = BPF_PSEUDO_MAP_FD,
		 .imm = map_fd},
		{0},
		{.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 2, .src_reg = 10},
		{.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 2, .imm = -8},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 3, .imm = 8},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 4, .imm = 0},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_ringbuf_output},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 0},
		{.code = BPF_JMP | BPF_EXIT},
	};

	return bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, "sender", "GPL", program,
			     COUNT_OF(program), NULL);
}

static void the_kernel_sees_it_the_same_way(void **state)
{
	unsigned char packet[64] = {0};
	LIBBPF_OPTS(bpf_test_run_opts, once, .data_in = packet, .data_size_in = sizeof(packet));
	struct ring *real = NULL;
	struct error error;
	uint64_t sent = 0;
	int map, program;

	(void)state;
	if (privilege_check(&error))
		SKIP("needs root, to make a ring buffer in the kernel");
	map = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "ring", 0, 0, BYTES, NULL);
	assert_true(map >= 0);
	program = sender(map);
	assert_true(program >= 0);
	assert_int_equal(ring_open(&real, map, BYTES), 0);
	for (int round = 0; round < 200; round++) { /* goes around more than twice */
		int count = 1 + round % 7;

		for (int i = 0; i < count; i++, sent++)
			assert_int_equal(bpf_prog_test_run_opts(program, &once), 0);
		assert_int_equal(ring_ready(real, BYTES), 16 * count);
		assert_int_equal(ring_reserved(real), 16 * count);
		for (int i = 0; i < count; i++)
			assert_int_equal(real->data[(real->position & real->mask) + 16 * i + 8],
					 0x11);
		ring_release(real, 16 * count);
	}
	assert_true(16 * sent > 2 * BYTES);
	assert_true(real->position == 16 * sent);
	ring_close(real);
	close(program);
	close(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_empty_ring, setup, teardown),
		cmocka_unit_test_setup_teardown(finished_records_are_ready, setup, teardown),
		cmocka_unit_test_setup_teardown(lengths_are_rounded_up_to_8, setup, teardown),
		cmocka_unit_test_setup_teardown(a_record_being_written_stops_the_batch, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_discarded_record_is_passed_over, setup, teardown),
		cmocka_unit_test_setup_teardown(a_batch_ends_with_a_whole_record, setup, teardown),
		cmocka_unit_test_setup_teardown(released_room_is_told_to_the_kernel, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_record_over_the_end_is_in_one_piece, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_full_ring, setup, teardown),
		cmocka_unit_test_setup_teardown(positions_are_more_than_32_bits, setup, teardown),
		cmocka_unit_test_setup_teardown(another_process_goes_on_where_this_one_stopped,
						setup, teardown),
		cmocka_unit_test_setup_teardown(what_cannot_be_mapped, setup, teardown),
		cmocka_unit_test(the_kernel_sees_it_the_same_way),
	};

	return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}
