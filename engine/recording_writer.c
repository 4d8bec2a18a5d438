// SPDX-License-Identifier: Apache-2.0
#include "recording.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#define LEVEL -1 /* zstd's own fast ones: no larger for records than 1, and cheaper */

struct recording_writer {
	int fd;
	uint32_t number;
	uint64_t written;
	ZSTD_CCtx *context;
	size_t room;
	unsigned char *packed;
};

uint32_t recording_checksum(const struct recording_block *block, const void *stored)
{
	struct recording_block copy = *block;
	uint32_t sum;

	copy.checksum = 0;
	sum = crc32(0, (const Bytef *)&copy, sizeof(copy));
	return crc32(sum, stored, block->stored);
}

int recording_writer_open(struct recording_writer **out, int fd)
{
	struct recording_writer *writer = calloc(1, sizeof(*writer));

	if (!writer)
		return -ENOMEM;
	writer->fd = fd;
	writer->context = ZSTD_createCCtx();
	writer->room = ZSTD_compressBound(RECORDING_BLOCK_BYTES);
	writer->packed = malloc(writer->room);
	if (!writer->context || !writer->packed) {
		recording_writer_close(writer);
		return -ENOMEM;
	}
	*out = writer;
	return 0;
}

static int put(int fd, struct iovec *parts, int count)
{
	while (count) {
		ssize_t done = writev(fd, parts, count);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		while (count && (size_t)done >= parts->iov_len) {
			done -= parts->iov_len;
			parts++;
			count--;
		}
		if (count) {
			parts->iov_base = (char *)parts->iov_base + done;
			parts->iov_len -= done;
		}
	}
	return 0;
}

int recording_write(struct recording_writer *writer, enum recording_kind kind, const void *bytes,
		    size_t size)
{
	struct recording_block block = {
		.magic = RECORDING_MAGIC,
		.kind = kind,
		.raw = size,
		.stored = size,
		.number = writer->number,
	};
	struct iovec parts[2] = {{&block, sizeof(block)}, {(void *)bytes, size}};
	size_t packed;
	int err;

	if (size > RECORDING_BLOCK_BYTES)
		return -E2BIG;
	packed = ZSTD_compressCCtx(writer->context, writer->packed, writer->room, bytes, size,
				   LEVEL);
	if (!ZSTD_isError(packed) && packed < size) {
		block.packed = 1;
		block.stored = packed;
		parts[1] = (struct iovec){writer->packed, packed};
	}
	block.checksum = recording_checksum(&block, parts[1].iov_base);
	err = put(writer->fd, parts, 2);
	if (err)
		return err;
	writer->number++;
	writer->written += sizeof(block) + block.stored;
	return 0;
}

uint64_t recording_written(const struct recording_writer *writer)
{
	return writer->written;
}

void recording_writer_close(struct recording_writer *writer)
{
	if (!writer)
		return;
	ZSTD_freeCCtx(writer->context);
	free(writer->packed);
	free(writer);
}
