// SPDX-License-Identifier: Apache-2.0
#include "json.h"

#include "test.h"

static void assert_written(const char *text, const char *json)
{
	char *written = NULL;
	size_t size;
	FILE *out = open_memstream(&written, &size);

	assert_non_null(out);
	json_text(out, text);
	fclose(out);
	assert_string_equal(written, json);
	free(written);
}

static void plain_text(void **state)
{
	(void)state;
	assert_written("", "\"\"");
	assert_written("a b/c", "\"a b/c\"");
	assert_written("gr\303\274n \342\202\254 \360\237\220\235",
		       "\"gr\303\274n \342\202\254 \360\237\220\235\"");
}

static void quotes_and_backslashes(void **state)
{
	(void)state;
	assert_written("say \"hi\"", "\"say \\\"hi\\\"\"");
	assert_written("a\\b", "\"a\\\\b\"");
	assert_written("\\\"", "\"\\\\\\\"\"");
}

static void control_characters(void **state)
{
	(void)state;
	for (int code = 1; code < 0x20; code++) {
		const char text[] = {code, 0};
		char json[16];

		snprintf(json, sizeof(json), "\"\\u%04x\"", code);
		assert_written(text, json);
	}
}

static void bytes_that_are_no_utf8(void **state)
{
	(void)state;
	assert_written("a\377b", "\"a\357\277\275b\"");
	assert_written("\303", "\"\357\277\275\"");				    /* cut short */
	assert_written("\300\200", "\"\357\277\275\357\277\275\"");		    /* overlong */
	assert_written("\355\240\200", "\"\357\277\275\357\277\275\357\277\275\""); /* surrogate */
	assert_written("\364\220\200\200", /* above U+10FFFF */
		       "\"\357\277\275\357\277\275\357\277\275\357\277\275\"");
	assert_written("\303\"", "\"\357\277\275\\\"\""); /* the quote is not part of it */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_text),
		cmocka_unit_test(quotes_and_backslashes),
		cmocka_unit_test(control_characters),
		cmocka_unit_test(bytes_that_are_no_utf8),
	};

	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
