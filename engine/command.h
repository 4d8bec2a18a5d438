/* SPDX-License-Identifier: Apache-2.0 */
/* Command: the program of `-c`, held at its start until the probes are attached. */
#ifndef MOONPROBE_COMMAND_H
#define MOONPROBE_COMMAND_H

#include "error.h"

#include <stdbool.h>
#include <sys/types.h>

struct command {
	pid_t pid; /* 0: not running */
	const char *line;
	int go_fd, failed_fd;
};

/* Forks a process that waits. Words are split as the shell does (quotes, variables, ~ and
 * patterns), but nothing is run to do so. 0 or -errno with the reason. */
int command_hold(struct command *command, const char *line, struct error *error);
bool command_waits(const struct command *command);
int command_go(struct command *command, struct error *error); /* -errno when exec failed */
int command_reap(struct command *command);		      /* waitpid(2) status */
void command_end(struct command *command); /* ends one that still runs or waits */

#endif
