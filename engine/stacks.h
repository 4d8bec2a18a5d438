/* SPDX-License-Identifier: Apache-2.0 */
/* Stacks: what the probes of a script have captured, and the names of the addresses in it.
 *
 *   kernel side: number -> addresses (bpf/include/stack.bpf.h)  --stacks_read()-->  frames
 *   processes map code --> mappings.h --> processes.h: one may have ended when its stack is shown
 *   a process's first stack --> stack_news --> its maps are read, if it is older than the script
 *
 * The maps are made when the first probe captures stacks, and live as long as the script. Names
 * are symbols.h's. */
#ifndef MOONPROBE_STACKS_H
#define MOONPROBE_STACKS_H

#include "error.h"
#include "stack.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define STACKS_ENTRIES                                                                             \
	16384 /* different stacks; 17 MB, and a quarter of it for those of the same hash */
#define STACKS_MOST (4u << 20)

struct loop;
struct stacks;
struct symbol;

/* The maps a probe shares; -1: there are none. */
struct stack_maps {
	int traces_fd, second_fd, owners_fd, news_fd;
};

struct stack {
	uint64_t addresses[STACK_FRAMES];
	int count;
	pid_t pid; /* SYMBOLS_KERNEL: of the kernel */
};

int stacks_open(struct stacks **stacks, struct loop *loop);
void stacks_close(struct stacks *stacks); /* NULL is fine */

/* Makes the maps, when there are none. `entries` 0: STACKS_ENTRIES. */
int stacks_capture(struct stacks *stacks, uint32_t entries, bool of_processes, struct error *error);
const struct stack_maps *stacks_maps(const struct stacks *stacks);

/* Reads what a number stands for. The frames of a kernel stack that belong to the probe itself are
 * left out. 0; -ENOENT when there is no such stack. */
int stacks_read(struct stacks *stacks, uint64_t number, bool of_kernel, struct stack *stack);

/* The name of one of its frames. -errno as of symbols_resolve(): then nothing is known. */
int stacks_name(struct stacks *stacks, const struct stack *stack, int frame, struct symbol *symbol);

/* What is at an address, and where a name is, as symbols.h has it; the kernel is asked anew when it
 * may have loaded something since. */
int stacks_resolve(struct stacks *stacks, pid_t pid, uint64_t address, struct symbol *symbol);
int stacks_find(struct stacks *stacks, const char *name, uint64_t *addresses, size_t room);

#endif
