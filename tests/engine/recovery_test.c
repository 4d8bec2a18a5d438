// SPDX-License-Identifier: Apache-2.0
/* What follows on which failure of a running version. */
#include "recovery.h"

#include "test.h"

static void whoever_is_there_takes_over(void **state)
{
	static const struct {
		struct recovery_case failed;
		enum recovery_step step;
	} cases[] = {
		{{.next_ready = true, .next_loading = true, .on_probation = true},
		 RECOVERY_SWITCH_OVER},
		{{.on_probation = true, .next_loading = true}, RECOVERY_ROLL_BACK},
		{{.on_probation = true, .once = true}, RECOVERY_ROLL_BACK},
		{{.next_loading = true, .once = true}, RECOVERY_WAIT},
		{{.once = true}, RECOVERY_GIVE_UP},
	};
	struct recovery recovery = {0};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		assert_int_equal(recovery_choose(&recovery, &cases[i].failed), cases[i].step);
	assert_int_equal(recovery.failures, 0); /* such ones do not count */
}

static void the_pause_doubles_up_to_quarantine(void **state)
{
	struct recovery recovery = {0};

	(void)state;
	for (int i = 0; i < 4; i++) {
		assert_int_equal(
			recovery_choose(&recovery, &(struct recovery_case){.now = 1000 + 15 * i}),
			RECOVERY_RESTART);
		assert_int_equal(recovery_pause_ns(&recovery), 100000000ull << i);
	}
	/* The minute's last second. */
	assert_int_equal(recovery_choose(&recovery, &(struct recovery_case){.now = 1060}),
			 RECOVERY_QUARANTINE);
}

static void after_a_minute_it_counts_anew(void **state)
{
	struct recovery recovery = {0};

	(void)state;
	for (int i = 0; i < 4; i++)
		recovery_choose(&recovery, &(struct recovery_case){.now = 1000});
	assert_int_equal(recovery_choose(&recovery, &(struct recovery_case){.now = 1061}),
			 RECOVERY_RESTART);
	assert_int_equal(recovery_pause_ns(&recovery), 100000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whoever_is_there_takes_over),
		cmocka_unit_test(the_pause_doubles_up_to_quarantine),
		cmocka_unit_test(after_a_minute_it_counts_anew),
	};

	return cmocka_run_group_tests_name("recovery", tests, NULL, NULL);
}
