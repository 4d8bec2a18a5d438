// SPDX-License-Identifier: Apache-2.0
#include "symbol_table.h"

#include "test.h"

#include <stdio.h>
#include <time.h>

static void add(struct symbol_table *table, uint64_t address, uint64_t bytes, int rank,
		const char *name)
{
	assert_int_equal(
		symbol_table_add(table, address, bytes, rank < 200, rank, name, strlen(name), ""),
		0);
}

static const char *name_at(const struct symbol_table *table, uint64_t address)
{
	const struct symbol_entry *entry = symbol_table_at(table, address);
	const char *module;

	return entry ? symbol_table_name(table, entry, &module) : "";
}

static void a_table(void **state)
{
	struct symbol_table table = {0};

	(void)state;
	assert_null(symbol_table_at(&table, 0));
	add(&table, 300, 1000, 250, "open_ended");
	add(&table, 500, 0, 0, "empty");
	add(&table, 600, 10, 0, "after");
	add(&table, 100, 50, 200, "local");
	add(&table, 100, 50, 0, "global");
	add(&table, 100, 50, 200, "local"); /* as .dynsym has it again */
	add(&table, 110, 10, 0, "inner");
	add(&table, UINT64_MAX, 10, 0, "last");
	assert_int_equal(symbol_table_finish(&table), 0);
	assert_int_equal(table.count, 7);
	assert_string_equal(name_at(&table, 99), "");
	assert_string_equal(name_at(&table, 100), "global");
	assert_string_equal(name_at(&table, 109), "global");
	assert_string_equal(name_at(&table, 110), "inner");
	assert_string_equal(name_at(&table, 125), "global"); /* behind the inner one */
	assert_string_equal(name_at(&table, 150), "");
	assert_string_equal(name_at(&table, 300), "open_ended");
	assert_string_equal(name_at(&table, 499), "open_ended");
	assert_string_equal(name_at(&table, 500), "");
	assert_string_equal(name_at(&table, 550), ""); /* not of one that ends at the next */
	assert_string_equal(name_at(&table, 600), "after");
	assert_string_equal(name_at(&table, UINT64_MAX), "last");
	assert_non_null(symbol_table_find(&table, NULL, "local"));
	assert_null(symbol_table_find(&table, symbol_table_find(&table, NULL, "local"), "local"));
	symbol_table_clear(&table);
}

/* A file may give one address as many names as it likes, and be asked about often. */
static void many_names_of_one_address(void **state)
{
	struct symbol_table table = {0};
	char name[16];
	clock_t start;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		add(&table, 100, 50, i ? 200 : 0, name);
	}
	assert_int_equal(symbol_table_finish(&table), 0);
	start = clock();
	for (int i = 0; i < 50000; i++)
		assert_string_equal(name_at(&table, 120), "f0");
	assert_true(clock() - start < 2 * CLOCKS_PER_SEC);
	symbol_table_clear(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_table),
		cmocka_unit_test(many_names_of_one_address),
	};

	return cmocka_run_group_tests_name("symbol_table", tests, NULL, NULL);
}
