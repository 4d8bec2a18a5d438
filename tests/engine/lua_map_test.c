// SPDX-License-Identifier: Apache-2.0
/* engine/lua_map.c, and what the stdlib builds on it, with real maps and a program that counts
 * into them as scripts' stages do. The checks are in lua_map_test.lua: the engine table and
 * the embedded stdlib are there, and as `kernel` what only root can do. */
#include "asset.h"
#include "lua_engine.h"

#include "test.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <lauxlib.h>
#include <linux/bpf.h>
#include <lualib.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#define REPEAT 500

/* kernel.map(kind, key_bytes, value_bytes, entries) -> fd | nil, message
 * Kinds: 'hash' and 'lru' and 'array' are per CPU, 'values' can be mapped. */
static int kernel_map(lua_State *lua)
{
	static const char *const names[] = {"hash", "lru", "array", "values", NULL};
	static const struct {
		enum bpf_map_type type;
		__u32 flags;
	} kinds[] = {{BPF_MAP_TYPE_PERCPU_HASH, BPF_F_NO_PREALLOC},
		     {BPF_MAP_TYPE_LRU_PERCPU_HASH, 0},
		     {BPF_MAP_TYPE_PERCPU_ARRAY, 0},
		     {BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE}};
	int kind = luaL_checkoption(lua, 1, NULL, names), fd;
	LIBBPF_OPTS(bpf_map_create_opts, create, .map_flags = kinds[kind].flags);

	fd = bpf_map_create(kinds[kind].type, "test", luaL_checkint(lua, 2), luaL_checkint(lua, 3),
			    luaL_checkint(lua, 4), &create);
	if (fd < 0) {
		lua_pushnil(lua);
		lua_pushstring(lua, strerror(errno));
		return 2;
	}
	lua_pushinteger(lua, fd);
	return 1;
}

#define INSN(c, d, s, o, i)                                                                        \
	((struct bpf_insn){.code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i)})
#define MOV(dst, imm) INSN(BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, imm)
#define MOV_REG(dst, src) INSN(BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0)
#define ADD(dst, imm) INSN(BPF_ALU64 | BPF_ADD | BPF_K, dst, 0, 0, imm)
#define MAP(dst, fd) INSN(BPF_LD | BPF_DW | BPF_IMM, dst, BPF_PSEUDO_MAP_FD, 0, fd)
#define VALUE(dst, fd) INSN(BPF_LD | BPF_DW | BPF_IMM, dst, BPF_PSEUDO_MAP_VALUE, 0, fd)
#define SECOND(offset) INSN(0, 0, 0, 0, offset)
#define CALL(number) INSN(BPF_JMP | BPF_CALL, 0, 0, 0, number)
#define COUNT(at, src) INSN(BPF_STX | BPF_ATOMIC | BPF_DW, 0, src, at, BPF_ADD)
#define EXIT INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

/* An event of key [r10 - 8]: one more in word 0, three more in word 1. */
static size_t count_in(struct bpf_insn *to, int bank, int control)
{
	const struct bpf_insn program[] = {
		MAP(1, bank),
		SECOND(0),
		MOV_REG(2, 10),
		ADD(2, -8),
		CALL(BPF_FUNC_map_lookup_elem),
		INSN(BPF_JMP | BPF_JNE | BPF_K, 0, 0, 14, 0), /* there: count */
		MAP(1, bank),
		SECOND(0),
		MOV_REG(2, 10),
		ADD(2, -8),
		VALUE(3, control),
		SECOND(16),
		MOV(4, BPF_NOEXIST),
		CALL(BPF_FUNC_map_update_elem),
		MAP(1, bank),
		SECOND(0),
		MOV_REG(2, 10),
		ADD(2, -8),
		CALL(BPF_FUNC_map_lookup_elem),
		INSN(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 6, 0), /* no room */
		MOV(1, 1),
		COUNT(0, 1),
		MOV(1, 3),
		COUNT(8, 1),
		MOV(0, 0),
		EXIT,
		VALUE(1, control),
		SECOND(0),
		MOV(2, 1),
		INSN(BPF_STX | BPF_ATOMIC | BPF_DW, 1, 2, 8, BPF_ADD),
		MOV(0, 0),
		EXIT,
	};

	memcpy(to, program, sizeof(program));
	return COUNT_OF(program);
}

/* kernel.program(a, b, control, keys) -> fd | nil, message: counts by a random key below `keys`,
 * a power of two; for an array a and b are the same, and the key is the bank. */
static int kernel_program(lua_State *lua)
{
	int a = luaL_checkint(lua, 1), b = luaL_checkint(lua, 2), control = luaL_checkint(lua, 3);
	int keys = luaL_checkint(lua, 4), at = 0, skip, fd;
	struct bpf_insn program[128];

	program[at++] = CALL(BPF_FUNC_get_prandom_u32);
	program[at++] = INSN(BPF_ALU64 | BPF_AND | BPF_K, 0, 0, 0, keys - 1);
	program[at++] = INSN(BPF_STX | BPF_MEM | BPF_DW, 10, 0, -8, 0);
	program[at++] = VALUE(1, control);
	program[at++] = SECOND(0);
	program[at++] = INSN(BPF_LDX | BPF_MEM | BPF_DW, 7, 1, 0, 0);
	if (keys == 1)
		program[at++] = INSN(BPF_STX | BPF_MEM | BPF_DW, 10, 7, -8, 0);
	skip = at++;
	at += (int)count_in(&program[at], a, control);
	program[skip] = INSN(BPF_JMP | BPF_JNE | BPF_K, 7, 0, (short)(at - skip - 1), 0);
	at += (int)count_in(&program[at], b, control);
	fd = bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, "test", "GPL", program, at, NULL);
	if (fd < 0) {
		lua_pushnil(lua);
		lua_pushstring(lua, strerror(errno));
		return 2;
	}
	lua_pushinteger(lua, fd);
	return 1;
}

static int run_program(int fd, int times)
{
	char packet[64] = "";
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = packet, .data_size_in = sizeof(packet),
		    .repeat = times);

	return bpf_prog_test_run_opts(fd, &run);
}

/* kernel.run(program, times) -> whether it ran */
static int kernel_run(lua_State *lua)
{
	lua_pushboolean(lua, !run_program(luaL_checkint(lua, 1), luaL_checkint(lua, 2)));
	return 1;
}

static atomic_bool stopping;
static atomic_long events;
static int running_program;
static pthread_t threads[2];

static void *keep_running(void *argument)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET((size_t)(uintptr_t)argument, &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus); /* where there is such a CPU */
	while (!stopping) {
		if (!run_program(running_program, REPEAT))
			events += REPEAT;
		usleep(500);
	}
	return NULL;
}

/* kernel.start(program): two threads run it, on two CPUs */
static int kernel_start(lua_State *lua)
{
	running_program = luaL_checkint(lua, 1);
	stopping = false;
	events = 0;
	for (uintptr_t i = 0; i < COUNT_OF(threads); i++)
		if (pthread_create(&threads[i], NULL, keep_running, (void *)i))
			return luaL_error(lua, "no thread");
	return 0;
}

/* kernel.stop() -> events since the start */
static int kernel_stop(lua_State *lua)
{
	stopping = true;
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		pthread_join(threads[i], NULL);
	lua_pushnumber(lua, (double)events);
	return 1;
}

/* kernel.sleep(ms) */
static int kernel_sleep(lua_State *lua)
{
	usleep(luaL_checkint(lua, 1) * 1000);
	return 0;
}

static const luaL_Reg kernel[] = {
	{"map", kernel_map},   {"program", kernel_program},
	{"run", kernel_run},   {"start", kernel_start},
	{"stop", kernel_stop}, {"sleep", kernel_sleep},
	{NULL, NULL},
};

int main(void)
{
	lua_State *lua = luaL_newstate();
	int failed;

	luaL_openlibs(lua);
	lua_engine_push(lua);
	lua_setglobal(lua, "engine");
	lua_newtable(lua);
	luaL_register(lua, NULL, kernel);
	lua_pushinteger(lua, libbpf_num_possible_cpus());
	lua_setfield(lua, -2, "cpus");
	lua_setglobal(lua, "kernel");
	failed = luaL_dofile(lua, "tests/engine/lua_map_test.lua");
	if (failed)
		fprintf(stderr, "%s\n", lua_tostring(lua, -1));
	lua_close(lua);
	return failed;
}
