// SPDX-License-Identifier: Apache-2.0
#include "error.h"

#include "test.h"

#include <errno.h>

static void error_set_ends_a_function(void **state)
{
	struct error error;

	(void)state;
	assert_int_equal(error_set(&error, -ENOENT, "%s: line %d", "file.lua", 7), -ENOENT);
	assert_string_equal(error.text, "file.lua: line 7");
	assert_int_equal(error_set(&error, -EINVAL, "other"), -EINVAL);
	assert_string_equal(error.text, "other");
}

static void a_long_line_is_cut(void **state)
{
	struct {
		struct error error;
		char behind;
	} guarded = {.behind = 'g'};
	char text[2 * sizeof(struct error)];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = 0;
	error_set(&guarded.error, -1, "%s", text);
	assert_int_equal(strlen(guarded.error.text), sizeof(guarded.error.text) - 1);
	assert_int_equal(guarded.behind, 'g');
}

/* What is written to stderr, about `name` when that is not NULL. */
static void printed(const char *name, const char *text, char *out, size_t size)
{
	int saved = dup(2), pipes[2];
	ssize_t got;

	assert_int_equal(pipe(pipes), 0);
	fflush(stderr);
	dup2(pipes[1], 2);
	if (name)
		error_about(name, "%s", text);
	else
		error_print("%s", text);
	fflush(stderr);
	dup2(saved, 2);
	close(saved);
	close(pipes[1]);
	got = read(pipes[0], out, size - 1);
	out[got > 0 ? got : 0] = 0;
	close(pipes[0]);
}

static void a_printed_line_says_who(void **state)
{
	char out[4096];

	(void)state;
	printed(NULL, "no such probe", out, sizeof(out));
	assert_string_equal(out, "moonprobe: no such probe\n");
}

static void a_name_is_said_once(void **state)
{
	char out[4096];

	(void)state;
	printed("slow.lua", "reloaded", out, sizeof(out));
	assert_string_equal(out, "moonprobe: slow.lua: reloaded\n");
	printed("slow.lua", "slow.lua:7: attempt to call a nil value", out, sizeof(out));
	assert_string_equal(out, "moonprobe: slow.lua:7: attempt to call a nil value\n");
}

static void a_printed_line_is_one_line_of_limited_length(void **state)
{
	char text[3000], out[4096];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = 0;
	printed(NULL, text, out, sizeof(out));
	assert_in_range(strlen(out), 600, 1100);
	assert_int_equal(out[strlen(out) - 1], '\n');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(error_set_ends_a_function),
		cmocka_unit_test(a_long_line_is_cut),
		cmocka_unit_test(a_printed_line_says_who),
		cmocka_unit_test(a_name_is_said_once),
		cmocka_unit_test(a_printed_line_is_one_line_of_limited_length),
	};

	return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
