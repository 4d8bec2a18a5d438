// SPDX-License-Identifier: Apache-2.0
/* A hostile worker against its host: whatever it sends, the host ends it or ignores it.
 *
 * The test's own executable plays the worker (main with `-worker`); what it does is chosen by
 * the script's name in the start message: "flood", "silent", or "fuzz-SEED". */
#include "version.h"

#include "kernel_side.h"
#include "message.h"
#include "test.h"
#include "worker.h"

#include <errno.h>
#include <sys/socket.h>

/* The worker's side. */

static uint32_t random_state;

static uint32_t random_number(uint32_t below)
{
	random_state = random_state * 1664525 + 1013904223;
	return (random_state >> 8) % below;
}

/* A message with the right words in the wrong places. */
static void random_message(struct message *message)
{
	/* The first are names of messages. */
	static const char *const words[] = {
		"asset",
		"module",
		"declare",
		"ready",
		"state",
		"pong",
		"running",
		"report",
		"stop",
		"stuck",
		"restage",
		"target",
		"places",
		"typed",
		"object",
		"load",
		"entry",
		"map",
		"inner",
		"stacks",
		"resolve",
		"find",
		"knob",
		"attach",
		"rodata",
		"entries",
		"id",
		"execs.bpf.o",
		"field",
		"process_exec",
		"../../etc/passwd",
		"stdlib/json.lua",
		"x.lua",
		"kprobe:vfs_read",
		"interval:1s",
		"args.file.f_inode",
		"late",
		"",
	};
	enum { NAMES = 22 };
	int values = random_number(12);

	message_start(message, words[random_number(NAMES)]);
	for (int i = 0; i < values; i++) {
		if (random_number(3))
			message_text(message, words[random_number(COUNT_OF(words))]);
		else
			message_number(message, (double)random_number(1u << 30) - (1 << 29));
	}
	if (!random_number(4))
		for (uint32_t i = random_number(5); i; i--)
			message_fd(message, random_number(3));
	/* And some of them broken. */
	if (!random_number(3) && message->length)
		for (uint32_t i = random_number(4); i; i--)
			message->bytes[random_number(message->length)] ^= 1 << random_number(8);
	if (!random_number(8))
		message->length = random_number(message->length + 1);
}

static int play_worker(void)
{
	static struct message message;
	const char *what = "";

	if (message_receive(WORKER_SOCKET, &message) != 1 || !message_next_text(&message, &what) ||
	    !message_next_text(&message, &what))
		return 9;
	if (!strcmp(what, "silent"))
		return 3;
	if (!strcmp(what, "flood")) {
		for (;;) {
			message_start(&message, "pong");
			if (message_send(WORKER_SOCKET, &message))
				return 4;
		}
	}
	random_state = (uint32_t)atoi(what + strlen("fuzz-"));
	for (int i = 0; i < 40; i++) {
		random_message(&message);
		if (message_send(WORKER_SOCKET, &message) == -EPIPE)
			break;
	}
	return 0;
}

/* The host's side. */

static struct loop *loop;
static int ended_code, state_fds;
static char ended_how[200];

static void on_event(struct version *version)
{
	assert_true(version->count <= KERNEL_SIDE_PROBES);
}

static void on_running(struct version *version, double pause_ns)
{
	(void)pause_ns;
	on_event(version);
}

static void on_yielded(struct version *version, const struct version_handover *handover)
{
	assert_true(handover->stopped_ns > 0 && handover->handled_until >= 0);
	on_event(version);
	if (handover->state_fd >= 0) {
		state_fds++;
		close(handover->state_fd);
	}
}

/* Never: it was not told to run. */
static void on_restage(struct version *version, int index)
{
	(void)version;
	fail_msg("declaration %d restaged before the start", index);
}

static void on_text(struct version *version, const char *text)
{
	assert_true(strlen(text) < MESSAGE_BYTES);
	on_event(version);
}

static void on_ended(struct version *version, int code, const char *how)
{
	ended_code = code;
	snprintf(ended_how, sizeof(ended_how), "%s", how ? how : "");
	version_close(version);
	loop_stop(loop);
}

static const struct version_events events = {
	.ready = on_event,
	.running = on_running,
	.yielded = on_yielded,
	.restage = on_restage,
	.wants_stop = on_event,
	.report = on_text,
	.used_file = on_text,
	.ended = on_ended,
};

static void meet(const char *name)
{
	struct script_options options = SCRIPT_OPTIONS_PRESET;
	struct version *version;
	struct error error;

	options.name = name;
	options.text = "-- nothing";
	options.folder = "build/tests/objects";
	options.allow = "object"; /* or half of the messages would be refused at once */
	assert_int_equal(loop_open(&loop), 0);
	assert_int_equal(version_start(&version, loop, &options, -1, -1, &events, NULL, &error), 0);
	assert_int_equal(loop_run(loop), 0);
	loop_close(loop);
}

static void one_that_says_nothing(void **state)
{
	(void)state;
	meet("silent");
	assert_int_equal(ended_code, 3);
	assert_string_equal(ended_how, "");
}

static void one_that_floods_is_ended(void **state)
{
	(void)state;
	meet("flood");
	assert_string_equal(ended_how, "it flooded its host with messages");
}

static void random_messages_do_no_harm(void **state)
{
	int before = open_fds(), malformed = 0;

	(void)state;
	for (int seed = 1; seed <= 300; seed++) {
		char name[32];

		snprintf(name, sizeof(name), "fuzz-%d", seed);
		meet(name);
		malformed += !strcmp(ended_how, "it sent a malformed message");
	}
	assert_true(malformed > 200); /* nearly all are found out */
	assert_int_equal(open_fds(), before);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_that_says_nothing),
		cmocka_unit_test(one_that_floods_is_ended),
		cmocka_unit_test(random_messages_do_no_harm),
	};

	if (argc == 2 && !strcmp(argv[1], WORKER_NAME))
		return play_worker();
	return cmocka_run_group_tests_name("version", tests, NULL, NULL);
}
