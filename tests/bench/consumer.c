// SPDX-License-Identifier: Apache-2.0
/* consumer: what a C programmer would write instead of bench.lua's script.
 *
 *   consumer PROBE.bpf.o PID NUMBER     counts calls of NUMBER by result until SIGINT or SIGTERM
 *
 * The same probe object with the same fields left out, attached without a dispatcher; the
 * same ring, mapped, with the same rule when to wait. Prints, as JSON, what it has counted. */
#define _GNU_SOURCE
#include <linux/types.h>
#include "record.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#define RING_BYTES (1u << 20)
#define BATCH 262144 /* bytes between two releases */
#define BUSY 64	     /* events in one turn that make the next one gather more ... */
#define GATHER_US 1000

/* As in bpf/probes/syscall.bpf.c. */
struct syscall_event {
	struct event_header header;
	uint64_t time_ns;
	uint32_t pid, tid;
	char comm[16];
	uint64_t latency_ns;
	int64_t result;
	uint32_t number;
	uint64_t args[6];
};

static volatile sig_atomic_t stopped;

static void stop(int signal)
{
	(void)signal;
	stopped = 1;
}

__attribute__((noreturn)) static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* The table: open addressing, one cell per result. */

#define CELLS 4096

static struct cell {
	int64_t result;
	uint64_t count; /* 0: free */
} cells[CELLS];

static void count(int64_t result)
{
	uint64_t at = (uint64_t)result * 0x9e3779b97f4a7c15ull >> 52;

	for (int i = 0; i < CELLS; i++, at = (at + 1) % CELLS) {
		if (cells[at].count && cells[at].result != result)
			continue;
		cells[at].result = result;
		cells[at].count++;
		return;
	}
}

/* The probe. */

static void set(struct bpf_object *object, const char *variable, int64_t value)
{
	const struct btf *btf = bpf_object__btf(object);
	const struct btf_type *section =
		btf__type_by_id(btf, btf__find_by_name_kind(btf, ".rodata", BTF_KIND_DATASEC));
	struct bpf_map *map;

	bpf_object__for_each_map(map, object)
	{
		if (strstr(bpf_map__name(map), ".rodata"))
			break;
	}
	for (int i = 0; map && i < btf_vlen(section); i++) {
		const struct btf_var_secinfo *place = btf_var_secinfos(section) + i;
		const struct btf_type *type = btf__type_by_id(btf, place->type);
		size_t size;

		if (strcmp(btf__name_by_offset(btf, type->name_off), variable))
			continue;
		memcpy((char *)bpf_map__initial_value(map, &size) + place->offset, &value,
		       place->size);
		return;
	}
	fprintf(stderr, "consumer: no variable %s\n", variable);
	exit(1);
}

static struct bpf_object *open_probe(char **argv)
{
	static const char *const unread[] = {"want_time_ns", "want_comm", "want_latency_ns",
					     "want_args"};
	struct bpf_object *object = bpf_object__open_file(argv[1], NULL);
	struct bpf_program *program;

	if (!object)
		die(argv[1]);
	set(object, "target_pid", atoi(argv[2]));
	set(object, "only_number", atoi(argv[3]));
	for (size_t i = 0; i < sizeof(unread) / sizeof(*unread); i++)
		set(object, unread[i], false);
	bpf_map__set_max_entries(bpf_object__find_map_by_name(object, "ring"), RING_BYTES);
	bpf_map__set_max_entries(bpf_object__find_map_by_name(object, "counters"),
				 libbpf_num_possible_cpus());
	if (bpf_object__load(object))
		die("load");
	bpf_object__for_each_program(program, object)
	{
		if (!bpf_program__attach(program))
			die("attach");
	}
	return object;
}

static uint64_t lost_in_ring(const struct bpf_object *object)
{
	int fd = bpf_object__find_map_fd_by_name(object, "counters");
	struct event_counters counters;
	uint64_t lost = 0;

	for (int cpu = 0; cpu < libbpf_num_possible_cpus(); cpu++)
		if (!bpf_map_lookup_elem(fd, &cpu, &counters))
			lost += counters.lost_ring + counters.lost_map;
	return lost;
}

/* The ring. */

struct ring {
	uint64_t *consumer;
	const uint64_t *producer;
	const unsigned char *data; /* mapped twice, so that no record is cut */
	uint64_t position;
};

static void ring_map(struct ring *ring, int fd)
{
	size_t page = sysconf(_SC_PAGESIZE);
	unsigned char *rest;

	ring->consumer = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	rest = mmap(NULL, page + 2 * RING_BYTES, PROT_READ, MAP_SHARED, fd, page);
	if (ring->consumer == MAP_FAILED || rest == MAP_FAILED)
		die("mmap");
	ring->producer = (const void *)rest;
	ring->data = rest + page;
}

/* Counts what is there; how many events that was. */
static uint64_t ring_drain(struct ring *ring)
{
	uint64_t end = __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE);
	uint64_t released = ring->position, events = 0;

	while (ring->position < end) {
		const struct ring_record *record =
			(const void *)(ring->data + (ring->position & (RING_BYTES - 1)));
		uint32_t length = __atomic_load_n(&record->length, __ATOMIC_ACQUIRE);

		if (length & BPF_RINGBUF_BUSY_BIT)
			break;
		if (!(length & BPF_RINGBUF_DISCARD_BIT)) {
			const struct syscall_event *event = (const void *)(record + 1);

			count(event->result);
			events++;
		}
		length &= ~BPF_RINGBUF_DISCARD_BIT;
		ring->position += (length + sizeof(*record) + 7) & ~7ull;
		if (ring->position - released >= BATCH) {
			__atomic_store_n(ring->consumer, ring->position, __ATOMIC_RELEASE);
			released = ring->position;
		}
	}
	__atomic_store_n(ring->consumer, ring->position, __ATOMIC_RELEASE);
	return events;
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = stop};
	struct epoll_event ready = {.events = EPOLLIN};
	struct bpf_object *object;
	struct ring ring = {0};
	uint64_t events = 0, results = 0;
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC), ring_fd;

	if (argc != 4) {
		fputs("usage: consumer PROBE.bpf.o PID NUMBER\n", stderr);
		return 2;
	}
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	object = open_probe(argv);
	ring_fd = bpf_object__find_map_fd_by_name(object, "ring");
	ring_map(&ring, ring_fd);
	epoll_ctl(epoll_fd, EPOLL_CTL_ADD, ring_fd, &ready);
	while (!stopped) {
		uint64_t got = ring_drain(&ring);

		events += got;
		if (got >= BUSY)
			usleep(GATHER_US);
		else
			epoll_wait(epoll_fd, &ready, 1, -1);
	}
	events += ring_drain(&ring);
	for (int i = 0; i < CELLS; i++)
		results += cells[i].count > 0;
	printf("{\"received\":%llu,\"lost\":%llu,\"results\":%llu}\n", (unsigned long long)events,
	       (unsigned long long)lost_in_ring(object), (unsigned long long)results);
	bpf_object__close(object);
	return 0;
}
