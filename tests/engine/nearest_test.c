// SPDX-License-Identifier: Apache-2.0
#include "nearest.h"

#include "test.h"

static const char *const names[] = {"latency_ns", "daddr", "dport", "saddr",
				    "sport",	  "comm",  "pid"};

static const char *nearest_of(const char *misspelt)
{
	static struct nearest nearest;

	nearest_start(&nearest, misspelt);
	for (size_t i = 0; i < COUNT_OF(names); i++)
		nearest_offer(&nearest, names[i]);
	return nearest_name(&nearest);
}

static void a_typing_error_is_found(void **state)
{
	(void)state;
	assert_string_equal(nearest_of("latecy_ns"), "latency_ns");   /* one left out */
	assert_string_equal(nearest_of("latenccy_ns"), "latency_ns"); /* one too many */
	assert_string_equal(nearest_of("latensy_ns"), "latency_ns");  /* another one */
	assert_string_equal(nearest_of("dadrd"), "daddr");	      /* two swapped */
	assert_string_equal(nearest_of("com"), "comm");
}

static void a_part_of_the_name_is_enough(void **state)
{
	(void)state;
	assert_string_equal(nearest_of("lat"), "latency_ns");
	assert_string_equal(nearest_of("latency"), "latency_ns");
	assert_string_equal(nearest_of("port"), "dport"); /* the first of equals */
	assert_string_equal(nearest_of("n"), "");	  /* one letter says nothing */
}

static void another_word_has_none(void **state)
{
	(void)state;
	assert_string_equal(nearest_of("filename"), "");
	assert_string_equal(nearest_of("zzz"), "");
	assert_string_equal(nearest_of(""), "");
}

static void nothing_offered_is_nothing_near(void **state)
{
	struct nearest nearest;

	(void)state;
	nearest_start(&nearest, "daddr");
	assert_string_equal(nearest_name(&nearest), "");
}

static void the_best_offer_wins_in_any_order(void **state)
{
	struct nearest nearest;

	(void)state;
	nearest_start(&nearest, "tcp_conect");
	nearest_offer(&nearest, "tcp_connected");
	nearest_offer(&nearest, "tcp_connect");
	nearest_offer(&nearest, "tcp_close");
	assert_string_equal(nearest_name(&nearest), "tcp_connect");
}

static void the_shortest_of_those_that_begin_so_wins(void **state)
{
	struct nearest nearest;

	(void)state;
	nearest_start(&nearest, "mallo");
	nearest_offer(&nearest, "malloc_stats");
	nearest_offer(&nearest, "malloc");
	nearest_offer(&nearest, "malloc_trim");
	assert_string_equal(nearest_name(&nearest), "malloc");
}

static void long_names_are_cut(void **state)
{
	char longer[300], long_name[300];
	struct nearest nearest;

	(void)state;
	memset(longer, 'a', sizeof(longer));
	longer[sizeof(longer) - 1] = 0;
	memcpy(long_name, longer, sizeof(longer));
	long_name[5] = 'b';
	nearest_start(&nearest, longer);
	nearest_offer(&nearest, "pid");
	assert_string_equal(nearest_name(&nearest), "");
	nearest_offer(&nearest, long_name);
	assert_int_equal(strlen(nearest_name(&nearest)), NEAREST_NAME - 1);
	assert_memory_equal(nearest_name(&nearest), long_name, NEAREST_NAME - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_typing_error_is_found),
		cmocka_unit_test(a_part_of_the_name_is_enough),
		cmocka_unit_test(another_word_has_none),
		cmocka_unit_test(nothing_offered_is_nothing_near),
		cmocka_unit_test(the_best_offer_wins_in_any_order),
		cmocka_unit_test(the_shortest_of_those_that_begin_so_wins),
		cmocka_unit_test(long_names_are_cut),
	};

	return cmocka_run_group_tests_name("nearest", tests, NULL, NULL);
}
