// SPDX-License-Identifier: Apache-2.0
#include "binary_functions.h"

#include "binary.h"
#include "test.h"

#include <errno.h>

static struct binary *binary;
static struct error error;

static void open_target(const char *name)
{
	binary_close(binary);
	binary = NULL;
	error.text[0] = 0;
	if (binary_open(&binary, target_path(name), 0, &error))
		fail_msg("%s", error.text);
}

static int teardown(void **state)
{
	(void)state;
	binary_close(binary);
	binary = NULL;
	return 0;
}

static int offset_of(const char *place, uint64_t *offset)
{
	error.text[0] = 0;
	return binary_offset(binary, place, offset, &error);
}

/* The bytes at the offset are the function's: it begins as its neighbour file does. */
static uint64_t must_find(const char *place)
{
	uint64_t offset = 0;

	if (offset_of(place, &offset))
		fail_msg("%s", error.text);
	assert_true(offset > 0 && offset < (uint64_t)binary->status.st_size);
	return offset;
}

static void functions_by_name(void **state)
{
	static const char *const programs[] = {"program", "program_fixed"};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(programs); i++) {
		uint64_t add, local, place;

		open_target(programs[i]);
		add = must_find("target_add");
		local = must_find("target_local");
		assert_int_not_equal(add, local);
		assert_int_equal(must_find("target_alias"), add);
		assert_int_equal(must_find("target_add+0x1"), add + 1);
		assert_int_equal(must_find("target_add+2"), add + 2);
		assert_int_equal(offset_of("target_add+0x100000", &place), -ERANGE);
		assert_int_equal(offset_of("target_add+", &place), -EINVAL);
		assert_int_equal(offset_of("target_add+x", &place), -EINVAL);
		assert_int_equal(offset_of("target_add+1x", &place), -EINVAL);
		assert_int_equal(offset_of("target_add+-1", &place), -EINVAL);
		assert_int_equal(offset_of("", &place), -EINVAL);
		assert_int_equal(offset_of("+1", &place), -EINVAL);
	}
}

static void addresses(void **state)
{
	uint64_t add, address, place;
	char text[32];

	(void)state;
	open_target("program_fixed");
	add = must_find("target_add");
	assert_int_equal(binary_address_of(binary, add, &address), 0);
	assert_true(address != add); /* linked at 0x400000 */
	snprintf(text, sizeof(text), "0x%llx", (unsigned long long)address);
	assert_int_equal(must_find(text), add);
	assert_int_equal(binary_offset_of(binary, address, &place), 0);
	assert_int_equal(place, add);
	assert_int_equal(offset_of("0x10", &place), -ERANGE);
	assert_int_equal(offset_of("0xffffffffffffffff", &place), -ERANGE);
	assert_int_equal(offset_of("0x1ffffffffffffffff", &place), -EINVAL);
	assert_int_equal(offset_of("12x", &place), -EINVAL);
	assert_int_equal(binary_offset_of(binary, UINT64_MAX, &place), -ENOENT);
	assert_int_equal(binary_address_of(binary, UINT64_MAX, &place), -ENOENT);
}

static void versions(void **state)
{
	static const char *const libraries[] = {"library.so", "library_stripped.so"};
	uint64_t new = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(libraries); i++) {
		open_target(libraries[i]);
		if (!i) {
			new = must_find("library_greet_new");
			assert_int_not_equal(new, must_find("library_greet_old"));
		}
		/* What the linker gives to new programs; also where only .dynsym says so. */
		assert_int_equal(must_find("library_greet"), new);
	}
}

static void errors_name_the_nearest(void **state)
{
	uint64_t place;

	(void)state;
	open_target("program");
	assert_int_equal(offset_of("target_ad", &place), -ENOENT);
	assert_non_null(strstr(error.text, "has no function target_ad; did you mean target_add?"));
	assert_int_equal(offset_of("target_lcoal", &place), -ENOENT);
	assert_non_null(strstr(error.text, "did you mean target_local?"));
	open_target("program_stripped");
	assert_int_equal(offset_of("target_add", &place), -ENOENT);
	assert_non_null(strstr(error.text, "stripped"));
}

static void functions_chosen_at_load_time(void **state)
{
	struct binary_functions functions;
	uint64_t place;

	(void)state;
	open_target("program");
	assert_int_equal(offset_of("target_chosen", &place), -EOPNOTSUPP);
	assert_non_null(strstr(error.text, "IFUNC"));
	assert_int_equal(binary_match(binary, "target_cho*", &functions, &error), -ENOENT);
	assert_null(functions.list);
}

static void wildcards(void **state)
{
	struct binary_functions functions;
	char names[256] = "";

	(void)state;
	open_target("program");
	assert_int_equal(binary_match(binary, "target_*", &functions, &error), 0);
	for (size_t i = 0; i < functions.count; i++) {
		strcat(strcat(names, functions.list[i].name), " ");
		assert_true(!i || functions.list[i].offset > functions.list[i - 1].offset);
	}
	/* target_add and target_alias are one place. */
	assert_int_equal(functions.count, 3);
	assert_non_null(strstr(names, "target_local "));
	assert_non_null(strstr(names, "target_twice "));
	assert_int_equal(functions.list[0].offset, must_find(functions.list[0].name));
	binary_functions_free(&functions);
	open_target("library.so");
	assert_int_equal(binary_match(binary, "library_greet", &functions, &error), 0);
	assert_int_equal(functions.count, 2);
	binary_functions_free(&functions);
	assert_int_equal(binary_match(binary, "nothing_*", &functions, &error), -ENOENT);
	binary_functions_free(&functions);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(functions_by_name, teardown),
		cmocka_unit_test_teardown(addresses, teardown),
		cmocka_unit_test_teardown(versions, teardown),
		cmocka_unit_test_teardown(errors_name_the_nearest, teardown),
		cmocka_unit_test_teardown(functions_chosen_at_load_time, teardown),
		cmocka_unit_test_teardown(wildcards, teardown),
	};

	return cmocka_run_group_tests_name("binary_functions", tests, NULL, NULL);
}
