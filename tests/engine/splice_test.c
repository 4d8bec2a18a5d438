// SPDX-License-Identifier: Apache-2.0
#include "splice.h"

#include "record.h"
#include "stage.h"
#include "test.h"

#include <bpf/bpf.h>
#include <errno.h>

#define CALL_FUNCTION(o) INSN(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_CALL, 0, o)

/* main: early(), helper(), late(); returns early * 1000000 + helper * 1000 + late. The functions
 * stand in between each other, and the helper calls one that comes after it. */
static const struct bpf_insn program[] = {
	MOVE(6, 1),
	CALL_FUNCTION(13), /* early, at 15 */
	MOVE(7, 0),
	COMPUTE(BPF_MUL, 7, 1000),
	MOVE(1, 6),
	CALL_FUNCTION(11), /* helper, at 17 */
	COMBINE(BPF_ADD, 7, 0),
	COMPUTE(BPF_MUL, 7, 1000),
	MOVE(1, 6),
	CALL_FUNCTION(9), /* late, at 19 */
	COMBINE(BPF_ADD, 7, 0),
	CONSTANT(2, 0, 7),
	MOVE(0, 7),
	EXIT,
	SET(0, STAGE_EARLY_MAGIC), /* 15 */
	EXIT,
	CALL_FUNCTION(3), /* 17: helper calls the last one, at 21 */
	EXIT,
	SET(0, STAGE_LATE_MAGIC), /* 19 */
	EXIT,
	SET(0, 7), /* 21 */
	EXIT,
};

static const struct bpf_insn one[] = {SET(0, 1), EXIT};
static const struct bpf_insn longer[] = {
	START, SET(0, 2), JUMP_IF(BPF_JEQ, 0, 2, 1), SET(0, 9), COMPUTE(BPF_ADD, 0, 1), EXIT};

/* What the program returns in the kernel; -1: it cannot be loaded. */
static int run(const struct bpf_insn *code, uint32_t count)
{
	unsigned char packet[64] = {0};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet, .data_size_in = sizeof(packet));
	int fd = bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, "splice", "GPL", code, count, NULL);

	if (fd < 0)
		return -1;
	assert_int_equal(bpf_prog_test_run_opts(fd, &options), 0);
	close(fd);
	return (int)options.retval;
}

static void stages_are_found(void **state)
{
	(void)state;
	assert_true(splice_has(program, COUNT_OF(program), SPLICE_EARLY));
	assert_true(splice_has(program, COUNT_OF(program), SPLICE_LATE));
	assert_false(splice_has(one, COUNT_OF(one), SPLICE_EARLY));
}

/* `saved`: instructions that keep registers of the caller. */
static void replaced(const struct bpf_insn *early, uint32_t early_count,
		     const struct bpf_insn *late, uint32_t late_count, uint32_t saved, int expected)
{
	const struct splice_part parts[SPLICE_STUBS] = {{early, early_count}, {late, late_count}};
	struct splice splice;

	assert_int_equal(splice_make(&splice, program, COUNT_OF(program), parts), 0);
	assert_int_equal(splice.count, COUNT_OF(program) - 6 + early_count + late_count + saved);
	assert_int_equal(splice.at[PLAN_EARLY], 1 + saved / 2);
	assert_memory_equal(splice.code + splice.at[PLAN_EARLY], early,
			    (early_count - 1) * sizeof(*early));
	assert_memory_equal(splice.code + splice.at[PLAN_LATE], late,
			    (late_count - 1) * sizeof(*late));
	if (!geteuid())
		assert_int_equal(run(splice.code, splice.count), expected);
	splice_free(&splice);
}

static void calls_lead_where_they_did(void **state)
{
	(void)state;
	replaced(one, COUNT_OF(one), one, COUNT_OF(one), 0, 1007001);
	replaced(longer, COUNT_OF(longer), one, COUNT_OF(one), 2, 3007001);
	/* Behind the late stage r6 is not needed any more. */
	replaced(one, COUNT_OF(one), longer, COUNT_OF(longer), 0, 1007003);
	replaced(longer, COUNT_OF(longer), longer, COUNT_OF(longer), 2, 3007003);
}

/* Twice round a loop, with something in every register and on the stack that the stage must leave
 * alone: ((50 + 7) * 2 + 600 + 8000) + 40. */
static const struct bpf_insn busy[] = {
	MOVE(6, 1),
	SET(7, 0),
	SET(8, 600),
	SET(9, 8000),
	STORE_IMM(BPF_DW, 10, -8, 40),
	STORE_IMM(BPF_DW, 10, -16, 2),
	MOVE(1, 6), /* 6 */
	CALL_FUNCTION(12),
	JUMP_IF(BPF_JEQ, 0, 0, 2),
	COMBINE(BPF_ADD, 7, 0),
	COMPUTE(BPF_ADD, 7, 7),
	LOAD(BPF_DW, 2, 10, -16),
	COMPUTE(BPF_ADD, 2, -1),
	STORE(BPF_DW, 10, -16, 2),
	JUMP_IF(BPF_JNE, 2, 0, -9),
	LOAD(BPF_DW, 0, 10, -8),
	COMBINE(BPF_ADD, 0, 7),
	COMBINE(BPF_ADD, 0, 8),
	COMBINE(BPF_ADD, 0, 9),
	EXIT,
	SET(0, STAGE_EARLY_MAGIC), /* 20 */
	EXIT,
};

static const struct bpf_insn greedy[] = {
	START,
	SET(7, 1),
	SET(8, 2),
	STORE_IMM(BPF_DW, 10, -8, 50),
	STORE_IMM(BPF_DW, 10, -16, 3),
	MOVE(2, 10),
	COMPUTE(BPF_ADD, 2, -8),
	LOAD(BPF_DW, 9, 2, 0),
	JUMP_IF(BPF_JEQ, 9, 50, 2),
	SET(0, 1000000),
	EXIT,
	MOVE(0, 9),
	EXIT,
};

static void callers_keep_what_they_have(void **state)
{
	const struct splice_part parts[SPLICE_STUBS] = {{greedy, COUNT_OF(greedy)}, {NULL, 0}};
	struct splice splice;

	(void)state;
	assert_int_equal(splice_make(&splice, busy, COUNT_OF(busy), parts), 0);
	assert_int_equal(splice.count, COUNT_OF(busy) - 3 + 2 * 4 + COUNT_OF(greedy));
	if (!geteuid())
		assert_int_equal(run(splice.code, splice.count), (50 + 7) * 2 + 600 + 8000 + 40);
	splice_free(&splice);
}

static void without_parts_nothing_changes(void **state)
{
	const struct splice_part none[SPLICE_STUBS] = {0};
	struct splice splice;

	(void)state;
	assert_int_equal(splice_make(&splice, program, COUNT_OF(program), none), 0);
	assert_int_equal(splice.count, COUNT_OF(program));
	assert_memory_equal(splice.code, program, sizeof(program));
	splice_free(&splice);
}

static void what_cannot_be(void **state)
{
	const struct splice_part parts[SPLICE_STUBS] = {{one, 2}, {one, 2}};
	const struct bpf_insn nowhere[] = {CALL_FUNCTION(5), EXIT};
	const struct bpf_insn before[] = {SET(0, 0), CALL_FUNCTION(-3), EXIT};
	/* Where its stack is must be seen in two instructions that stay together. */
	const struct bpf_insn bare[] = {START, MOVE(2, 10), SET(0, 0), EXIT};
	const struct bpf_insn apart[] = {
		START, MOVE(2, 10), COMPUTE(BPF_ADD, 2, -8), SET(0, 0), JUMP_IF(BPF_JNE, 0, 0, -3),
		EXIT};
	const struct splice_part unclear[][SPLICE_STUBS] = {{{bare, COUNT_OF(bare)}},
							    {{apart, COUNT_OF(apart)}}};
	struct splice_part large[SPLICE_STUBS] = {{NULL, 40000}};
	struct splice splice;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(unclear); i++)
		assert_int_equal(splice_make(&splice, busy, COUNT_OF(busy), unclear[i]), -EINVAL);
	large[PLAN_EARLY].code = calloc(large[PLAN_EARLY].count, sizeof(struct bpf_insn));
	assert_int_equal(splice_make(&splice, busy, COUNT_OF(busy), large), -E2BIG);
	free((void *)large[PLAN_EARLY].code);
	assert_int_equal(splice_make(&splice, nowhere, COUNT_OF(nowhere), parts), -EINVAL);
	assert_int_equal(splice_make(&splice, before, COUNT_OF(before), parts), -EINVAL);
}

static void maps_are_replaced(void **state)
{
	struct bpf_insn code[] = {MAP(5), MAP_VALUE_AT(5, 8), CONSTANT(1, 5, 0), SET(1, 5), MAP(6)};

	(void)state;
	splice_replace_map(code, COUNT_OF(code), 5, 9);
	assert_int_equal(code[0].imm, 9);
	assert_int_equal(code[2].imm, 9);
	assert_int_equal(code[3].imm, 8);
	assert_int_equal(code[4].imm, 5);
	assert_int_equal(code[6].imm, 5);
	assert_int_equal(code[7].imm, 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stages_are_found),
		cmocka_unit_test(calls_lead_where_they_did),
		cmocka_unit_test(callers_keep_what_they_have),
		cmocka_unit_test(without_parts_nothing_changes),
		cmocka_unit_test(what_cannot_be),
		cmocka_unit_test(maps_are_replaced),
	};

	return cmocka_run_group_tests_name("splice", tests, NULL, NULL);
}
