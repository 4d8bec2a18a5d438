// SPDX-License-Identifier: Apache-2.0
/* Whom the watchdog ends, and when. The looks come as fast as this test likes.
 *
 * The test's own executable plays the worker (main with `-worker`). The script's name says what it
 * does: it "computes" or "waits"; "stubbornly": an interrupt does not end it. */
#include "watchdog.h"

#include "kernel_side.h"
#include "message.h"
#include "test.h"
#include "version.h"
#include "worker.h"

#include <signal.h>

/* The worker's side. */

static int play_worker(void)
{
	static struct message message;
	const char *what = "";

	if (message_receive(WORKER_SOCKET, &message) != 1 || !message_next_text(&message, &what) ||
	    !message_next_text(&message, &what))
		return 9;
	if (strstr(what, "stubbornly"))
		signal(SIGUSR1, SIG_IGN);
	message_start(&message, "ready");
	if (message_send(WORKER_SOCKET, &message))
		return 9;
	for (volatile int turns = 0;;)
		if (strstr(what, "waits"))
			pause();
		else
			turns = !turns;
}

/* The host's side. */

static struct loop *loop;
static struct script_options options;
static struct watchdog watchdog;
static void (*looks)(struct version *version);
static char ended_how[100];

static void on_ready(struct version *version)
{
	char path[64], text[512] = "";

	/* It said so a moment before it waits. */
	snprintf(path, sizeof(path), "/proc/%d/stat", version_pid(version));
	for (int i = 0; strstr(options.name, "waits") && !strstr(text, ") S") && i < 5000; i++) {
		usleep(1000);
		scratch_read(path, text, sizeof(text));
	}
	looks(version);
}

static void on_ended(struct version *version, int code, const char *how)
{
	(void)code;
	snprintf(ended_how, sizeof(ended_how), "%s", how ? how : "");
	version_close(version);
	loop_stop(loop);
}

static const struct version_events events = {.ready = on_ready, .ended = on_ended};

/* Starts a worker of that kind, looks at it when it is ready, and tells how it ended. */
static const char *ended(const char *kind, void (*with)(struct version *version))
{
	struct version *version;
	struct error error;

	options = (struct script_options)SCRIPT_OPTIONS_PRESET;
	options.name = kind;
	options.text = "-- nothing";
	options.patience = 3;
	watchdog = (struct watchdog){0};
	looks = with;
	assert_int_equal(loop_open(&loop), 0);
	assert_int_equal(version_start(&version, loop, &options, -1, -1, &events, NULL, &error), 0);
	assert_int_equal(loop_run(loop), 0);
	loop_close(loop);
	return ended_how;
}

static void look(struct version *version, const char *overdue)
{
	const struct kernel_side kernel = {0};

	watchdog_active(&watchdog, version, &kernel, overdue);
}

/* Looks until so many pings have had no answer, but no more than so often; how often. */
static int looks_until(struct version *version, int unanswered, int most)
{
	int count = 0;

	while (version->unanswered < unanswered && count < most) {
		look(version, NULL);
		count++;
	}
	return count;
}

/* The same, for as long as it takes to compute so much. */
static void look_until(struct version *version, int unanswered)
{
	for (int i = 0; version->unanswered < unanswered && i < 10000; i++) {
		look(version, NULL);
		usleep(10000);
	}
	assert_int_equal(version->unanswered, unanswered);
}

static void look_until_interrupted(struct version *version)
{
	/* It had nothing to do, as far as one knows. */
	assert_int_equal(looks_until(version, 1, 20), 5);
	/* It has not computed since. */
	assert_int_equal(looks_until(version, 2, 20), 20);
	look_until(version, 3);
}

static void one_that_computes_is_interrupted(void **state)
{
	(void)state;
	assert_string_equal(ended("computes", look_until_interrupted),
			    "ended by signal 10, User defined signal 1");
}

static void look_until_killed(struct version *version)
{
	look_until(version, 3);
	assert_null(version->condemned);
	look_until(version, 4);
}

static void one_that_goes_on_is_killed(void **state)
{
	(void)state;
	assert_string_equal(ended("computes stubbornly", look_until_killed),
			    "hung in compiled code: it did not answer");
}

static void look_twenty_times(struct version *version)
{
	assert_int_equal(looks_until(version, 2, 20), 20);
	assert_int_equal(version->unanswered, 1);
	version_kill(version, "the end");
}

static void one_that_waits_is_not_hung(void **state)
{
	(void)state;
	assert_string_equal(ended("waits", look_twenty_times), "the end");
}

static void look_until_overdue(struct version *version)
{
	for (int i = 0; i < 10; i++)
		look(version, "not finished");
	assert_null(version->condemned);
	look(version, "not finished");
}

static void one_that_is_overdue_is_killed(void **state)
{
	(void)state;
	assert_string_equal(ended("waits", look_until_overdue), "not finished");
}

static void look_at_candidate(struct version *version, int seconds)
{
	watchdog_candidate(&watchdog, version);
	assert_int_equal(watchdog.loading, 0); /* it is ready */
	version->ready = false;
	for (int i = 0; i < seconds; i++)
		watchdog_candidate(&watchdog, version);
	assert_null(version->condemned);
	watchdog_candidate(&watchdog, version);
}

static void look_for_ten_seconds(struct version *version)
{
	look_at_candidate(version, 10);
}

static void look_for_a_minute(struct version *version)
{
	options.test = true;
	look_at_candidate(version, 60);
}

static void a_candidate_has_some_time_to_load(void **state)
{
	(void)state;
	assert_string_equal(ended("waits stubbornly", look_for_ten_seconds),
			    "it took more than 10 s to load");
	assert_string_equal(ended("waits stubbornly", look_for_a_minute),
			    "it took more than a minute");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_that_computes_is_interrupted),
		cmocka_unit_test(one_that_goes_on_is_killed),
		cmocka_unit_test(one_that_waits_is_not_hung),
		cmocka_unit_test(one_that_is_overdue_is_killed),
		cmocka_unit_test(a_candidate_has_some_time_to_load),
	};

	if (argc == 2 && !strcmp(argv[1], WORKER_NAME))
		return play_worker();
	return cmocka_run_group_tests_name("watchdog", tests, NULL, NULL);
}
