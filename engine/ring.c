// SPDX-License-Identifier: Apache-2.0
#include "ring.h"

#include "record.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define HANDLED_OFFSET 64 /* in the consumer's page: a cache line of its own */
#define FFI __attribute__((visibility("default")))

int ring_open(struct ring **out, int map_fd, size_t bytes)
{
	size_t page = sysconf(_SC_PAGESIZE);
	struct ring *ring = calloc(1, sizeof(*ring));
	void *first, *rest;
	int err;

	if (!ring)
		return -ENOMEM;
	first = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
	if (first == MAP_FAILED)
		goto fail;
	ring->consumer = first;
	/* The producer's page, then the data, twice. */
	rest = mmap(NULL, page + 2 * bytes, PROT_READ, MAP_SHARED, map_fd, page);
	if (rest == MAP_FAILED)
		goto fail;
	ring->producer = rest;
	ring->data = (unsigned char *)rest + page;
	ring->mask = bytes - 1;
	ring->handled = (uint64_t *)((char *)first + HANDLED_OFFSET);
	ring_resume(ring);
	*out = ring;
	return 0;
fail:
	err = -errno;
	ring_close(ring);
	return err;
}

void ring_close(struct ring *ring)
{
	size_t page = sysconf(_SC_PAGESIZE);

	if (!ring)
		return;
	if (ring->producer)
		munmap((void *)ring->producer, page + 2 * (ring->mask + 1));
	if (ring->consumer)
		munmap(ring->consumer, page);
	free(ring);
}

FFI size_t ring_ready(const struct ring *ring, size_t at_most)
{
	uint64_t end = __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE);
	uint64_t at = ring->position;

	while (at < end && at - ring->position < at_most) {
		const struct ring_record *record = (void *)(ring->data + (at & ring->mask));
		uint32_t length = __atomic_load_n(&record->length, __ATOMIC_ACQUIRE);

		if (length & BPF_RINGBUF_BUSY_BIT)
			break;
		length &= ~BPF_RINGBUF_DISCARD_BIT;
		at += (length + sizeof(*record) + 7) & ~7ull;
	}
	return at - ring->position;
}

FFI void ring_release(struct ring *ring, size_t bytes)
{
	ring->position += bytes;
	__atomic_store_n(ring->consumer, ring->position, __ATOMIC_RELEASE);
}

FFI void ring_resume(struct ring *ring)
{
	uint64_t end = __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE);

	ring->position = __atomic_load_n(ring->consumer, __ATOMIC_ACQUIRE);
	if (*ring->handled > ring->position && *ring->handled <= end)
		ring_release(ring, *ring->handled - ring->position);
}

FFI size_t ring_reserved(const struct ring *ring)
{
	return __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE) - ring->position;
}
