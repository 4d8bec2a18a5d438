// SPDX-License-Identifier: Apache-2.0
/* child_start() runs this same executable with `-worker`: main() then plays a worker, which
 * does what the first message says. */
#include "child.h"

#include "test.h"
#include "worker.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#define MS 1000000ull

/* The worker's side. */

static void say(const char *text, double number)
{
	static struct message message;

	message_start(&message, text);
	message_number(&message, number);
	message_send(WORKER_SOCKET, &message);
}

static void send_bytes(size_t length)
{
	static char bytes[MESSAGE_BYTES + 1];
	ssize_t put = send(WORKER_SOCKET, bytes, length, 0);

	(void)put;
}

static void send_fd(int fd)
{
	static struct message message;

	message_start(&message, "fd");
	message_fd(&message, fd);
	message_send(WORKER_SOCKET, &message);
}

static int play_worker(void)
{
	static struct message message;
	const char *what = "";

	if (message_receive(WORKER_SOCKET, &message) != 1 || !message_next_text(&message, &what))
		return 9;
	if (!strcmp(what, "exit")) {
		double status = 0;

		message_next_number(&message, &status);
		return (int)status;
	}
	if (!strcmp(what, "count")) { /* many messages, then at once its end */
		for (int i = 0; i < 100; i++)
			say("number", i);
		return 3;
	}
	if (!strcmp(what, "too long")) {
		say("before", 0);
		send_bytes(MESSAGE_BYTES + 1);
		say("after", 0);
	}
	if (!strcmp(what, "empty"))
		send_bytes(0);
	if (!strcmp(what, "close"))
		close(WORKER_SOCKET);
	if (!strcmp(what, "fds"))
		for (int i = 0; i < 10; i++)
			send_fd(1);
	if (!strcmp(what, "look")) {
		sigset_t blocked;
		struct stat status;

		sigprocmask(SIG_SETMASK, NULL, &blocked);
		say("fds", open_fds());
		say("term", sigismember(&blocked, SIGTERM));
		say("null",
		    !fstat(0, &status) && S_ISCHR(status.st_mode) && read(0, &blocked, 1) == 0);
		return 0;
	}
	for (;;)
		pause();
}

/* The host's side. */

static struct loop *loop;
static struct child *child;
static struct message message; /* what is sent */

static struct {
	int messages, ends, status;
	bool ended_first; /* a message came after the end */
	char last[32];
	double number, sum;
	void (*then)(struct child *child);
} seen;

static void on_message(struct child *from, struct message *received)
{
	const char *name;

	assert_ptr_equal(child_owner(from), &seen);
	seen.messages++;
	seen.ended_first |= seen.ends > 0;
	seen.number = -1;
	if (message_next_text(received, &name))
		snprintf(seen.last, sizeof(seen.last), "%s", name);
	if (message_next_number(received, &seen.number))
		seen.sum += seen.number;
	if (seen.then)
		seen.then(from);
}

static void on_end(struct child *from, int status)
{
	seen.ends++;
	seen.status = status;
	child_close(from);
	child = NULL;
	loop_stop(loop);
}

static const struct child_events events = {.message = on_message, .ended = on_end};

static int fds_before;

static int setup(void **state)
{
	struct error error;

	(void)state;
	memset(&seen, 0, sizeof(seen));
	fds_before = open_fds();
	return loop_open(&loop) || child_start(&child, loop, &events, &seen, &error);
}

static int teardown(void **state)
{
	(void)state;
	child_close(child);
	child = NULL;
	loop_close(loop);
	assert_int_equal(open_fds(), fds_before);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* none is left, not even as a zombie */
	assert_int_equal(errno, ECHILD);
	return 0;
}

static void tell(const char *what, double number)
{
	message_start(&message, what);
	message_number(&message, number);
	assert_int_equal(child_send(child, &message), 0);
}

struct timeout {
	struct loop_source source;
	bool over;
};

static void on_timeout(struct loop_source *source)
{
	struct timeout *timeout = container_of(source, struct timeout, source);

	timer_read(source);
	timeout->over = true;
	loop_stop(loop);
}

/* Runs the loop until the child has ended or the time is over; true when it has ended. */
static bool run_for(uint64_t ns)
{
	struct timeout timeout = {.source.ready = on_timeout};

	assert_int_equal(timer_open(loop, &timeout.source), 0);
	timer_set(&timeout.source, ns);
	assert_int_equal(loop_run(loop), 0);
	loop_remove(loop, &timeout.source);
	close(timeout.source.fd);
	return !timeout.over;
}

/* What this process has used. */
static uint64_t cpu_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return time.tv_sec * 1000 * MS + time.tv_nsec;
}

static void its_status_is_told_once(void **state)
{
	(void)state;
	tell("exit", 7);
	assert_true(run_for(20000 * MS));
	assert_int_equal(seen.ends, 1);
	assert_int_equal(WEXITSTATUS(seen.status), 7);
	assert_int_equal(seen.messages, 0);
}

static void all_messages_come_before_its_end(void **state)
{
	(void)state;
	tell("count", 0);
	assert_true(run_for(20000 * MS));
	assert_int_equal(seen.messages, 100);
	assert_true(seen.sum == 99 * 100 / 2);
	assert_true(seen.number == 99); /* in order */
	assert_false(seen.ended_first);
	assert_int_equal(WEXITSTATUS(seen.status), 3);
}

static void a_pending_end_waits_for_the_messages(void **state)
{
	siginfo_t info;

	(void)state;
	tell("count", 0);
	/* Socket and pidfd are ready in the same batch. */
	assert_int_equal(waitid(P_PID, child_pid(child), &info, WEXITED | WNOWAIT), 0);
	assert_true(run_for(20000 * MS));
	assert_int_equal(seen.messages, 100);
	assert_false(seen.ended_first);
}

static double looked[3];

static void keep_looked(struct child *from)
{
	(void)from;
	looked[seen.messages - 1] = seen.number;
}

static void it_has_nothing_but_socket_and_output(void **state)
{
	(void)state;
	seen.then = keep_looked;
	tell("look", 0);
	assert_true(run_for(20000 * MS));
	assert_int_equal(seen.messages, 3);
	assert_true(looked[0] == 4); /* null, stdout, stderr, socket */
	assert_true(looked[1] == 0); /* SIGTERM is not blocked */
	assert_true(looked[2] == 1); /* stdin is /dev/null */
}

static int start_with_blocked_signals(void **state)
{
	sigset_t blocked;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	return setup(state);
}

static int unblock(void **state)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	return teardown(state);
}

static void a_kill_is_an_end(void **state)
{
	(void)state;
	child_kill(child);
	assert_true(run_for(20000 * MS));
	assert_int_equal(seen.ends, 1);
	assert_true(WIFSIGNALED(seen.status));
	assert_int_equal(WTERMSIG(seen.status), SIGKILL);
}

static void kill_it(struct child *from)
{
	child_kill(from);
}

static void nothing_is_heard_of_a_killed_one(void **state)
{
	siginfo_t info;

	(void)state;
	seen.then = kill_it;
	tell("count", 0);
	assert_int_equal(waitid(P_PID, child_pid(child), &info, WEXITED | WNOWAIT), 0);
	assert_true(run_for(20000 * MS));
	assert_int_equal(seen.messages, 1);
	assert_int_equal(seen.ends, 1);
}

static void a_packet_against_the_protocol_kills_it(void **state)
{
	(void)state;
	tell("too long", 0);
	assert_true(run_for(20000 * MS));
	assert_true(WIFSIGNALED(seen.status));
	assert_int_equal(WTERMSIG(seen.status), SIGKILL);
	assert_int_equal(seen.messages, 1);
	assert_string_equal(seen.last, "before"); /* what comes after is not trusted */
}

static void a_closed_socket_is_not_its_end(void **state)
{
	uint64_t before = cpu_ns();

	(void)state;
	tell("close", 0);
	assert_false(run_for(200 * MS));
	assert_in_range(cpu_ns() - before, 0, 100 * MS); /* the loop does not spin */
	assert_int_equal(seen.ends, 0);
	assert_int_equal(child_send(child, &message), -EPIPE);
}

static void an_empty_packet_does_no_harm(void **state)
{
	(void)state;
	tell("empty", 0);
	assert_false(run_for(100 * MS));
	assert_int_equal(seen.messages, 0);
	assert_int_equal(seen.ends, 0);
}

static void descriptors_nobody_takes_are_closed(void **state)
{
	int before = open_fds();

	(void)state;
	tell("fds", 0);
	assert_false(run_for(100 * MS));
	assert_int_equal(seen.messages, 10);
	assert_int_equal(open_fds(), before);
}

static void close_it(struct child *from)
{
	child_close(from);
	child = NULL;
	loop_stop(loop);
}

static void it_may_be_closed_while_its_message_is_handled(void **state)
{
	(void)state;
	seen.then = close_it;
	tell("count", 0);
	assert_true(run_for(20000 * MS));
	assert_int_equal(seen.messages, 1);
	assert_int_equal(seen.ends, 0);
}

static void also_while_its_end_is_waiting(void **state)
{
	siginfo_t info;

	(void)state;
	seen.then = close_it;
	tell("count", 0);
	assert_int_equal(waitid(P_PID, child_pid(child), &info, WEXITED | WNOWAIT), 0);
	assert_true(run_for(20000 * MS));
	assert_int_equal(seen.messages, 1);
	assert_int_equal(seen.ends, 0);
}

static void one_that_does_not_read_is_eagain(void **state)
{
	int sends = 0, err;

	(void)state;
	tell("sleep", 0);
	do {
		message_start(&message, "unread");
		err = child_send(child, &message);
	} while (!err && ++sends < 100000);
	assert_int_equal(err, -EAGAIN);
}

static void a_running_one_is_closed(void **state)
{
	pid_t pid = child_pid(child);

	(void)state;
	assert_true(pid > 0);
	child_close(child);
	child = NULL;
	child_close(NULL);
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(errno, ESRCH);
	assert_int_equal(seen.ends, 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(its_status_is_told_once, setup, teardown),
		cmocka_unit_test_setup_teardown(all_messages_come_before_its_end, setup, teardown),
		cmocka_unit_test_setup_teardown(a_pending_end_waits_for_the_messages, setup,
						teardown),
		cmocka_unit_test_setup_teardown(it_has_nothing_but_socket_and_output,
						start_with_blocked_signals, unblock),
		cmocka_unit_test_setup_teardown(a_kill_is_an_end, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_is_heard_of_a_killed_one, setup, teardown),
		cmocka_unit_test_setup_teardown(a_packet_against_the_protocol_kills_it, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_closed_socket_is_not_its_end, setup, teardown),
		cmocka_unit_test_setup_teardown(an_empty_packet_does_no_harm, setup, teardown),
		cmocka_unit_test_setup_teardown(descriptors_nobody_takes_are_closed, setup,
						teardown),
		cmocka_unit_test_setup_teardown(it_may_be_closed_while_its_message_is_handled,
						setup, teardown),
		cmocka_unit_test_setup_teardown(also_while_its_end_is_waiting, setup, teardown),
		cmocka_unit_test_setup_teardown(one_that_does_not_read_is_eagain, setup, teardown),
		cmocka_unit_test_setup_teardown(a_running_one_is_closed, setup, teardown),
	};

	if (argc > 1 && !strcmp(argv[1], WORKER_NAME))
		_exit(play_worker());
	return cmocka_run_group_tests_name("child", tests, NULL, NULL);
}
