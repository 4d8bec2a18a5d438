// SPDX-License-Identifier: Apache-2.0
#include "stacks.h"

#include "clock.h"
#include "loop.h"
#include "mappings.h"
#include "processes.h"
#include "symbols.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NEWS_BYTES 65536
#define AGAIN_NS 2000000000 /* the kernel's list takes 80 ms to read */

struct stacks {
	struct loop *loop;
	struct stack_maps maps;
	struct ring_buffer *news;
	struct loop_source source;
	struct processes *processes;
	struct symbols *symbols;
	struct mappings *mappings; /* NULL: no process's stacks are captured, or not to be had */
	uint64_t kernel_read_ns;
};

int stacks_open(struct stacks **out, struct loop *loop)
{
	struct stacks *stacks = calloc(1, sizeof(*stacks));
	int err;

	if (!stacks)
		return -ENOMEM;
	stacks->loop = loop;
	stacks->maps = (struct stack_maps){-1, -1, -1, -1};
	stacks->source.fd = -1;
	err = processes_open(&stacks->processes);
	if (!err)
		err = symbols_open(&stacks->symbols, stacks->processes);
	if (err)
		stacks_close(stacks);
	else
		*out = stacks;
	return err;
}

void stacks_close(struct stacks *stacks)
{
	const struct stack_maps *maps;

	if (!stacks)
		return;
	maps = &stacks->maps;
	loop_remove(stacks->loop, &stacks->source);
	ring_buffer__free(stacks->news);
	if (maps->traces_fd >= 0)
		close(maps->traces_fd);
	if (maps->second_fd >= 0)
		close(maps->second_fd);
	if (maps->owners_fd >= 0)
		close(maps->owners_fd);
	if (maps->news_fd >= 0)
		close(maps->news_fd);
	mappings_close(stacks->mappings);
	symbols_close(stacks->symbols);
	processes_close(stacks->processes);
	free(stacks);
}

/* A process that is new, or has another program now: its maps are read, unless they are known.
 * Address 0 is in none. */
static int on_process(void *context, void *data, size_t bytes)
{
	struct stacks *stacks = context;
	struct symbol symbol;
	uint32_t pid;

	if (bytes < sizeof(pid))
		return 0;
	memcpy(&pid, data, sizeof(pid));
	mappings_follow(stacks->mappings);
	if (!stacks->mappings) /* else we know of its execve(2) */
		processes_forget(stacks->processes, pid);
	symbols_resolve(stacks->symbols, pid, 0, &symbol);
	return 0;
}

static void on_news(struct loop_source *source)
{
	struct stacks *stacks = container_of(source, struct stacks, source);

	ring_buffer__consume(stacks->news);
}

/* Without them processes that end soon have no names. */
static void follow_mappings(struct stacks *stacks)
{
	if (!stacks->mappings && mappings_open(&stacks->mappings, stacks->loop, stacks->processes))
		stacks->mappings = NULL;
}

static int make_traces(const char *name, uint32_t entries)
{
	return bpf_map_create(BPF_MAP_TYPE_STACK_TRACE, name, sizeof(uint32_t),
			      STACK_FRAMES * sizeof(uint64_t), entries, NULL);
}

int stacks_capture(struct stacks *stacks, uint32_t entries, bool of_processes, struct error *error)
{
	struct stack_maps *maps = &stacks->maps;
	int err;

	if (of_processes)
		follow_mappings(stacks);
	if (stacks->news)
		return 0;
	if (!entries)
		entries = STACKS_ENTRIES;
	if (maps->traces_fd < 0)
		maps->traces_fd = make_traces("stacks", entries);
	if (maps->traces_fd >= 0 && maps->second_fd < 0)
		maps->second_fd = make_traces("stacks_second", entries / 4);
	if (maps->second_fd < 0)
		return error_set(error, -errno, "room for %u stacks: %s", entries, strerror(errno));
	if (maps->owners_fd < 0)
		maps->owners_fd =
			bpf_map_create(BPF_MAP_TYPE_LRU_HASH, "stack_owners", sizeof(uint32_t),
				       sizeof(uint64_t), STACK_OWNERS, NULL);
	if (maps->owners_fd >= 0 && maps->news_fd < 0)
		maps->news_fd =
			bpf_map_create(BPF_MAP_TYPE_RINGBUF, "stack_news", 0, 0, NEWS_BYTES, NULL);
	if (maps->news_fd < 0)
		return error_set(error, -errno, "maps for stacks: %s", strerror(errno));
	stacks->news = ring_buffer__new(maps->news_fd, on_process, stacks, NULL);
	if (!stacks->news)
		return error_set(error, -errno, "processes with stacks: %s", strerror(errno));
	stacks->source =
		(struct loop_source){.fd = ring_buffer__epoll_fd(stacks->news), .ready = on_news};
	err = loop_add(stacks->loop, &stacks->source);
	return err ? error_set(error, err, "processes with stacks: %s", strerror(-err)) : 0;
}

const struct stack_maps *stacks_maps(const struct stacks *stacks)
{
	return &stacks->maps;
}

static int resolve(struct stacks *stacks, pid_t pid, uint64_t address, struct symbol *symbol)
{
	uint64_t now = clock_now_ns();
	int err = symbols_resolve(stacks->symbols, pid, address, symbol);

	if (pid != SYMBOLS_KERNEL)
		return err;
	if (!stacks->kernel_read_ns)
		stacks->kernel_read_ns = now;
	if (err != -ENOENT || now - stacks->kernel_read_ns < AGAIN_NS)
		return err;
	stacks->kernel_read_ns = now;
	symbols_forget_kernel(stacks->symbols);
	return symbols_resolve(stacks->symbols, SYMBOLS_KERNEL, address, symbol);
}

int stacks_resolve(struct stacks *stacks, pid_t pid, uint64_t address, struct symbol *symbol)
{
	mappings_follow(stacks->mappings);
	return resolve(stacks, pid, address, symbol);
}

int stacks_find(struct stacks *stacks, const char *name, uint64_t *addresses, size_t room)
{
	return symbols_find(stacks->symbols, SYMBOLS_KERNEL, name, addresses, room);
}

/* Frames between the place that is traced and the program that looks at it: the program itself and
 * what calls it. Without net.core.bpf_jit_kallsyms they have no names. */
static bool is_ours(struct stacks *stacks, uint64_t address)
{
	static const char *const starts[] = {"bpf_prog_",    "bpf_trampoline_", "bpf_trace_run",
					     "__bpf_trace_", "__traceiter_",	"bpf_get_stackid"};
	struct symbol symbol;
	int err = symbols_resolve(stacks->symbols, SYMBOLS_KERNEL, address - 1, &symbol);

	for (size_t i = 0; !err && i < sizeof(starts) / sizeof(*starts); i++)
		if (!strncmp(symbol.name, starts[i], strlen(starts[i])))
			return true;
	return err == -ENOENT;
}

int stacks_read(struct stacks *stacks, uint64_t number, bool of_kernel, struct stack *stack)
{
	uint32_t id = number % STACK_END;
	int ours = 0, fd = stacks->maps.traces_fd;

	if (stacks->maps.traces_fd < 0 || !id || id >= STACK_LOST)
		return -ENOENT;
	mappings_follow(stacks->mappings);
	id--;
	memset(stack, 0, sizeof(*stack));
	if (id >= STACK_SECOND) {
		id -= STACK_SECOND;
		fd = stacks->maps.second_fd;
	}
	if (bpf_map_lookup_elem(fd, &id, stack->addresses))
		return -ENOENT;
	if (!of_kernel)
		stack->pid = number >> STACK_PID_SHIFT;
	while (stack->count < STACK_FRAMES && stack->addresses[stack->count])
		stack->count++;
	while (of_kernel && ours < stack->count && is_ours(stacks, stack->addresses[ours]))
		ours++;
	if (ours == stack->count)
		ours = 0;
	stack->count -= ours;
	memmove(stack->addresses, stack->addresses + ours, stack->count * sizeof(uint64_t));
	return 0;
}

/* All but the first are where calls return to: behind the call, which may be the function's end. */
int stacks_name(struct stacks *stacks, const struct stack *stack, int frame, struct symbol *symbol)
{
	uint64_t back = frame > 0;
	int err = resolve(stacks, stack->pid, stack->addresses[frame] - back, symbol);

	symbol->offset += back;
	return err;
}
