// SPDX-License-Identifier: Apache-2.0
/* Reads what anybody may have written: nothing is believed before it was checked. */
#include "recording.h"

#include <byteswap.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>
#include <zstd.h>

struct recording_reader {
	int fd;
	bool over;
	uint32_t number;
	uint64_t position;
	struct recording_block block;
	ZSTD_DCtx *context;
	const unsigned char *bytes; /* of the block: `raw` or `stored` */
	unsigned char *raw, *stored;
};

int recording_reader_open(struct recording_reader **out, int fd)
{
	struct recording_reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return -ENOMEM;
	reader->fd = fd;
	reader->context = ZSTD_createDCtx();
	reader->raw = malloc(RECORDING_BLOCK_BYTES);
	reader->stored = malloc(RECORDING_BLOCK_BYTES);
	if (!reader->context || !reader->raw || !reader->stored) {
		recording_reader_close(reader);
		return -ENOMEM;
	}
	*out = reader;
	return 0;
}

/* Bytes read: fewer than asked for at the end of the file; or -errno. */
static ssize_t fill(int fd, void *bytes, size_t size)
{
	size_t got = 0;

	while (got < size) {
		ssize_t part = read(fd, (char *)bytes + got, size - got);

		if (part < 0 && errno == EINTR)
			continue;
		if (part < 0)
			return -errno;
		if (!part)
			break;
		got += part;
	}
	return got;
}

static enum recording_state read_part(struct recording_reader *reader, void *bytes, size_t size)
{
	ssize_t got = fill(reader->fd, bytes, size);

	if (got < 0) {
		errno = -got;
		return RECORDING_FAILED;
	}
	return (size_t)got == size ? RECORDING_BLOCK : got ? RECORDING_CUT : RECORDING_OVER;
}

static bool is_plausible(const struct recording_reader *reader, const struct recording_block *block)
{
	if (block->magic != RECORDING_MAGIC || block->number != reader->number ||
	    block->raw > RECORDING_BLOCK_BYTES)
		return false;
	return block->packed == 0   ? block->stored == block->raw
	       : block->packed == 1 ? block->stored < block->raw
				    : false;
}

static bool is_genuine(const struct recording_block *block, const void *stored)
{
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
	(void)block;
	(void)stored;
	return true; /* else a fuzzer gets nowhere */
#else
	return recording_checksum(block, stored) == block->checksum;
#endif
}

static enum recording_state read_block(struct recording_reader *reader)
{
	struct recording_block *block = &reader->block;
	enum recording_state state = read_part(reader, block, sizeof(*block));
	size_t raw;

	if (state != RECORDING_BLOCK)
		return state;
	if (block->magic == bswap_32(RECORDING_MAGIC))
		return RECORDING_FOREIGN;
	if (!is_plausible(reader, block))
		return RECORDING_DAMAGED;
	state = read_part(reader, reader->stored, block->stored);
	if (state != RECORDING_BLOCK)
		return state == RECORDING_OVER ? RECORDING_CUT : state;
	if (!is_genuine(block, reader->stored))
		return RECORDING_DAMAGED;
	reader->bytes = reader->stored;
	if (!block->packed)
		return RECORDING_BLOCK;
	reader->bytes = reader->raw;
	raw = ZSTD_decompressDCtx(reader->context, reader->raw, RECORDING_BLOCK_BYTES,
				  reader->stored, block->stored);
	return ZSTD_isError(raw) || raw != block->raw ? RECORDING_DAMAGED : RECORDING_BLOCK;
}

enum recording_state recording_read(struct recording_reader *reader)
{
	enum recording_state state = reader->over ? RECORDING_OVER : read_block(reader);

	if (state == RECORDING_BLOCK) {
		reader->number++;
		reader->position += sizeof(reader->block) + reader->block.stored;
	} else {
		reader->over = true;
	}
	return state;
}

enum recording_kind recording_kind(const struct recording_reader *reader)
{
	return reader->block.kind;
}

const void *recording_bytes(const struct recording_reader *reader)
{
	return reader->bytes;
}

size_t recording_size(const struct recording_reader *reader)
{
	return reader->block.raw;
}

uint64_t recording_position(const struct recording_reader *reader)
{
	return reader->position;
}

void recording_reader_close(struct recording_reader *reader)
{
	if (!reader)
		return;
	ZSTD_freeDCtx(reader->context);
	free(reader->raw);
	free(reader->stored);
	free(reader);
}
