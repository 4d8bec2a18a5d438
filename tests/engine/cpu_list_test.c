// SPDX-License-Identifier: Apache-2.0
#include "cpu_list.h"

#include "test.h"

#include <errno.h>

static void lists_as_the_kernel_writes_them(void **state)
{
	static const struct {
		const char *text;
		int count, last;
	} cases[] = {
		{"0\n", 1, 0},	   {"0-3\n", 4, 3},   {"0,2-3\n", 3, 3},      {"0-1,5", 3, 5},
		{"1,3,5-7", 5, 7}, {"8191", 1, 8191}, {"0-8191", 8192, 8191},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		int *cpus = NULL, count = cpu_list_parse(cases[i].text, &cpus);

		if (count != cases[i].count || cpus[count - 1] != cases[i].last)
			fail_msg("%s: %d CPUs", cases[i].text, count);
		free(cpus);
	}
}

static void what_is_no_list(void **state)
{
	static const char *const cases[] = {
		"",	 "\n",	"x",	"-1",	       "3-1",		"0-", "0,", "0,,1",
		"0-3,2", "0 1", "8192", "99999999999", "0-99999999999",
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		int *cpus;

		if (cpu_list_parse(cases[i], &cpus) != -EINVAL)
			fail_msg("taken: '%s'", cases[i]);
	}
}

static void of_this_machine(void **state)
{
	int *cpus, count = cpu_list_online(&cpus);

	(void)state;
	assert_int_equal(count, sysconf(_SC_NPROCESSORS_ONLN));
	free(cpus);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_as_the_kernel_writes_them),
		cmocka_unit_test(what_is_no_list),
		cmocka_unit_test(of_this_machine),
	};

	return cmocka_run_group_tests_name("cpu_list", tests, NULL, NULL);
}
