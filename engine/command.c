// SPDX-License-Identifier: Apache-2.0
#include "command.h"

#include "file_limit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wordexp.h>

static void wait_and_exec(int go, int failed, char **argv)
{
	char byte;
	ssize_t got;
	sigset_t none;
	int err;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL); /* as the shell left it, and not as we need it */
	file_limit_give_back();
	got = read(go, &byte, 1);
	if (got != 1)
		_exit(0); /* the host ended first */
	execvp(argv[0], argv);
	err = errno;
	got = write(failed, &err, sizeof(err));
	_exit(127);
}

int command_hold(struct command *command, const char *line, struct error *error)
{
	wordexp_t words;
	int go[2], failed[2], err;

	command->pid = 0;
	command->line = line;
	switch (wordexp(line, &words, WRDE_NOCMD)) {
	case 0:
		break;
	case WRDE_BADCHAR:
	case WRDE_CMDSUB:
		return error_set(error, -EINVAL, "-c '%s': needs a shell; write -c 'sh -c \"...\"'",
				 line);
	default:
		return error_set(error, -EINVAL, "-c '%s': unbalanced quotes", line);
	}
	if (!words.we_wordc) {
		wordfree(&words);
		return error_set(error, -EINVAL, "-c: no command given");
	}
	if (pipe2(go, O_CLOEXEC)) {
		err = -errno;
		goto no_pipe;
	}
	if (pipe2(failed, O_CLOEXEC)) {
		err = -errno;
		close(go[0]);
		close(go[1]);
		goto no_pipe;
	}
	command->pid = fork();
	if (command->pid == 0) {
		close(go[1]);
		wait_and_exec(go[0], failed[1], words.we_wordv);
	}
	err = command->pid < 0 ? -errno : 0;
	close(go[0]);
	close(failed[1]);
	command->go_fd = go[1];
	command->failed_fd = failed[0];
no_pipe:
	wordfree(&words);
	if (!err)
		return 0;
	command->pid = 0;
	return error_set(error, err, "-c '%s': %s", line, strerror(-err));
}

bool command_waits(const struct command *command)
{
	return command->pid && command->go_fd >= 0;
}

int command_go(struct command *command, struct error *error)
{
	int failure = 0;
	ssize_t got = write(command->go_fd, "g", 1);

	/* The other end closes at exec, or says why there was none. */
	got = read(command->failed_fd, &failure, sizeof(failure));
	close(command->go_fd);
	close(command->failed_fd);
	command->go_fd = command->failed_fd = -1;
	if (got != sizeof(failure))
		return 0;
	return error_set(error, -failure, "-c '%s': cannot be run: %s", command->line,
			 strerror(failure));
}

int command_reap(struct command *command)
{
	int status = 0;

	waitpid(command->pid, &status, 0);
	command->pid = 0;
	return status;
}

void command_end(struct command *command)
{
	if (!command->pid)
		return;
	if (command_waits(command)) {
		close(command->go_fd); /* never started: reads the end of the pipe */
		close(command->failed_fd);
	} else {
		/* Politely first, and then not. */
		kill(command->pid, SIGTERM);
		for (int i = 0; i < 100; i++) {
			if (waitpid(command->pid, NULL, WNOHANG) == command->pid) {
				command->pid = 0;
				return;
			}
			usleep(20000);
		}
		kill(command->pid, SIGKILL);
	}
	command_reap(command);
}
