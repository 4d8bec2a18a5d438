// SPDX-License-Identifier: Apache-2.0
/* What a worker may declare, and what it may change of it later. */
#include "declaration.h"

#include "message.h"
#include "plan_file.h"
#include "stage.h"
#include "test.h"

#include <errno.h>

static struct message message;
static struct declaration one;

static int setup(void **state)
{
	(void)state;
	memset(&one, 0, sizeof(one));
	return 0;
}

/* A message of words with spaces between, numbers among them; its name has been read. */
static void say(const char *words)
{
	char kept[512], *rest = kept;
	const char *name;

	snprintf(kept, sizeof(kept), "%s", words);
	message_start(&message, "declare");
	for (char *word; (word = strsep(&rest, " "));) {
		char *end;
		double number = strtod(word, &end);

		if (*word && !*end)
			message_number(&message, number);
		else
			message_text(&message, word);
	}
	assert_true(message_next_text(&message, &name));
}

static bool parses(const char *words)
{
	setup(NULL);
	say(words);
	return declaration_parse(&one, &message);
}

static void what_it_asks_for(void **state)
{
	(void)state;
	assert_true(
		parses("syscall knob only_number 110 field pid knob name cat kernel field comm"));
	assert_string_equal(one.request.name, "syscall");
	assert_int_equal(one.request.knob_count, 2);
	assert_string_equal(one.request.knobs[0].name, "only_number");
	assert_false(one.request.knobs[0].is_text);
	assert_true(one.request.knobs[0].number == 110);
	assert_true(one.request.knobs[1].is_text);
	assert_string_equal(one.request.knobs[1].text, "cat");
	assert_int_equal(one.request.field_count, 2);
	assert_string_equal(one.request.fields[1], "comm");
	assert_true(one.request.insists);
	assert_false(one.planned);
	assert_int_equal(one.refusal, 0);
}

static void what_is_malformed(void **state)
{
	static const char *const cases[] = {
		"1",
		"../shadow",
		"a.bpf",
		"syscall 1",
		"syscall field",
		"syscall field 1",
		"syscall knob",
		"syscall knob name",
		"syscall knob 1 name",
		"syscall something",
		"syscall field "
		"a_field_with_a_name_that_no_object_can_have_for_it_has_sixty-four_bytes",
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		if (parses(cases[i]))
			fail_msg("taken: %s", cases[i]);
}

static void there_is_room_for_so_many(void **state)
{
	(void)state;
	for (int more = 0; more < 2; more++) {
		setup(state);
		say("syscall");
		for (int i = 0; i < PROBE_FIELDS + more; i++) {
			message_text(&message, "field");
			message_text(&message, "pid");
		}
		assert_int_equal(declaration_parse(&one, &message), !more);
		setup(state);
		say("syscall");
		for (int i = 0; i < PROBE_KNOBS + more; i++) {
			message_text(&message, "knob");
			message_text(&message, "only_uid");
			message_number(&message, i);
		}
		assert_int_equal(declaration_parse(&one, &message), !more);
	}
}

static void only_the_fields_change_later(void **state)
{
	(void)state;
	assert_true(parses("syscall knob only_number 110 field pid"));
	say("field comm field tid");
	assert_true(declaration_parse_fields(&one, &message));
	assert_int_equal(one.request.field_count, 2);
	assert_string_equal(one.request.fields[0], "comm");
	assert_int_equal(one.request.knob_count, 1);

	say("field pid knob only_number 111");
	assert_false(declaration_parse_fields(&one, &message));
	say("field pid field");
	assert_false(declaration_parse_fields(&one, &message));
	assert_int_equal(one.request.field_count, 2);
	assert_string_equal(one.request.fields[0], "comm");
}

static void take_plan(const void *bytes, size_t size)
{
	int fd = memory_file(bytes, size);

	say("syscall");
	message_fd(&message, fd);
	declaration_take_plan(&one, &message);
	assert_int_equal(message.fds[0], -1); /* taken, and closed */
}

static void a_plan_takes_the_place_of_the_one_before(void **state)
{
	static const struct bpf_insn late[] = {START, SET(0, 1), EXIT};
	const struct draft draft = {.late = late, .late_count = COUNT_OF(late)};
	unsigned char file[4096];
	uint32_t size = draft_write(&draft, file);
	int before = open_fds();

	(void)state;
	take_plan(file, size);
	assert_non_null(one.plan);
	assert_true(one.planned);
	assert_int_equal(one.refusal, 0);
	take_plan(file, size);
	assert_non_null(one.plan);
	take_plan("bad", 3);
	assert_null(one.plan);
	assert_true(one.planned);
	assert_true(one.refusal < 0);
	assert_string_equal(one.refused.text, "the plan cannot be read: it is too short");
	take_plan(file, size);
	declaration_withhold_plan(&one, "not now");
	assert_null(one.plan);
	assert_int_equal(one.refusal, -EAGAIN);
	assert_string_equal(one.refused.text, "not now");
	declaration_close(&one);
	assert_int_equal(open_fds(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_it_asks_for, setup),
		cmocka_unit_test_setup(what_is_malformed, setup),
		cmocka_unit_test_setup(there_is_room_for_so_many, setup),
		cmocka_unit_test_setup(only_the_fields_change_later, setup),
		cmocka_unit_test_setup(a_plan_takes_the_place_of_the_one_before, setup),
	};

	return cmocka_run_group_tests_name("declaration", tests, NULL, NULL);
}
