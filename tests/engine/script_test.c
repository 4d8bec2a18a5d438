// SPDX-License-Identifier: Apache-2.0
/* A script's plans, reloads and rollbacks on this kernel, as root. The test's own executable plays
 * the worker (main with `-worker`): what it does is chosen by the script's text, whose first word
 * is the version; what it saw it writes to a file of that name. The events are a child's calls of
 * getppid(2). */
#include "script.h"

#include "message.h"
#include "record.h"
#include "ring.h"
#include "stage.h"
#include "test.h"
#include "worker.h"

#include <bpf/bpf.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define ROOM 4096

/* The worker's side. */

static struct message message;
static FILE *seen;
static struct ring *ring;
static int ring_fd, map_fd = -1, generation;
static bool own[256]; /* generations: those of this version's bodies */

static const struct bpf_insn send_as_5[] = {START, SET(0, 5), EXIT};
static const struct bpf_insn count_and_send[] = {
	START, SET(7, 1), MAP_VALUE_AT(0, 0), ATOMIC(BPF_ADD, 1, 0, 7), SET(0, 5), EXIT};
static const struct bpf_insn write_event[] = {START, STORE_IMM(BPF_B, 6, 9, 0), SET(0, 1), EXIT};
static const struct bpf_insn beyond[] = {START, MAP_VALUE_AT(0, 0), LOAD(BPF_DW, 0, 1, 64), EXIT};

static int plan_fd(const struct bpf_insn *late, uint32_t count)
{
	const struct draft draft = {
		.maps = {{.kind = PLAN_VALUES,
			  .key_bytes = 4,
			  .value_bytes = 8,
			  .max_entries = 1,
			  .name = "count"}},
		.map_count = 1,
		.late = late,
		.late_count = count,
	};
	unsigned char file[ROOM];

	return memory_file(file, draft_write(&draft, file));
}

static void send_with(int fd)
{
	if (fd >= 0)
		message_fd(&message, fd);
	message_send(WORKER_SOCKET, &message);
	if (fd >= 0)
		close(fd);
}

static void send_plain(const char *name)
{
	message_start(&message, name);
	send_with(-1);
}

static double number(void)
{
	double value = -9;

	message_next_number(&message, &value);
	return value;
}

static const char *text(void)
{
	const char *value = "";

	message_next_text(&message, &value);
	return value;
}

static void declare(int fd)
{
	message_start(&message, "declare");
	message_text(&message, "syscall");
	message_text(&message, "knob");
	message_text(&message, "only_number");
	message_number(&message, SYS_getppid);
	message_text(&message, "field");
	message_text(&message, "pid");
	send_with(fd);
}

/* Takes `count` records of its own bodies, and tells their verdict. */
static void take_records(int count)
{
	int verdict = -1, taken = 0;

	for (int tries = 0; taken < count && tries < 3000; tries++) {
		size_t bytes = ring_ready(ring, 1);

		if (bytes) {
			struct ring_record *record =
				(void *)(ring->data + (ring->position & ring->mask));
			struct event_header *header = (void *)(record + 1);

			if (own[header->generation]) {
				verdict = (int)(header->stamp >> 24);
				taken++;
			}
			ring_release(ring, bytes);
		} else {
			usleep(1000);
		}
	}
	fprintf(seen, "%s verdict %d\n", taken == count ? "records" : "missing", verdict);
}

static uint64_t counted(void)
{
	uint64_t value = 0;

	bpf_map_lookup_elem(map_fd, &(uint32_t){0}, &value);
	return value;
}

static void on_stage(void)
{
	int index = (int)number(), accepted = (int)number();
	const char *why = text();

	fprintf(seen, "stage %d %d %s%s%d maps\n", index, accepted, why, *why ? ", " : "",
		message.fd_count);
	map_fd = message_take_fd(&message, 0);
}

static void on_run(void)
{
	double stopped_ns = number(), handled_until = number();

	number(); /* the time */
	number(); /* the newest slot */
	number(); /* slot */
	generation = (int)number();
	own[generation] = true;
	fprintf(seen, "run %d from %.0f, %d fds\n", stopped_ns > 0, handled_until,
		message.fd_count);
	message_close_fds(&message);
	ring_open(&ring, ring_fd, RING_BYTES);
	message_start(&message, "running");
	message_number(&message, stopped_ns > 0);
	send_with(-1);
}

static void restage(int fd)
{
	message_start(&message, "restage");
	message_number(&message, 0);
	send_with(fd);
}

static void on_restaged(void)
{
	int index = (int)number(), given = (int)number();

	const char *why = text();

	fprintf(seen, "restaged %d %s %s%s%d maps\n", index,
		given < 0	      ? "refused"
		: given == generation ? "not new"
				      : "taken",
		why, *why ? ", " : "", message.fd_count);
	message_close_fds(&message);
	/* Refused: what comes now is of a body that was not told. */
	for (int i = 0; i < 256; i++)
		own[i] = given >= 0 ? i == given : !own[i];
}

static void on_yield(void)
{
	/* Before the state is sent: the next version may end the script at once. */
	fprintf(seen, "yield\n");
	message_start(&message, "state");
	message_number(&message, 1e9);
	message_number(&message, 4242);
	send_with(memory_file("state", 5));
}

static void on_resume(void)
{
	ring_resume(ring);
	fprintf(seen, "resume\n");
}

/* Handles messages up to one of that name. The end of the script ends the worker. */
static void await(const char *wanted)
{
	const char *name = "";

	while (strcmp(name, wanted)) {
		char kept[16];

		if (message_receive(WORKER_SOCKET, &message) != 1)
			exit(9);
		snprintf(kept, sizeof(kept), "%s", text());
		name = !strcmp(kept, wanted) ? wanted : "";
		if (!strcmp(kept, "stage"))
			on_stage();
		else if (!strcmp(kept, "run"))
			on_run();
		else if (!strcmp(kept, "restaged"))
			on_restaged();
		else if (!strcmp(kept, "yield"))
			on_yield();
		else if (!strcmp(kept, "resume"))
			on_resume();
		else if (!strcmp(kept, "ping"))
			send_plain("pong");
		else if (!strcmp(kept, "finish"))
			exit(0);
	}
}

/* A word of the script: declares with a plan, asks for other stages, ..., or waits ("run!"). */
static void play_word(char *word)
{
	const struct {
		const char *word;
		const struct bpf_insn *late;
		uint32_t count;
	} plans[] = {
		{"counting", count_and_send, COUNT_OF(count_and_send)},
		{"passing", send_as_5, COUNT_OF(send_as_5)},
		{"writing", write_event, COUNT_OF(write_event)},
		{"beyond", beyond, COUNT_OF(beyond)},
	};
	size_t length = strlen(word);

	for (size_t i = 0; i < COUNT_OF(plans); i++) {
		if (!strcmp(word, plans[i].word))
			declare(plan_fd(plans[i].late, plans[i].count));
		else if (!strncmp(word, "re-", 3) && !strcmp(word + 3, plans[i].word))
			restage(plan_fd(plans[i].late, plans[i].count));
	}
	if (word[length - 1] == '!') {
		word[length - 1] = 0;
		await(word);
	} else if (!strcmp(word, "plain")) {
		declare(-1);
	} else if (!strcmp(word, "broken")) {
		declare(memory_file("plan", 4));
	} else if (!strcmp(word, "records")) {
		take_records(3);
	} else if (!strcmp(word, "counted")) {
		fprintf(seen, "counted %s\n", counted() >= 3 ? "enough" : "too little");
	} else if (!strcmp(word, "die")) {
		exit(3);
	} else if (!strcmp(word, "ready") || !strcmp(word, "stop")) {
		send_plain(word);
	}
}

static int play_worker(void)
{
	char script[200] = "", file[PATH_MAX], *word;
	const char *base;
	int source;

	if (message_receive(WORKER_SOCKET, &message) != 1)
		return 9;
	for (int i = 0; i < 4; i++)
		text(); /* start, name, file, format */
	for (int i = 0; i < 6; i++)
		number(); /* check, quiet, verbose, folders, ring bytes, CPUs */
	for (int i = 0; i < 3; i++)
		text(); /* grants, recording, how it is replayed */
	for (int folders = (int)number(); folders > 0; folders--)
		text();
	base = text();
	source = message_take_fd(&message, 0);
	ring_fd = message_take_fd(&message, 1);
	if (pread(source, script, sizeof(script) - 1, 0) <= 0)
		return 9;
	word = strtok(script, " \n");
	snprintf(file, sizeof(file), "%s-%s", base, word);
	seen = fopen(file, "we");
	if (!seen)
		return 9;
	setlinebuf(seen);
	fprintf(seen, "version %s\n", word);
	while ((word = strtok(NULL, " \n")))
		play_word(word);
	await("finish");
	return 0;
}

/* The host's side. */

static char folder[64];
static struct loop *loop;
static struct script *script;
static const char *next_text; /* the script becomes this when the first version runs */
static int status;

static void on_running(void *context)
{
	(void)context;
	if (!next_text)
		return;
	scratch_write(folder, "script", next_text);
	next_text = NULL;
	script_reload(script);
}

static void on_ended(void *context, int how)
{
	(void)context;
	status = how;
	loop_stop(loop);
}

static void on_used_file(void *context, const char *file)
{
	(void)context;
	(void)file;
}

static const struct script_events events = {
	.running = on_running,
	.ended = on_ended,
	.used_file = on_used_file,
};

/* Calls getppid(2) a few thousand times a second, until we end. */
static pid_t start_caller(void)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		syscall(SYS_getppid);
		usleep(200);
	}
}

/* Runs a script, and `next` after it when that is not NULL; what v1 saw, and then what v2 did. */
static const char *run(const char *first, const char *next)
{
	static char text_seen[4096];
	struct script_options options = SCRIPT_OPTIONS_PRESET;
	char file[PATH_MAX], out[PATH_MAX], *argv[] = {out};
	struct error error;
	int before;

	scratch_write(folder, "script", first);
	snprintf(file, sizeof(file), "%s", scratch_path(folder, "script"));
	snprintf(out, sizeof(out), "%s", scratch_path(folder, "seen"));
	next_text = next;
	options.name = "test";
	options.file = file;
	options.quiet = true;
	options.argc = 1;
	options.argv = argv;
	options.ring_bytes = RING_BYTES;
	before = open_fds();
	options.target_pid = start_caller();
	assert_int_equal(loop_open(&loop), 0);
	if (script_open(&script, loop, &options, &events, NULL, &error) ||
	    script_start(script, &error))
		fail_msg("%s", error.text);
	assert_int_equal(loop_run(loop), 0);
	script_close(script);
	loop_close(loop);
	kill(options.target_pid, SIGKILL);
	waitpid(options.target_pid, NULL, 0);
	assert_int_equal(open_fds(), before);
	scratch_read(scratch_path(folder, "seen-v1"), text_seen, sizeof(text_seen) / 2);
	if (next)
		scratch_read(scratch_path(folder, "seen-v2"), text_seen + strlen(text_seen),
			     sizeof(text_seen) / 2);
	return text_seen;
}

static int setup(void **state)
{
	(void)state;
	scratch_make(folder);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	scratch_remove(folder);
	return 0;
}

static void without_a_plan_the_worker_judges(void **state)
{
	(void)state;
	if (geteuid())
		SKIP("needs root");
	assert_string_equal(run("v1 plain ready run! records stop", NULL),
			    "version v1\nrun 0 from 0, 1 fds\nrecords verdict 255\n");
	assert_int_equal(status, 0);
}

static void stages_run_and_are_replaced(void **state)
{
	(void)state;
	if (geteuid())
		SKIP("needs root");
	/* The map has a name: new stages find in it what the old ones counted. */
	assert_string_equal(run("v1 counting ready run! records counted re-passing restaged! "
				"records counted re-writing restaged! records stop",
				NULL),
			    "version v1\nstage 0 1 1 maps\nrun 0 from 0, 1 fds\n"
			    "records verdict 5\ncounted enough\n"
			    "restaged 0 taken 1 maps\nrecords verdict 5\ncounted enough\n"
			    "restaged 0 refused probe syscall: late stage refused: instruction 1: "
			    "a store into the event outside its scratch byte, 0 maps\n"
			    "records verdict 255\n");
	assert_int_equal(status, 0);
}

static void plans_that_cannot_be_used(void **state)
{
	(void)state;
	if (geteuid())
		SKIP("needs root");
	assert_string_equal(run("v1 writing ready run! records stop", NULL),
			    "version v1\nstage 0 0 probe syscall: late stage refused: instruction "
			    "1: a store into the event outside its scratch byte, 0 maps\n"
			    "run 0 from 0, 1 fds\nrecords verdict 255\n");
	assert_string_equal(run("v1 broken ready run! records stop", NULL),
			    "version v1\nstage 0 0 the plan cannot be read: it is too short, "
			    "0 maps\nrun 0 from 0, 1 fds\nrecords verdict 255\n");
	assert_non_null(strstr(run("v1 beyond ready run! records stop", NULL),
			       DRAFT_TEXT ": the kernel refused the late stage made of it, at "
					  "instruction 3: "));
}

static void a_reload_hands_over(void **state)
{
	(void)state;
	if (geteuid())
		SKIP("needs root");
	/* The second one's stages do not count: what it finds is the first one's. */
	assert_string_equal(run("v1 counting ready run! records yield! finish!",
				"v2 passing ready run! records counted stop"),
			    "version v1\nstage 0 1 1 maps\nrun 0 from 0, 1 fds\nrecords verdict 5\n"
			    "yield\nversion v2\nstage 0 1 1 maps\nrun 1 from 4242, 2 fds\n"
			    "records verdict 5\ncounted enough\n");
	assert_int_equal(status, 0);
}

/* The old version finds its own body in the slots again. */
static void a_rollback_puts_the_old_stages_back(void **state)
{
	(void)state;
	if (geteuid())
		SKIP("needs root");
	assert_string_equal(run("v1 counting ready run! records yield! resume! records stop",
				"v2 plain ready run! die"),
			    "version v1\nstage 0 1 1 maps\nrun 0 from 0, 1 fds\nrecords verdict 5\n"
			    "yield\nresume\nrecords verdict 5\n"
			    "version v2\nrun 1 from 4242, 2 fds\n");
	assert_int_equal(status, 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_plan_the_worker_judges),
		cmocka_unit_test(stages_run_and_are_replaced),
		cmocka_unit_test(plans_that_cannot_be_used),
		cmocka_unit_test(a_reload_hands_over),
		cmocka_unit_test(a_rollback_puts_the_old_stages_back),
	};

	if (argc == 2 && !strcmp(argv[1], WORKER_NAME))
		return play_worker();
	return cmocka_run_group_tests_name("script", tests, setup, teardown);
}
