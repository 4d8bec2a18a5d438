// SPDX-License-Identifier: Apache-2.0
#include "stage_check.h"

#include "stage.h"
#include "test.h"

#include <errno.h>

#define EVENT_BYTES 64

enum { SET_MAP, VALUES_MAP };

static const struct plan_map maps[] = {
	[SET_MAP] = {.kind = PLAN_PERCPU_HASH,
		     .key_bytes = 16,
		     .value_bytes = 24,
		     .max_entries = 10},
	[VALUES_MAP] = {.kind = PLAN_VALUES, .key_bytes = 4, .value_bytes = 32, .max_entries = 1},
};

static const struct stage_scope scope = {
	.event_bytes = EVENT_BYTES,
	.maps = maps,
	.map_count = COUNT_OF(maps),
};

static int check(const struct bpf_insn *code, uint32_t count, struct error *error)
{
	*error->text = 0;
	return stage_check(code, count, &scope, error);
}

#define ACCEPTS(...)                                                                               \
	do {                                                                                       \
		const struct bpf_insn code[] = {__VA_ARGS__};                                      \
		struct error error;                                                                \
		if (check(code, COUNT_OF(code), &error))                                           \
			fail_msg("line %d: refused: %s", __LINE__, error.text);                    \
	} while (0)

#define REFUSES(why, ...)                                                                          \
	do {                                                                                       \
		const struct bpf_insn code[] = {__VA_ARGS__};                                      \
		struct error error;                                                                \
		if (check(code, COUNT_OF(code), &error) != -EINVAL || strcmp(error.text, why))     \
			fail_msg("line %d: '%s' instead of '%s'", __LINE__, error.text, why);      \
	} while (0)

/* if (event[16] != 443) return 0; event scratch = 5; return 1 */
static void a_filter(void **state)
{
	(void)state;
	ACCEPTS(START, LOAD(BPF_H, 2, 6, 16), JUMP_IF(BPF_JNE, 2, 443, 3), SET(3, 5),
		STORE(BPF_B, 6, 3, 3), JUMP(2), SET(0, 0), EXIT, SET(0, 1), EXIT);
	ACCEPTS(START, STORE_IMM(BPF_B, 6, 3, 1), CONSTANT(0, -1, -1), EXIT);
	ACCEPTS(START, LOAD(BPF_DW, 4, 6, EVENT_BYTES - 8), INSN(BPF_ALU | BPF_NEG, 4, 0, 0, 0),
		INSN(BPF_ALU | BPF_END | BPF_X, 4, 0, 0, 16), MOVE(0, 4), EXIT);
	/* Ends in a jump back. */
	ACCEPTS(START, LOAD(BPF_W, 7, 6, 8), JUMP_IF(BPF_JGT, 7, 9, 2), SET(0, 0), EXIT, SET(7, 1),
		JUMP(-4));
}

/* Counts by event[16..31]: looks up, inserts, looks up again, adds. */
static void an_aggregate(void **state)
{
	(void)state;
	ACCEPTS(START, MOVE(2, 6), COMPUTE(BPF_ADD, 2, 16), MAP(SET_MAP), CALL(map_lookup_elem),
		JUMP_IF(BPF_JNE, 0, 0, 17), STORE_IMM(BPF_DW, 10, -24, 0),
		STORE_IMM(BPF_DW, 10, -16, 0), STORE_IMM(BPF_DW, 10, -8, 0), MOVE(2, 6),
		COMPUTE(BPF_ADD, 2, 16), MOVE(3, 10), COMPUTE(BPF_ADD, 3, -24), SET(4, BPF_NOEXIST),
		MAP(SET_MAP), CALL(map_update_elem), MOVE(2, 6), COMPUTE(BPF_ADD, 2, 16),
		MAP(SET_MAP), CALL(map_lookup_elem), JUMP_IF(BPF_JEQ, 0, 0, 2), SET(7, 1),
		ATOMIC(BPF_ADD, 0, 8, 7), SET(0, 0), EXIT);
	/* The value of an array: read, added to, exchanged; the CPU's number. */
	ACCEPTS(START, MAP_VALUE_AT(VALUES_MAP, 8), LOAD(BPF_DW, 0, 1, 0), MOVE(7, 0),
		COMPUTE(BPF_ADD, 7, 1), MAP_VALUE_AT(VALUES_MAP, 8), ATOMIC(BPF_CMPXCHG, 1, 0, 7),
		MAP_VALUE_AT(VALUES_MAP, 0), ATOMIC(BPF_ADD, 1, 0, 7), CALL(get_smp_processor_id),
		EXIT);
}

/* r9 keeps a cell over another look-up, r0 goes to one of its words; what is inserted at first may
 * be the value of an array. */
static void cells(void **state)
{
	(void)state;
	ACCEPTS(START, LOAD(BPF_B, 8, 6, 8), MOVE(2, 6), MAP(SET_MAP), CALL(map_lookup_elem),
		JUMP_IF(BPF_JNE, 0, 0, 8), MOVE(2, 6), MAP_VALUE_INTO(3, VALUES_MAP, 8),
		SET(4, BPF_NOEXIST), MAP(SET_MAP), CALL(map_update_elem), JUMP(7), MOVE(9, 0),
		LOAD(BPF_DW, 2, 9, 0), ATOMIC(BPF_ADD, 9, 8, 2), COMPUTE(BPF_AND, 8, 7), MOVE(0, 9),
		COMBINE(BPF_ADD, 0, 8), ATOMIC(BPF_ADD, 0, 0, 2), SET(0, 0), EXIT);
	REFUSES("instruction 1: a map in another register than r1", START,
		MAP_VALUE_INTO(2, VALUES_MAP, 0), EXIT);
	REFUSES("instruction 6: gives a helper what lies outside the map's value", START,
		MOVE(2, 6), MAP_VALUE_INTO(3, VALUES_MAP, 9), MAP(SET_MAP), CALL(map_update_elem),
		EXIT);
	REFUSES("instruction 1: reads by what is no address", START, LOAD(BPF_DW, 2, 9, 0), EXIT);
	REFUSES("instruction 2: writes by what is no address", START, SET(9, 8),
		STORE_IMM(BPF_DW, 9, 0, 0), EXIT);
	REFUSES("instruction 3: stores what is no number", START, MAP_VALUE_INTO(3, VALUES_MAP, 0),
		STORE(BPF_DW, 10, -8, 3), EXIT);
	REFUSES("instruction 3: computes with what is no number", START,
		MAP_VALUE_INTO(3, VALUES_MAP, 0), COMPUTE(BPF_ADD, 3, 8), EXIT);
	REFUSES("instruction 6: stores what is no number", START, MOVE(2, 6), MAP(SET_MAP),
		CALL(map_lookup_elem), MOVE(9, 0), STORE(BPF_DW, 9, 0, 9), EXIT);
	REFUSES("instruction 5: computes with what is no number", START, MOVE(2, 6), MAP(SET_MAP),
		CALL(map_lookup_elem), MOVE(8, 0), EXIT);
	REFUSES("instruction 6: computes with what is no number", START, SET(8, 0), MOVE(2, 6),
		MAP(SET_MAP), CALL(map_lookup_elem), COMBINE(BPF_ADD, 8, 0), EXIT);
}

static void beginning_and_end(void **state)
{
	struct error error;

	(void)state;
	assert_int_equal(check(NULL, 0, &error), -EINVAL);
	REFUSES("instruction 0: the first one must be r6 = r1", SET(0, 0), EXIT);
	REFUSES("instruction 0: the first one must be r6 = r1", INSN(0xbf, 6, 1, 8, 0), EXIT);
	REFUSES("instruction 2: runs on behind the last one", START, SET(0, 0), SET(0, 0));
	REFUSES("instruction 1: half of a 64-bit constant", START,
		INSN(BPF_LD | BPF_DW | BPF_IMM, 0, 0, 0, 0));
	REFUSES("instruction 2: runs on behind the last one", START, CONSTANT(0, 1, 0));
	REFUSES("instruction 1: a register that does not exist", START, SET(11, 0), EXIT);
	REFUSES("instruction 1: a register that does not exist", START, LOAD(BPF_B, 0, 15, 0),
		EXIT);
	REFUSES("instruction 1: returns what is no number", START, EXIT);
}

static void registers_that_are_kept(void **state)
{
	(void)state;
	REFUSES("instruction 1: writes r6 or r10", START, SET(6, 0), EXIT);
	REFUSES("instruction 1: writes r6 or r10", START, COMPUTE(BPF_ADD, 10, -8), EXIT);
	REFUSES("instruction 1: writes r6 or r10", START, LOAD(BPF_DW, 6, 6, 8), EXIT);
	REFUSES("instruction 1: writes r6 or r10", START, CONSTANT(10, 0, 0), EXIT);
	REFUSES("instruction 1: writes r6 or r10", START, MOVE(6, 1), EXIT);
	REFUSES("instruction 1: r6 and r10 may only be copied to r2 or r3", START, MOVE(0, 6),
		EXIT);
	REFUSES("instruction 1: r6 and r10 may only be copied to r2 or r3", START, MOVE(4, 10),
		EXIT);
	REFUSES("instruction 1: r6 and r10 may only be copied to r2 or r3", START,
		INSN(BPF_ALU | BPF_MOV | BPF_X, 2, 10, 0, 0), EXIT);
	REFUSES("instruction 1: r6 and r10 may only be copied to r2 or r3", START,
		COMBINE(BPF_ADD, 2, 10), EXIT);
	REFUSES("instruction 1: stores a register that must not be seen", START,
		STORE(BPF_DW, 10, -8, 10), EXIT);
	REFUSES("instruction 1: stores a register that must not be seen", START,
		STORE(BPF_DW, 10, -8, 6), EXIT);
	REFUSES("instruction 1: compares r6 or r10", START, JUMP_IF(BPF_JGT, 6, 0, 0), EXIT);
	REFUSES("instruction 2: compares r6 or r10", START, SET(0, 0),
		INSN(BPF_JMP | BPF_JGT | BPF_X, 0, 10, 0, 0), EXIT);
	/* What r1 held at the start is not known any more. */
	REFUSES("instruction 1: computes with what is no number", START, MOVE(0, 1), EXIT);
	REFUSES("instruction 1: stores what is no number", START, STORE(BPF_DW, 10, -8, 1), EXIT);
}

static void memory(void **state)
{
	(void)state;
	REFUSES("instruction 1: a load outside the event", START, LOAD(BPF_B, 0, 6, -1), EXIT);
	REFUSES("instruction 1: a load outside the event", START,
		LOAD(BPF_H, 0, 6, EVENT_BYTES - 1), EXIT);
	REFUSES("instruction 1: a load outside the stack", START, LOAD(BPF_B, 0, 10, 0), EXIT);
	REFUSES("instruction 1: a load outside the stack", START, LOAD(BPF_DW, 0, 10, -513), EXIT);
	REFUSES("instruction 1: a load outside the stack", START, LOAD(BPF_DW, 0, 10, -4), EXIT);
	REFUSES("instruction 1: reads stack that was not written", START, LOAD(BPF_DW, 0, 10, -8),
		EXIT);
	REFUSES("instruction 2: reads stack that was not written", START,
		STORE_IMM(BPF_W, 10, -8, 0), LOAD(BPF_DW, 0, 10, -8), EXIT);
	REFUSES("instruction 1: a load by a register that is no base", START, LOAD(BPF_B, 0, 2, 0),
		EXIT);
	REFUSES("instruction 1: a load by a register that is no base", START, LOAD(BPF_B, 0, 7, 0),
		EXIT);
	REFUSES("instruction 1: a load by r1, which is not the address of a map's value", START,
		LOAD(BPF_B, 0, 1, 0), EXIT);
	REFUSES("instruction 3: a load by r1, which is not the address of a map's value", START,
		MAP(SET_MAP), LOAD(BPF_B, 0, 1, 0), EXIT);
	REFUSES("instruction 4: a load by r1, which is not the address of a map's value", START,
		MAP_VALUE_AT(VALUES_MAP, 0), SET(0, 0), LOAD(BPF_B, 0, 1, 0), EXIT);
	REFUSES("instruction 2: reads by what is no address", START, SET(0, 9),
		LOAD(BPF_B, 0, 0, 0), EXIT);
	REFUSES("instruction 1: a load of a kind that is not allowed", START,
		INSN(BPF_LDX | 0x80 | BPF_B, 0, 6, 0, 0), EXIT);
	REFUSES("instruction 1: a load of packet data", START,
		INSN(BPF_LD | BPF_ABS | BPF_B, 0, 0, 0, 0), EXIT);
	REFUSES("instruction 1: a store into the event outside its scratch byte", START,
		STORE_IMM(BPF_B, 6, 2, 0), EXIT);
	REFUSES("instruction 1: a store into the event outside its scratch byte", START,
		STORE_IMM(BPF_W, 6, 3, 0), EXIT);
	REFUSES("instruction 1: a store into the event outside its scratch byte", START,
		ATOMIC(BPF_ADD, 6, 8, 7), EXIT);
	REFUSES("instruction 1: a store outside the stack", START, STORE_IMM(BPF_B, 10, 0, 0),
		EXIT);
	REFUSES("instruction 1: a store outside the stack", START, STORE_IMM(BPF_DW, 10, -520, 0),
		EXIT);
	REFUSES("instruction 1: a store by a register that is no base", START,
		STORE_IMM(BPF_B, 3, 0, 0), EXIT);
	REFUSES("instruction 3: a store by r1 that is not atomic", START,
		MAP_VALUE_AT(VALUES_MAP, 0), STORE_IMM(BPF_B, 1, 0, 0), EXIT);
	REFUSES("instruction 1: a store by r1, which is not the address of a map's value", START,
		ATOMIC(BPF_ADD, 1, 0, 7), EXIT);
	REFUSES("instruction 3: a store of a kind that is not allowed", START,
		MAP_VALUE_AT(VALUES_MAP, 0), ATOMIC(BPF_XCHG, 1, 0, 7), EXIT);
	REFUSES("instruction 3: a store of a kind that is not allowed", START,
		MAP_VALUE_AT(VALUES_MAP, 0), INSN(BPF_STX | BPF_ATOMIC | BPF_W, 1, 7, 0, BPF_ADD),
		EXIT);
	REFUSES("instruction 1: an exchange by r0, which is what it compares with", START,
		ATOMIC(BPF_CMPXCHG, 0, 0, 7), EXIT);
	REFUSES("instruction 4: exchanges without a number in r0", START, SET(7, 0),
		MAP_VALUE_AT(VALUES_MAP, 0), ATOMIC(BPF_CMPXCHG, 1, 0, 7), EXIT);
}

static void jumps_and_calls(void **state)
{
	(void)state;
	REFUSES("instruction 1: jumps out of the stage", START, JUMP(1), EXIT);
	REFUSES("instruction 1: jumps out of the stage", START, JUMP(-3), EXIT);
	REFUSES("instruction 2: jumps out of the stage", START, SET(0, 0),
		JUMP_IF(BPF_JEQ, 0, 0, 32767), EXIT);
	REFUSES("instruction 1: jumps into the middle of something", START, JUMP(1),
		CONSTANT(0, 0, 0), EXIT);
	REFUSES("instruction 1: jumps into the middle of something", START, JUMP(2),
		MAP_VALUE_AT(VALUES_MAP, 0), LOAD(BPF_B, 0, 1, 0), EXIT);
	REFUSES("instruction 1: an unknown jump", START, INSN(BPF_JMP | 0xe0, 0, 0, 0, 0), EXIT);
	REFUSES("instruction 1: an unknown jump", START, INSN(BPF_JMP32 | BPF_JA, 0, 0, 0, 0),
		EXIT);
	REFUSES("instruction 1: an unknown jump", START, INSN(BPF_JMP32 | BPF_EXIT, 0, 0, 0, 0),
		EXIT);
	REFUSES("instruction 1: operands where there are none", START,
		INSN(BPF_JMP | BPF_JA, 0, 0, 0, 5), EXIT);
	REFUSES("instruction 1: a helper that is not allowed", START, CALL(probe_read_kernel),
		EXIT);
	REFUSES("instruction 1: a helper that is not allowed", START, CALL(map_delete_elem), EXIT);
	REFUSES("instruction 1: a call that is not of a helper", START,
		INSN(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_CALL, 0, 1), EXIT);
	REFUSES("instruction 1: a call that is not of a helper", START,
		INSN(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_KFUNC_CALL, 0, 1), EXIT);
	REFUSES("instruction 1: unknown arithmetic", START, INSN(BPF_ALU64 | 0xe0, 0, 0, 0, 0),
		EXIT);
	REFUSES("instruction 1: arithmetic with an offset", START,
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 8, 0), EXIT);
	REFUSES("instruction 1: a source register that is not used", START,
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 6, 0, 0), EXIT);
}

static void maps_of_the_plan(void **state)
{
	(void)state;
	REFUSES("instruction 1: a map the plan does not have", START, MAP(2), EXIT);
	REFUSES("instruction 1: a map the plan does not have", START, MAP(-1), EXIT);
	REFUSES("instruction 1: a map with an offset", START,
		INSN(BPF_LD | BPF_DW | BPF_IMM, 1, BPF_PSEUDO_MAP_FD, 0, 0), INSN(0, 0, 0, 0, 8),
		EXIT);
	REFUSES("instruction 1: a map in another register than r1", START,
		INSN(BPF_LD | BPF_DW | BPF_IMM, 2, BPF_PSEUDO_MAP_FD, 0, 0), {0}, EXIT);
	REFUSES("instruction 1: the address of a value of a map that is not an array of values",
		START, MAP_VALUE_AT(SET_MAP, 0), EXIT);
	REFUSES("instruction 1: an offset outside the value", START, MAP_VALUE_AT(VALUES_MAP, 32),
		EXIT);
	REFUSES("instruction 1: a 64-bit constant of a kind that is not allowed", START,
		INSN(BPF_LD | BPF_DW | BPF_IMM, 1, BPF_PSEUDO_BTF_ID, 0, 0), {0}, EXIT);
	REFUSES("instruction 1: half of a 64-bit constant", START,
		INSN(BPF_LD | BPF_DW | BPF_IMM, 1, 0, 0, 0), SET(0, 0), EXIT);
	REFUSES("instruction 1: calls a helper of maps without one", START, CALL(map_lookup_elem),
		EXIT);
	REFUSES("instruction 3: gives a helper what is no address", START, MAP(SET_MAP),
		CALL(map_lookup_elem), EXIT);
	REFUSES("instruction 4: gives a helper what is no address", START, SET(2, 8), MAP(SET_MAP),
		CALL(map_lookup_elem), EXIT);
	REFUSES("instruction 5: gives a helper what lies outside the event", START, MOVE(2, 6),
		COMPUTE(BPF_ADD, 2, EVENT_BYTES - 15), MAP(SET_MAP), CALL(map_lookup_elem), EXIT);
	REFUSES("instruction 2: an address outside the event or the stack", START, MOVE(2, 6),
		COMPUTE(BPF_ADD, 2, EVENT_BYTES + 1), EXIT);
	/* Only half of the key was written. */
	REFUSES("instruction 6: gives a helper stack that was not written", START,
		STORE_IMM(BPF_DW, 10, -8, 0), MOVE(2, 10), COMPUTE(BPF_ADD, 2, -16), MAP(SET_MAP),
		CALL(map_lookup_elem), EXIT);
	REFUSES("instruction 5: calls a helper without its flags", START, MOVE(2, 6), MAP(SET_MAP),
		MOVE(3, 6), CALL(map_update_elem), EXIT);
}

/* An address must not get where the worker can read it. */
static void addresses_do_not_get_out(void **state)
{
	(void)state;
	REFUSES("instruction 2: stores what is no number", START, MOVE(2, 10),
		STORE(BPF_DW, 10, -8, 2), EXIT);
	REFUSES("instruction 2: computes with what is no number", START, MOVE(2, 6), MOVE(0, 2),
		EXIT);
	REFUSES("instruction 2: computes with what is no number", START, MOVE(3, 6),
		COMPUTE(BPF_XOR, 3, 0), EXIT);
	REFUSES("instruction 2: compares what is no number", START, MOVE(3, 6),
		JUMP_IF(BPF_JGT, 3, 0, 0), EXIT);
	REFUSES("instruction 5: returns what is no number", START, MOVE(2, 6), MAP(SET_MAP),
		CALL(map_lookup_elem), EXIT);
	REFUSES("instruction 5: stores what is no number", START, MOVE(2, 6), MAP(SET_MAP),
		CALL(map_lookup_elem), STORE(BPF_DW, 10, -8, 0), EXIT);
	REFUSES("instruction 5: compares what is no number", START, MOVE(2, 6), MAP(SET_MAP),
		CALL(map_lookup_elem), JUMP_IF(BPF_JGT, 0, 0, 0), EXIT);
	/* A jump around the number it is overwritten with. */
	REFUSES("instruction 8: returns what is no number", START, LOAD(BPF_B, 7, 6, 8), MOVE(2, 6),
		MAP(SET_MAP), CALL(map_lookup_elem), JUMP_IF(BPF_JEQ, 7, 0, 1), SET(0, 0), EXIT);
	/* Written on one path only, on the way back too. */
	REFUSES("instruction 4: reads stack that was not written", START, LOAD(BPF_B, 7, 6, 8),
		JUMP_IF(BPF_JEQ, 7, 0, 1), STORE_IMM(BPF_DW, 10, -8, 0), LOAD(BPF_DW, 0, 10, -8),
		EXIT);
	REFUSES("instruction 3: stores what is no number", START, SET(0, 0), LOAD(BPF_B, 7, 6, 8),
		STORE(BPF_DW, 10, -8, 0), MOVE(2, 6), MAP(SET_MAP), CALL(map_lookup_elem),
		JUMP_IF(BPF_JNE, 7, 0, -7), SET(0, 0), EXIT);
}

/* Whatever the bytes are: an answer, and nothing read outside (make asan). */
static void random_instructions(void **state)
{
	static const unsigned char codes[] = {0x07, 0x0f, 0x61, 0x71, 0x79, 0x7b, 0x73, 0x7a,
					      0xdb, 0x85, 0x95, 0x05, 0x15, 0x55, 0x1d, 0xb7,
					      0xbf, 0x18, 0x00, 0xb4, 0xbc, 0x66, 0xdc, 0x87};
	uint32_t seed = 1, accepted = 0;

	(void)state;
	for (int round = 0; round < 200000; round++) {
		struct bpf_insn code[12] = {0};
		unsigned char *bytes = (unsigned char *)code;
		uint32_t count = 1 + round % COUNT_OF(code);
		struct error error;

		for (size_t i = 0; i < sizeof(code); i++) {
			seed = seed * 1664525 + 1013904223;
			bytes[i] = seed >> 24;
		}
		/* Half of them look like something. */
		for (uint32_t i = 0; i < count && round & 1; i++) {
			code[i].code = codes[bytes[8 * i] % COUNT_OF(codes)];
			code[i].dst_reg %= 8;
			code[i].src_reg %= 8;
			code[i].off %= 6;
			code[i].imm = code[i].imm & 1 ? 0 : code[i].imm % 12;
			if (code[i].code == 0x18 && i + 1 < count)
				code[i + 1] = (struct bpf_insn){0};
		}
		if (round & 1) {
			code[0] = START;
			code[count - 1] = EXIT;
		}
		accepted += !check(code, count, &error);
	}
	assert_true(accepted < 200000 / 10);
}

static void what_only_asks(void **state)
{
	const struct bpf_insn asks[] = {
		START,	   LOAD(BPF_W, 2, 6, 24), SET(7, 1),  JUMP_IF(BPF_JEQ, 2, 101, 1),
		SET(7, 0), STORE(BPF_B, 6, 3, 7), MOVE(0, 7), EXIT};
	const struct bpf_insn looks_up[] = {START,
					    LOAD(BPF_W, 2, 6, 24),
					    STORE(BPF_DW, 10, -8, 2),
					    MOVE(2, 10),
					    COMPUTE(BPF_ADD, 2, -8),
					    MAP(0),
					    CALL(map_lookup_elem),
					    EXIT};
	const struct bpf_insn adds[] = {
		START, SET(2, 1), MAP_VALUE_AT(0, 0), ATOMIC(BPF_ADD, 1, 0, 2), SET(0, 1), EXIT};
	const struct bpf_insn stores[] = {START, STORE_IMM(BPF_DW, 9, 0, 1), EXIT};
	const struct bpf_insn updates[] = {START, CALL(map_update_elem), EXIT};
	const struct bpf_insn points[] = {START, MOVE(2, 6), COMPUTE(BPF_ADD, 2, 24), EXIT};

	(void)state;
	assert_true(stage_only_asks(asks, COUNT_OF(asks), 16, 24));
	assert_true(stage_only_asks(asks, COUNT_OF(asks), 28, 32));
	assert_false(stage_only_asks(asks, COUNT_OF(asks), 16, 25));
	assert_false(stage_only_asks(asks, COUNT_OF(asks), 27, 32));
	assert_true(stage_only_asks(looks_up, COUNT_OF(looks_up), 16, 24));
	assert_false(stage_only_asks(adds, COUNT_OF(adds), 16, 24));
	assert_false(stage_only_asks(stores, COUNT_OF(stores), 16, 24));
	assert_false(stage_only_asks(updates, COUNT_OF(updates), 16, 24));
	assert_false(stage_only_asks(points, COUNT_OF(points), 16, 24));
}

/* The largest stage, with as many jumps as there can be, is checked in a moment. */
static void the_largest_stage(void **state)
{
	struct bpf_insn *code = calloc(PLAN_STAGE_MAX + 1, sizeof(*code));
	struct error error;

	(void)state;
	assert_non_null(code);
	code[0] = START;
	code[1] = SET(0, 0);
	for (int i = 2; i < PLAN_STAGE_MAX; i++)
		code[i] = JUMP_IF(BPF_JEQ, 0, i, -1 - i % 7 % (i - 1));
	code[PLAN_STAGE_MAX - 1] = EXIT;
	if (check(code, PLAN_STAGE_MAX, &error))
		fail_msg("%s", error.text);
	assert_int_equal(check(code, PLAN_STAGE_MAX + 1, &error), -EINVAL);
	free(code);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_filter),
		cmocka_unit_test(an_aggregate),
		cmocka_unit_test(cells),
		cmocka_unit_test(beginning_and_end),
		cmocka_unit_test(registers_that_are_kept),
		cmocka_unit_test(memory),
		cmocka_unit_test(jumps_and_calls),
		cmocka_unit_test(maps_of_the_plan),
		cmocka_unit_test(addresses_do_not_get_out),
		cmocka_unit_test(random_instructions),
		cmocka_unit_test(what_only_asks),
		cmocka_unit_test(the_largest_stage),
	};

	return cmocka_run_group_tests_name("stage_check", tests, NULL, NULL);
}
