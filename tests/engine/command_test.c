// SPDX-License-Identifier: Apache-2.0
#include "command.h"

#include "test.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

static char folder[64];

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

/* Runs a script of ours with the words of `line`; what the script wrote to `out`. */
static void assert_words(const char *line, const char *expected)
{
	struct command command;
	struct error error;
	char text[256], whole[PATH_MAX + 256];

	scratch_write(folder, "show",
		      "#!/bin/sh\nfor word; do echo \"<$word>\"; done >${0%/*}/out\n");
	chmod(scratch_path(folder, "show"), 0755);
	snprintf(whole, sizeof(whole), "%s/show %s", folder, line);
	if (command_hold(&command, whole, &error))
		fail_msg("%s", error.text);
	assert_int_equal(command_go(&command, &error), 0);
	assert_int_equal(command_reap(&command), 0);
	scratch_read(scratch_path(folder, "out"), text, sizeof(text));
	for (char *at = text; (at = strstr(at, ">\n<"));)
		memmove(at + 1, at + 2, strlen(at + 2) + 1);
	assert_string_equal(text, expected);
}

static void words_are_split_as_the_shell_does(void **state)
{
	(void)state;
	assert_words("", "");
	assert_words("one  two\tthree", "<one><two><three>\n");
	assert_words("'a b' \"c d\" e\\ f", "<a b><c d><e f>\n");
	assert_words("'a;b|c>d&(e)' '$HOME' '`x`'", "<a;b|c>d&(e)><$HOME><`x`>\n");
	assert_words("\"it's\" 'say \"hi\"' ''", "<it's><say \"hi\"><>\n");
}

static void variables_and_patterns(void **state)
{
	char line[256], expected[256];

	(void)state;
	setenv("MOONPROBE_TEST_WORD", "two words", 1);
	setenv("HOME", "/home/somebody", 1);
	assert_words("\"$MOONPROBE_TEST_WORD\" ~", "<two words></home/somebody>\n");
	assert_words("$MOONPROBE_TEST_WORD", "<two><words>\n");
	assert_words("$MOONPROBE_TEST_NONE x", "<x>\n");
	scratch_write(folder, "b.log", "");
	scratch_write(folder, "a.log", "");
	snprintf(line, sizeof(line), "%s/*.log '*'", folder);
	snprintf(expected, sizeof(expected), "<%s/a.log><%s/b.log><*>\n", folder, folder);
	assert_words(line, expected);
}

static void assert_not_held(const char *line, const char *message)
{
	int before = open_fds();
	struct command command = {.pid = 77};
	struct error error;

	assert_int_equal(command_hold(&command, line, &error), -EINVAL);
	if (!strstr(error.text, message))
		fail_msg("'%s' is not '%s'", error.text, message);
	assert_int_equal(command.pid, 0);
	command_end(&command); /* nothing to end */
	assert_int_equal(open_fds(), before);
}

static void what_needs_a_shell(void **state)
{
	static const char *const lines[] = {
		"ls | wc", "ls > /tmp/x", "ls < x",	  "a && b",	      "a; b", "a &", "(ls)",
		"{ ls; }", "echo `date`", "echo $(date)", "echo \"$(date)\"", "a\nb",
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(lines); i++)
		assert_not_held(lines[i], "needs a shell; write -c 'sh -c");
}

static void what_is_no_command(void **state)
{
	(void)state;
	assert_not_held("", "no command given");
	assert_not_held("  \t", "no command given");
	assert_not_held("$MOONPROBE_TEST_NONE", "no command given");
	assert_not_held("echo 'open", "unbalanced quotes");
	assert_not_held("echo \"open", "unbalanced quotes");
}

static void it_waits_until_it_may_go(void **state)
{
	struct timespec time = {.tv_nsec = 50000000};
	struct command command;
	struct error error;
	char line[256];

	(void)state;
	snprintf(line, sizeof(line), "touch %s/ran", folder);
	assert_int_equal(command_hold(&command, line, &error), 0);
	assert_true(command.pid > 0);
	nanosleep(&time, NULL);
	assert_int_equal(access(scratch_path(folder, "ran"), F_OK), -1);
	assert_int_equal(command_go(&command, &error), 0);
	assert_int_equal(command_reap(&command), 0);
	assert_int_equal(access(scratch_path(folder, "ran"), F_OK), 0);
	assert_int_equal(command.pid, 0);
}

static void its_pid_is_that_of_the_program(void **state)
{
	struct command command;
	struct error error;
	char line[256], pid[32], expected[32];

	(void)state;
	snprintf(line, sizeof(line), "sh -c 'echo $$ > %s/pid'", folder);
	assert_int_equal(command_hold(&command, line, &error), 0);
	snprintf(expected, sizeof(expected), "%d\n", command.pid);
	assert_int_equal(command_go(&command, &error), 0);
	assert_int_equal(command_reap(&command), 0);
	scratch_read(scratch_path(folder, "pid"), pid, sizeof(pid));
	assert_string_equal(pid, expected);
}

static void its_status_is_told(void **state)
{
	struct command command;
	struct error error;
	int status;

	(void)state;
	assert_int_equal(command_hold(&command, "sh -c 'exit 3'", &error), 0);
	assert_int_equal(command_go(&command, &error), 0);
	assert_int_equal(WEXITSTATUS(command_reap(&command)), 3);
	assert_int_equal(command_hold(&command, "sh -c 'kill -9 $$'", &error), 0);
	assert_int_equal(command_go(&command, &error), 0);
	status = command_reap(&command);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
}

static void a_command_that_cannot_be_run(void **state)
{
	static const struct {
		const char *line;
		int err;
	} cases[] = {
		{"/no/such/file", -ENOENT},
		{"moonprobe-test-no-such-command", -ENOENT},
		{"/etc/passwd", -EACCES},
		{"/tmp", -EACCES},
	};

	(void)state;
	setenv("PATH", "/usr/bin:/bin", 1); /* a folder one may not enter gives EACCES */
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		int before = open_fds();
		struct command command;
		struct error error = {0};

		assert_int_equal(command_hold(&command, cases[i].line, &error), 0);
		assert_int_equal(command_go(&command, &error), cases[i].err);
		assert_non_null(strstr(error.text, strerror(-cases[i].err)));
		assert_int_equal(WEXITSTATUS(command_reap(&command)), 127);
		assert_int_equal(open_fds(), before);
	}
}

static void one_that_never_went_is_ended(void **state)
{
	int before = open_fds();
	struct command command;
	struct error error;
	char line[256];
	pid_t pid;

	(void)state;
	snprintf(line, sizeof(line), "touch %s/ran", folder);
	assert_int_equal(command_hold(&command, line, &error), 0);
	pid = command.pid;
	command_end(&command);
	assert_int_equal(command.pid, 0);
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(errno, ESRCH);
	assert_int_equal(access(scratch_path(folder, "ran"), F_OK), -1);
	assert_int_equal(open_fds(), before);
	command_end(&command); /* again is fine */
}

static void one_that_runs_is_ended(void **state)
{
	struct command command;
	struct error error;
	sigset_t blocked, old;
	pid_t pid;

	(void)state;
	/* The host blocks signals; the command must not inherit that. */
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigprocmask(SIG_BLOCK, &blocked, &old);
	assert_int_equal(command_hold(&command, "sleep 1000", &error), 0);
	pid = command.pid;
	assert_int_equal(command_go(&command, &error), 0);
	command_end(&command);
	sigprocmask(SIG_SETMASK, &old, NULL);
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(errno, ESRCH);
}

static void one_that_was_killed_while_it_waited(void **state)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN}, old;
	struct command command;
	struct error error;
	siginfo_t info;

	(void)state;
	sigaction(SIGPIPE, &ignore, &old); /* as the host does */
	assert_int_equal(command_hold(&command, "true", &error), 0);
	kill(command.pid, SIGKILL);
	assert_int_equal(waitid(P_PID, command.pid, &info, WEXITED | WNOWAIT), 0);
	command_go(&command, &error); /* must not wait */
	assert_true(WIFSIGNALED(command_reap(&command)));
	sigaction(SIGPIPE, &old, NULL);
}

static void it_inherits_no_descriptors(void **state)
{
	struct command command;
	struct error error;
	char line[256], with[512], without[512];

	(void)state;
	/* The same as a child of system(3) has, that is what this process was started with. */
	snprintf(line, sizeof(line), "sh -c 'ls /proc/$$/fd > %s/fds'", folder);
	assert_int_equal(system(line), 0);
	scratch_read(scratch_path(folder, "fds"), without, sizeof(without));
	assert_int_equal(command_hold(&command, line, &error), 0);
	assert_int_equal(command_go(&command, &error), 0);
	assert_int_equal(command_reap(&command), 0);
	scratch_read(scratch_path(folder, "fds"), with, sizeof(with));
	assert_string_equal(with, without);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(words_are_split_as_the_shell_does, setup, teardown),
		cmocka_unit_test_setup_teardown(variables_and_patterns, setup, teardown),
		cmocka_unit_test(what_needs_a_shell),
		cmocka_unit_test(what_is_no_command),
		cmocka_unit_test_setup_teardown(it_waits_until_it_may_go, setup, teardown),
		cmocka_unit_test_setup_teardown(its_pid_is_that_of_the_program, setup, teardown),
		cmocka_unit_test(its_status_is_told),
		cmocka_unit_test(a_command_that_cannot_be_run),
		cmocka_unit_test_setup_teardown(one_that_never_went_is_ended, setup, teardown),
		cmocka_unit_test(one_that_runs_is_ended),
		cmocka_unit_test(one_that_was_killed_while_it_waited),
		cmocka_unit_test_setup_teardown(it_inherits_no_descriptors, setup, teardown),
	};

	return cmocka_run_group_tests_name("command", tests, NULL, NULL);
}
