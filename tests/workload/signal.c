// SPDX-License-Identifier: Apache-2.0
#include "workload.h"

#include <signal.h>
#include <unistd.h>

/* Each signal is answered before the next, or they would be merged into one. */
static int answer_pipe = -1;

static void answer(int signal_number)
{
	if (write(answer_pipe, "", 1) != 1)
		_exit(1);
	(void)signal_number;
}

static void run(char **arguments)
{
	long count = number(arguments[0]);
	int answers[2], hold[2];
	pid_t child;
	char byte;

	if (pipe(answers) || pipe(hold))
		die("pipe");
	answer_pipe = answers[1];
	child = fork_or_die();
	if (!child) {
		struct sigaction action = {.sa_handler = answer, .sa_flags = SA_RESTART};

		sigaction(SIGUSR1, &action, NULL);
		close(hold[1]);
		answer(0); /* ready */
		_exit(read(hold[0], &byte, 1) ? 1 : 0);
	}
	for (long i = 0; i <= count; i++) {
		if (read(answers[0], &byte, 1) != 1)
			die("the child's answer");
		if (i < count && kill(child, SIGUSR1))
			die("kill");
	}
	close(hold[1]);
	wait_for(child);
}

WORKLOADS({"signal", 1, "N", "N times SIGUSR1 to a child that handles it", run});
