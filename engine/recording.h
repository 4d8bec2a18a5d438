/* SPDX-License-Identifier: Apache-2.0 */
/* Recording: a file of blocks, each complete in itself, so a file that was cut anywhere is good
 * up to the cut.
 *
 *   file   = block...          the first is a head; the last, of one that ended well, an end
 *   block  = struct recording_block, then `stored` bytes: zstd of `raw` bytes, or these themselves
 *
 *   head      text   machine, clocks, probes with their slots, knobs and schema
 *   names     text   what devices and system calls are called there
 *   records   bytes  records as they are in the ring (record.h), one after the other
 *   counters  text   events and losses by probe and CPU, at a moment
 *   end       text   the same, at the end
 *
 * Texts are lines, written and read by stdlib/recording.lua. Numbers are in the byte order of the
 * machine that wrote them: `magic` tells. A reader skips kinds it does not know; what else
 * changes makes a new number in the head's first line. */
#ifndef MOONPROBE_RECORDING_H
#define MOONPROBE_RECORDING_H

#include <stddef.h>
#include <stdint.h>

#define RECORDING_MAGIC 0x3152504du /* "MPR1" in little endian */
#define RECORDING_BLOCK_BYTES (1 << 20)

enum recording_kind {
	RECORDING_HEAD = 1,
	RECORDING_NAMES = 2,
	RECORDING_RECORDS = 3,
	RECORDING_COUNTERS = 4,
	RECORDING_END = 5,
};

struct recording_block {
	uint32_t magic;
	uint16_t kind;
	uint16_t packed;   /* 1: zstd, 0: stored as it is */
	uint32_t raw;	   /* at most RECORDING_BLOCK_BYTES */
	uint32_t stored;   /* at most raw */
	uint32_t number;   /* of the block in its file, from 0 */
	uint32_t checksum; /* CRC-32 of this struct with 0 in here, and of what is stored */
};

/* Writing. */

struct recording_writer;

int recording_writer_open(struct recording_writer **writer, int fd); /* fd stays the caller's */
/* One block, written at once. 0 or -errno. */
int recording_write(struct recording_writer *writer, enum recording_kind kind, const void *bytes,
		    size_t size);
uint64_t recording_written(const struct recording_writer *writer); /* bytes of the file so far */
void recording_writer_close(struct recording_writer *writer);	   /* NULL is fine */

/* Reading: one block at a time, in bounded memory, whatever the file says. */

struct recording_reader;

enum recording_state {
	RECORDING_BLOCK,   /* here is one */
	RECORDING_OVER,	   /* the file ends between two blocks */
	RECORDING_CUT,	   /* the file ends within a block */
	RECORDING_DAMAGED, /* what comes is no block, or not what was written */
	RECORDING_FOREIGN, /* written on a machine of the other byte order */
	RECORDING_FAILED,  /* it cannot be read: errno */
};

int recording_reader_open(struct recording_reader **reader, int fd); /* fd stays the caller's */
/* The next block; its bytes are valid until the next call, and aligned to 8. After anything but
 * RECORDING_BLOCK there is no more. */
enum recording_state recording_read(struct recording_reader *reader);
enum recording_kind recording_kind(const struct recording_reader *reader);
const void *recording_bytes(const struct recording_reader *reader);
size_t recording_size(const struct recording_reader *reader);
uint64_t
recording_position(const struct recording_reader *reader);    /* where the next block starts */
void recording_reader_close(struct recording_reader *reader); /* NULL is fine */

/* Both. */
uint32_t recording_checksum(const struct recording_block *block, const void *stored);

#endif
