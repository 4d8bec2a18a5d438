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
	assert_true(splice_has(program, COUNT_OF(program), PLAN_EARLY));
	assert_true(splice_has(program, COUNT_OF(program), PLAN_LATE));
	assert_false(splice_has(one, COUNT_OF(one), PLAN_EARLY));
}

static void replaced(const struct bpf_insn *early, uint32_t early_count,
		     const struct bpf_insn *late, uint32_t late_count, int expected)
{
	const struct splice_part parts[] = {{early, early_count}, {late, late_count}};
	struct splice splice;

	assert_int_equal(splice_make(&splice, program, COUNT_OF(program), parts), 0);
	assert_int_equal(splice.at[PLAN_EARLY], 15);
	assert_int_equal(splice.count, COUNT_OF(program) - 4 + early_count + late_count);
	if (early_count) {
		assert_memory_equal(splice.code + 15, early, early_count * sizeof(*early));
		assert_memory_equal(splice.code + splice.at[PLAN_LATE], late,
				    late_count * sizeof(*late));
	}
	if (!geteuid())
		assert_int_equal(run(splice.code, splice.count), expected);
	free(splice.code);
}

static void calls_lead_where_they_did(void **state)
{
	(void)state;
	replaced(one, COUNT_OF(one), one, COUNT_OF(one), 1007001);
	replaced(longer, COUNT_OF(longer), one, COUNT_OF(one), 3007001);
	replaced(one, COUNT_OF(one), longer, COUNT_OF(longer), 1007003);
	replaced(longer, COUNT_OF(longer), longer, COUNT_OF(longer), 3007003);
}

static void without_parts_nothing_changes(void **state)
{
	const struct splice_part none[PLAN_STAGES] = {0};
	struct splice splice;

	(void)state;
	assert_int_equal(splice_make(&splice, program, COUNT_OF(program), none), 0);
	assert_int_equal(splice.count, COUNT_OF(program));
	assert_memory_equal(splice.code, program, sizeof(program));
	free(splice.code);
}

static void what_cannot_be(void **state)
{
	const struct splice_part parts[] = {{one, 2}, {one, 2}};
	const struct bpf_insn nowhere[] = {CALL_FUNCTION(5), EXIT};
	const struct bpf_insn before[] = {SET(0, 0), CALL_FUNCTION(-3), EXIT};
	const struct bpf_insn twice[] = {CALL_FUNCTION(2),
					 CALL_FUNCTION(3),
					 EXIT,
					 SET(0, STAGE_EARLY_MAGIC),
					 EXIT,
					 SET(0, STAGE_EARLY_MAGIC),
					 EXIT};
	struct splice splice;

	(void)state;
	assert_int_equal(splice_make(&splice, nowhere, COUNT_OF(nowhere), parts), -EINVAL);
	assert_int_equal(splice_make(&splice, before, COUNT_OF(before), parts), -EINVAL);
	assert_int_equal(splice_make(&splice, twice, COUNT_OF(twice), parts), -EINVAL);
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
		cmocka_unit_test(without_parts_nothing_changes),
		cmocka_unit_test(what_cannot_be),
		cmocka_unit_test(maps_are_replaced),
	};

	return cmocka_run_group_tests_name("splice", tests, NULL, NULL);
}
