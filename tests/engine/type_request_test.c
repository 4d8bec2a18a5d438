// SPDX-License-Identifier: Apache-2.0
/* What a worker asks about targets, and what it is told; as it should be, and not.
 *
 * The test's own executable plays the worker (main with `-worker`): it asks what the script's
 * name says, "PROBE|PATH", and its exit code tells what came of it. */
#include "type_request.h"

#include "message.h"
#include "test.h"
#include "version.h"
#include "worker.h"

#include <errno.h>
#include <math.h>

enum { SILENT = 50, WRONG_WORD, WRONG_KIND, REFUSED, GAP };

/* The worker's side. */

static struct message message;

/* Asks, and reads the answer up to behind its name. */
static bool ask(void)
{
	char word[32];
	const char *text;

	message_next_text(&message, &text);
	snprintf(word, sizeof(word), "%s", text);
	return !message_send(WORKER_SOCKET, &message) &&
	       message_receive(WORKER_SOCKET, &message) == 1 &&
	       message_next_text(&message, &text) && !strcmp(text, word);
}

static int ask_target(const char *probe)
{
	double found;

	message_start(&message, "target");
	message_text(&message, probe);
	if (!ask())
		return WRONG_WORD;
	if (!message_next_number(&message, &found))
		return WRONG_KIND;
	return found ? 0 : REFUSED;
}

/* All of them, in as many messages as it takes; how many come is the exit code. */
static int ask_places(const char *probe)
{
	int count = 0;

	for (int before = -1; before != count;) {
		const char *name;

		before = count;
		message_start(&message, "places");
		message_text(&message, probe);
		message_number(&message, count);
		if (!ask())
			return WRONG_WORD;
		for (; !message_at_end(&message); count++)
			if (!message_next_text(&message, &name) || !*name)
				return WRONG_KIND;
	}
	return count < SILENT ? count : GAP;
}

/* 1: an array that is no value. */
static int ask_typed(const char *probe, const char *path)
{
	const char *kind;

	message_start(&message, "typed");
	message_text(&message, probe);
	message_text(&message, path);
	if (!ask())
		return WRONG_WORD;
	if (!message_next_text(&message, &kind))
		return WRONG_KIND;
	return !strcmp(kind, "error") ? REFUSED : !strcmp(kind, "array");
}

/* Malformed: the host is to end it. */
static void send_bad(const char *name)
{
	int number = atoi(name);

	message_start(&message, number % 3 == 0 ? "target" : number % 3 == 1 ? "places" : "typed");
	if (number >= 3)
		message_text(&message, "profile:99");
	if (number >= 6 && number % 3 == 1)
		message_number(&message, number < 9 ? NAN : number < 12 ? -1 : 1e300);
	else if (number >= 6)
		message_number(&message, 1);
	if (number == 3)
		message.bytes[message.length - 2] = 0; /* text with a NUL in it */
	message_send(WORKER_SOCKET, &message);
}

static int play_worker(void)
{
	char name[256], *path;
	const char *text;

	if (message_receive(WORKER_SOCKET, &message) != 1 || !message_next_text(&message, &text) ||
	    !message_next_text(&message, &text))
		return SILENT;
	snprintf(name, sizeof(name), "%s", text);
	path = strchr(name, '|');
	*path++ = 0;
	if (!strcmp(name, "bad"))
		send_bad(path);
	else if (!strcmp(path, "target"))
		return ask_target(name);
	else if (!strcmp(path, "places"))
		return ask_places(name);
	else
		return ask_typed(name, path);
	message_receive(WORKER_SOCKET, &message);
	return SILENT;
}

/* The host's side. */

static struct loop *loop;
static int ended_code;
static char ended_how[200];

static void on_ended(struct version *version, int code, const char *how)
{
	ended_code = code;
	snprintf(ended_how, sizeof(ended_how), "%s", how ? how : "");
	version_close(version);
	loop_stop(loop);
}

static void on_used_file(struct version *version, const char *file)
{
	(void)version;
	(void)file;
}

static const struct version_events events = {.used_file = on_used_file, .ended = on_ended};

/* What a worker of that name found out. */
static int asked(const char *name)
{
	struct script_options options = SCRIPT_OPTIONS_PRESET;
	struct version *version;
	struct error error;

	options.name = name;
	options.text = "-- nothing";
	options.folder = "tests/engine";
	assert_int_equal(loop_open(&loop), 0);
	assert_int_equal(version_start(&version, loop, &options, -1, -1, &events, NULL, &error), 0);
	assert_int_equal(loop_run(loop), 0);
	loop_close(loop);
	return ended_code;
}

static const char *of_file(const char *file, const char *rest)
{
	static char name[PATH_MAX + 64];
	char path[PATH_MAX];

	assert_non_null(realpath(target_path(file), path));
	snprintf(name, sizeof(name), "uprobe:%s:%s", path, rest);
	return name;
}

static const char *of_program(const char *rest)
{
	return of_file("program", rest);
}

static void is_there_such_a_thing(void **state)
{
	(void)state;
	assert_int_equal(asked("profile:99|target"), 0);
	assert_int_equal(asked("profile:0|target"), REFUSED);
	assert_int_equal(asked("profile|target"), REFUSED);
	assert_int_equal(asked("|target"), REFUSED);
	assert_int_equal(asked(":|target"), REFUSED);
	assert_int_equal(asked("../profile:1|target"), REFUSED);
	assert_int_equal(asked("process_exec:1|target"), REFUSED);
	assert_int_equal(asked("no_such:1|target"), REFUSED);
	assert_int_equal(asked(of_program("target_add|target")), 0);
	assert_int_equal(asked(of_program("target_ad|target")), REFUSED);
}

static void its_places(void **state)
{
	(void)state;
	assert_int_equal(asked("interval:1s|places"), 1);
	assert_int_equal(asked("profile:99|places"), sysconf(_SC_NPROCESSORS_ONLN));
	assert_int_equal(asked("profile:0|places"), 0);
	assert_int_equal(asked(of_program("target_a*|places")), 1);
}

static void what_is_at_a_path(void **state)
{
	(void)state;
	assert_int_equal(asked(of_program("target_add|args.a")), 0);
	assert_int_equal(asked(of_program("target_add|args.none")), REFUSED);
	assert_int_equal(asked(of_program("target_add|string.arg0")), 0);
	assert_int_equal(asked(of_program("target_add|string.arg9")), REFUSED);
	assert_int_equal(asked(of_file("types_dwarf-5", "types_rows|args.config.grid")), 1);
	assert_int_equal(asked(of_file("types_dwarf-5", "types_rows|args.config.grid[1]")), 0);
	assert_int_equal(asked(of_file("types_dwarf-5", "types_rows|args.config.grid[2]")),
			 REFUSED);
	/* An enum with more names than a message has room for: without them. */
	assert_int_equal(asked(of_file("types_dwarf-5", "types_huge|args.huge")), 0);
	assert_int_equal(asked("profile:99|args.a"), REFUSED);
	assert_int_equal(asked("profile:0|args.a"), REFUSED);
}

static void what_is_malformed(void **state)
{
	static const int cases[] = {0, 1, 2, 3, 4, 5, 7, 8, 10, 13};
	int before = open_fds();

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char name[32];

		snprintf(name, sizeof(name), "bad|%d", cases[i]);
		asked(name);
		if (strcmp(ended_how, "it sent a malformed message"))
			fail_msg("%s: '%s'", name, ended_how);
	}
	assert_int_equal(open_fds(), before);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_there_such_a_thing),
		cmocka_unit_test(its_places),
		cmocka_unit_test(what_is_at_a_path),
		cmocka_unit_test(what_is_malformed),
	};

	if (argc == 2 && !strcmp(argv[1], WORKER_NAME))
		return play_worker();
	return cmocka_run_group_tests_name("type_request", tests, NULL, NULL);
}
