// SPDX-License-Identifier: Apache-2.0
/* What both languages read alike: tests/stdlib/units_test.lua has the same tables. */
#include "duration.h"

#include "test.h"

#include <errno.h>

static void durations(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} good[] = {
		{"0s", 0},
		{"1ns", 1},
		{"250us", 250000},
		{"500ms", 500000000},
		{"5s", 5000000000},
		{"2m", 120000000000},
		{"1h", 3600000000000},
		{"1.5s", 1500000000},
		{"0.1s", 100000000},
		{"5.s", 5000000000},
		{"100000h", 360000000000000000},
	};
	uint64_t ns;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(good); i++) {
		assert_int_equal(duration_parse(good[i].text, &ns), 0);
		assert_int_equal(ns, good[i].ns);
	}
}

static void what_is_no_duration(void **state)
{
	static const char *const bad[] = {
		"",    "5",	 "s",	"ms",	"-5s",	"-0s",	"+5s",	  " 5s",       "5 s",
		"5s ", "5sec",	 "5S",	"5d",	"5,5s", "1e3s", "0x10s",  "nans",      "infs",
		".5s", "1.2.3s", "5ss", "1s2m", "5K",	"inf",	"1e999h", "99999999h",
	};
	uint64_t ns;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		ns = 77;
		if (duration_parse(bad[i], &ns) != -EINVAL)
			fail_msg("'%s' was read as %llu ns", bad[i], (unsigned long long)ns);
		assert_int_equal(ns, 77); /* left alone */
	}
}

static void sizes(void **state)
{
	static const struct {
		const char *text;
		size_t bytes;
	} good[] = {
		{"0", 0},	    {"4096", 4096}, {"64K", 65536},	  {"4M", 4194304},
		{"1G", 1073741824}, {"1.5K", 1536}, {"16G", 17179869184},
	};
	size_t bytes;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(good); i++) {
		assert_int_equal(size_parse(good[i].text, &bytes), 0);
		assert_int_equal(bytes, good[i].bytes);
	}
}

static void what_is_no_size(void **state)
{
	static const char *const bad[] = {
		"", "K", "-1K", "4k", "4KB", "4 K", " 4K", "1e3", "0x10", "nan", "inf", "4s", "1T",
	};
	size_t bytes;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		if (size_parse(bad[i], &bytes) != -EINVAL)
			fail_msg("'%s' was read as %zu bytes", bad[i], bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations),
		cmocka_unit_test(what_is_no_duration),
		cmocka_unit_test(sizes),
		cmocka_unit_test(what_is_no_size),
	};

	return cmocka_run_group_tests_name("duration", tests, NULL, NULL);
}
