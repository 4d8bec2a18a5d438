/* SPDX-License-Identifier: Apache-2.0 */
/* Sandboxed: what a child did in a sandbox.
 *
 * There is no way out of a sandbox, so each attempt is made in a child. Most of them stay root
 * there, and ask for what the kernel would grant root or refuse with another errno: EPERM can
 * only be the filter's. */
#ifndef MOONPROBE_TEST_SANDBOXED_H
#define MOONPROBE_TEST_SANDBOXED_H

#include "sandbox.h"

#include "test.h"

#include <sys/prctl.h>
#include <sys/wait.h>

static char inside[64], outside[64]; /* folders; only `inside` may be read */
static const char *const readable[] = {inside, "/nonexistent/folder"};

static struct sandbox_options options = {.folders = readable, .folder_count = 2};

static inline int sandbox_setup(void **state)
{
	(void)state;
	scratch_make(inside);
	scratch_make(outside);
	chmod(inside, 0777);
	chmod(outside, 0777);
	scratch_write(inside, "file", "in");
	scratch_write(outside, "file", "out");
	return 0;
}

static inline int sandbox_teardown(void **state)
{
	(void)state;
	scratch_remove(inside);
	scratch_remove(outside);
	return 0;
}

/* waitpid(2) status of a child that enters the sandbox and returns what attempt() does. */
static inline int status_in_sandbox(const struct sandbox_options *options,
				    long (*attempt)(const void *), const void *argument)
{
	struct error error;
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || sandbox_enter(options, &error))
			_exit(255);
		_exit(attempt(argument));
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static inline int in_sandbox(const struct sandbox_options *options, long (*attempt)(const void *),
			     const void *argument)
{
	int status = status_in_sandbox(options, attempt, argument);

	assert_true(WIFEXITED(status));
	assert_int_not_equal(WEXITSTATUS(status), 255);
	return WEXITSTATUS(status);
}

#endif
