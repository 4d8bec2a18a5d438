// SPDX-License-Identifier: Apache-2.0
/* peer: loads a hand-written BPF program (peers/) and attaches it.
 *
 *   peer PROGRAM.bpf.o PID NUMBER     until SIGINT or SIGTERM; then its cells' sum, as JSON */
#define _GNU_SOURCE
#include "peers/peer.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_KEY 16
#define MOST_CPUS 1024

__attribute__((noreturn)) static void die(const char *what)
{
	perror(what);
	exit(1);
}

static struct bpf_object *attach(char **argv)
{
	const struct peer_settings wanted = {.pid = atoi(argv[2]), .number = atoi(argv[3])};
	struct bpf_object *object = bpf_object__open_file(argv[1], NULL);
	struct bpf_program *program;
	struct bpf_map *map;

	if (!object)
		die(argv[1]);
	bpf_object__for_each_map(map, object)
	{
		if (strstr(bpf_map__name(map), ".rodata") &&
		    bpf_map__set_initial_value(map, &wanted, sizeof(wanted)))
			die("constants");
	}
	if (bpf_object__load(object))
		die("load");
	bpf_object__for_each_program(program, object)
	{
		if (!bpf_program__attach(program))
			die("attach");
	}
	return object;
}

static uint64_t sum_of_cells(const struct bpf_object *object)
{
	int fd = bpf_object__find_map_fd_by_name(object, "cells");
	int cpus = libbpf_num_possible_cpus();
	unsigned char key[MOST_KEY], *before = NULL;
	static uint64_t cells[MOST_CPUS];
	uint64_t sum = 0;

	while (cpus <= MOST_CPUS && !bpf_map_get_next_key(fd, before, key)) {
		if (!bpf_map_lookup_elem(fd, key, cells))
			for (int cpu = 0; cpu < cpus; cpu++)
				sum += cells[cpu];
		before = key;
	}
	return sum;
}

int main(int argc, char **argv)
{
	struct bpf_object *object;
	sigset_t ends;
	int which;

	if (argc != 4) {
		fputs("usage: peer PROGRAM.bpf.o PID NUMBER\n", stderr);
		return 2;
	}
	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	object = attach(argv);
	sigwait(&ends, &which);
	printf("{\"events\":%llu}\n", (unsigned long long)sum_of_cells(object));
	bpf_object__close(object);
	return 0;
}
