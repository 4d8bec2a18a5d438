// SPDX-License-Identifier: Apache-2.0
#include "mappings.h"

#include "clock.h"
#include "loop.h"
#include "processes.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define RING_BYTES (64u << 10) /* some 600 records */
#define RECORD_BYTES 8192      /* header, a path of 4096, and more than is behind it */
#define WAITING_MOST 65536

struct cpu {
	struct mappings *mappings;
	struct loop_source source;
	struct perf_event_mmap_page *page;
};

/* A record that waits for older ones of other CPUs. */
struct waiting {
	uint64_t time;
	uint64_t number; /* of two of one time, which came first */
	struct perf_event_header *record;
};

struct mappings {
	struct loop *loop;
	struct processes *processes;
	struct cpu *cpus;
	int cpu_count;
	size_t page_bytes;
	struct waiting *waiting;
	size_t count, room;
	uint64_t number;
};

struct mmap_record {
	struct perf_event_header header;
	uint32_t pid, tid;
	uint64_t start, bytes, offset;
	uint32_t major, minor;
	uint64_t inode, generation;
	uint32_t protection, flags;
	char path[];
};

struct comm_record {
	struct perf_event_header header;
	uint32_t pid, tid;
};

struct fork_record {
	struct perf_event_header header;
	uint32_t pid, parent, tid, parent_tid;
};

static void apply(struct mappings *mappings, const struct perf_event_header *header)
{
	const struct mmap_record *map = (const void *)header;
	const struct comm_record *comm = (const void *)header;
	const struct fork_record *fork = (const void *)header;

	if (header->type == PERF_RECORD_MMAP2 && header->size > sizeof(*map) + sizeof(uint64_t)) {
		const struct process_mapping mapping = {
			.start = map->start,
			.end = map->start + map->bytes,
			.offset = map->offset,
			.inode = map->inode,
			.path = map->path,
		};

		if (memchr(map->path, 0, header->size - sizeof(*map)))
			processes_mapped(mappings->processes, map->pid, &mapping);
	} else if (header->type == PERF_RECORD_COMM && header->misc & PERF_RECORD_MISC_COMM_EXEC) {
		processes_executed(mappings->processes, comm->pid);
	} else if (header->type == PERF_RECORD_FORK && fork->pid != fork->parent) {
		processes_forked(mappings->processes, fork->pid, fork->parent);
	}
}

static bool is_wanted(const struct perf_event_header *header)
{
	return header->type == PERF_RECORD_MMAP2 || header->type == PERF_RECORD_FORK ||
	       (header->type == PERF_RECORD_COMM && header->misc & PERF_RECORD_MISC_COMM_EXEC);
}

/* Its last 8 bytes are its time (sample_id_all). */
static void keep(struct mappings *mappings, const struct perf_event_header *header)
{
	struct waiting *one;
	void *copy;

	if (mappings->count == mappings->room) {
		size_t room = mappings->room ? 2 * mappings->room : 256;
		struct waiting *list =
			room > WAITING_MOST
				? NULL
				: reallocarray(mappings->waiting, room, sizeof(*mappings->waiting));

		if (!list)
			return;
		mappings->waiting = list;
		mappings->room = room;
	}
	copy = malloc(header->size);
	if (!copy)
		return;
	memcpy(copy, header, header->size);
	one = &mappings->waiting[mappings->count++];
	one->record = copy;
	one->number = mappings->number++;
	memcpy(&one->time, (char *)copy + header->size - sizeof(one->time), sizeof(one->time));
}

static void copy_out(const unsigned char *ring, uint64_t at, void *to, size_t bytes)
{
	size_t from = at & (RING_BYTES - 1), first = RING_BYTES - from;

	if (first > bytes)
		first = bytes;
	memcpy(to, ring + from, first);
	memcpy((char *)to + first, ring, bytes - first);
}

static void take(struct mappings *mappings, struct cpu *cpu)
{
	const unsigned char *ring = (unsigned char *)cpu->page + mappings->page_bytes;
	uint64_t head = __atomic_load_n(&cpu->page->data_head, __ATOMIC_ACQUIRE);
	uint64_t tail = cpu->page->data_tail;
	union {
		struct perf_event_header header;
		unsigned char bytes[RECORD_BYTES];
	} record;

	while (tail < head) {
		copy_out(ring, tail, &record.header, sizeof(record.header));
		if (record.header.size < sizeof(record.header) + sizeof(uint64_t))
			break;
		if (record.header.size <= sizeof(record) && is_wanted(&record.header)) {
			copy_out(ring, tail, &record, record.header.size);
			keep(mappings, &record.header);
		}
		tail += record.header.size;
	}
	__atomic_store_n(&cpu->page->data_tail, head, __ATOMIC_RELEASE);
}

static int in_time(const void *a, const void *b)
{
	const struct waiting *one = a, *other = b;

	if (one->time != other->time)
		return one->time < other->time ? -1 : 1;
	return (one->number > other->number) - (one->number < other->number);
}

/* What comes while the rings are read waits: another CPU's may be older. */
void mappings_follow(struct mappings *mappings)
{
	uint64_t now = clock_now_ns();
	size_t done = 0;

	if (!mappings)
		return;
	for (int i = 0; i < mappings->cpu_count; i++)
		if (mappings->cpus[i].page)
			take(mappings, &mappings->cpus[i]);
	if (!mappings->count)
		return;
	qsort(mappings->waiting, mappings->count, sizeof(*mappings->waiting), in_time);
	for (; done < mappings->count && mappings->waiting[done].time <= now; done++) {
		apply(mappings, mappings->waiting[done].record);
		free(mappings->waiting[done].record);
	}
	mappings->count -= done;
	memmove(mappings->waiting, mappings->waiting + done,
		mappings->count * sizeof(*mappings->waiting));
}

static void on_half_full(struct loop_source *source)
{
	mappings_follow(container_of(source, struct cpu, source)->mappings);
}

static int open_cpu(struct mappings *mappings, int number)
{
	struct cpu *cpu = &mappings->cpus[number];
	struct perf_event_attr what = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(what),
		.config = PERF_COUNT_SW_DUMMY,
		.sample_type = PERF_SAMPLE_TIME,
		.sample_id_all = 1,
		.mmap = 1,
		.mmap2 = 1,
		.comm = 1,
		.comm_exec = 1,
		.task = 1,
		.watermark = 1,
		.wakeup_watermark = RING_BYTES / 2,
		.use_clockid = 1,
		.clockid = CLOCK_MONOTONIC,
	};
	int fd = syscall(SYS_perf_event_open, &what, -1, number, -1, PERF_FLAG_FD_CLOEXEC);
	void *page;

	if (fd < 0)
		return errno == ENODEV ? 0 : -errno; /* a CPU that is off */
	cpu->source.fd = fd;
	page = mmap(NULL, mappings->page_bytes + RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		    0);
	if (page == MAP_FAILED)
		return -errno;
	cpu->page = page;
	return loop_add(mappings->loop, &cpu->source);
}

int mappings_open(struct mappings **out, struct loop *loop, struct processes *processes)
{
	struct mappings *mappings = calloc(1, sizeof(*mappings));
	int err = 0, count = libbpf_num_possible_cpus();

	if (!mappings)
		return -ENOMEM;
	mappings->loop = loop;
	mappings->processes = processes;
	mappings->page_bytes = sysconf(_SC_PAGESIZE);
	mappings->cpus = calloc(count > 0 ? count : 0, sizeof(*mappings->cpus));
	if (!mappings->cpus)
		err = -ENOMEM;
	for (int i = 0; i < count && !err; i++) {
		mappings->cpus[i] = (struct cpu){.mappings = mappings,
						 .source = {.fd = -1, .ready = on_half_full}};
		mappings->cpu_count++;
		err = open_cpu(mappings, i);
	}
	if (err)
		mappings_close(mappings);
	else
		*out = mappings;
	return err;
}

void mappings_close(struct mappings *mappings)
{
	if (!mappings)
		return;
	for (int i = 0; i < mappings->cpu_count; i++) {
		struct cpu *cpu = &mappings->cpus[i];

		loop_remove(mappings->loop, &cpu->source);
		if (cpu->page)
			munmap(cpu->page, mappings->page_bytes + RING_BYTES);
		if (cpu->source.fd >= 0)
			close(cpu->source.fd);
	}
	for (size_t i = 0; i < mappings->count; i++)
		free(mappings->waiting[i].record);
	free(mappings->waiting);
	free(mappings->cpus);
	free(mappings);
}
