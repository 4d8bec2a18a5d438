// SPDX-License-Identifier: Apache-2.0
#include "summary.h"

#include "test.h"

#include <stdlib.h>
#include <string.h>

/* As two versions of a script tell, one after the other; beyond the room there is, all together. */
static void rings_are_added_up(void **state)
{
	struct script_history history = {0};
	char name[32];

	(void)state;
	for (int version = 0; version < 2; version++) {
		for (int i = 0; i < SUMMARY_RINGS + 6; i++) {
			snprintf(name, sizeof(name), "ring%d", i);
			summary_add_ring(&history, name, 10 + i, i == 1);
		}
	}
	assert_int_equal(history.ring_count, SUMMARY_RINGS);
	assert_string_equal(history.rings[1].name, "ring1");
	assert_int_equal(history.rings[1].received, 22);
	assert_int_equal(history.rings[1].failed, 2);
	assert_string_equal(history.rings[SUMMARY_RINGS - 1].name, "(others)");
	/* ring63 to ring69 */
	assert_int_equal(history.rings[SUMMARY_RINGS - 1].received, 2 * (7 * 10 + 63 * 7 + 21));
	free(history.rings);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rings_are_added_up),
	};

	return cmocka_run_group_tests_name("summary", tests, NULL, NULL);
}
