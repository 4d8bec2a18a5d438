/* SPDX-License-Identifier: Apache-2.0 */
/* Ring: the worker's view of its script's kernel ring, mapped, nothing copied.
 *
 *            position                      position + ring_ready()
 *   ... done | finished | finished | discarded | being written ...
 *            '---- one batch, read in Lua ----'
 *
 * ring_ready() says how many bytes are finished; the drain loop (stdlib/drain.lua) reads
 * them in place, since the kernel maps the data twice in a row and no record is ever split;
 * ring_release() gives the room back. Pointers into a batch are valid until then.
 *
 * The position lives in the ring's own page, so another process can take over where this one
 * stopped (kernel/bpf/ringbuf.c). In the rest of that page, which the kernel does not use, the
 * loop notes `handled`, how far it is within the batch: who takes over from a worker that
 * died starts after the event that killed it, not at the start of the batch. */
#ifndef MOONPROBE_RING_H
#define MOONPROBE_RING_H

#include <stddef.h>
#include <stdint.h>

struct ring {
	unsigned char *data; /* offset of the next record: position & mask */
	uint64_t mask;
	uint64_t position;
	uint64_t *handled;  /* written by the loop before it calls a handler */
	uint64_t *consumer; /* shared with the kernel, written by us */
	const uint64_t *producer;
};

/* 0 or -errno. Takes the position over, so nobody else may read the ring any more. */
int ring_open(struct ring **ring, int map_fd, size_t bytes);
void ring_close(struct ring *ring); /* NULL is fine */

/* Called from Lua through the FFI. */
size_t ring_ready(const struct ring *ring, size_t at_most); /* bytes; 0: nothing finished */
void ring_release(struct ring *ring, size_t bytes);
void ring_resume(struct ring *ring); /* after another process has read it for a while */
/* Bytes until where the kernel has reserved by now; what comes later is not included. */
size_t ring_reserved(const struct ring *ring);

#endif
