// SPDX-License-Identifier: Apache-2.0
#include "file_limit.h"

#include "command.h"
#include "host.h"
#include "test.h"

#include <sys/resource.h>
#include <sys/wait.h>

static struct error error;

static rlim_t soft(void)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	return limit.rlim_cur;
}

/* What `ulimit -n` says in a command that the host starts. */
static int of_a_command(void)
{
	char folder[64], line[256], text[64];
	struct command command;

	scratch_make(folder);
	snprintf(line, sizeof(line), "sh -c 'ulimit -n > %s/limit'", folder);
	assert_int_equal(command_hold(&command, line, &error), 0);
	assert_int_equal(command_go(&command, &error), 0);
	assert_int_equal(command_reap(&command), 0);
	scratch_read(scratch_path(folder, "limit"), text, sizeof(text));
	scratch_remove(folder);
	return atoi(text);
}

static void the_host_only_has_more(void **state)
{
	struct rlimit limit;
	struct host host;

	(void)state;
	getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_max <= 400)
		SKIP("no more than 400 descriptors are allowed here");
	limit.rlim_cur = 400;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	file_limit_give_back();
	assert_int_equal(soft(), 400); /* it was not raised: nothing to give back */
	assert_int_equal(host_open(&host, &error), 0);
	assert_int_equal(soft(), limit.rlim_max);
	file_limit_raise();
	assert_int_equal(of_a_command(), 400);
	assert_int_equal(soft(), limit.rlim_max);
	host_close(&host);
	file_limit_give_back();
	assert_int_equal(soft(), 400);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_host_only_has_more),
	};

	return cmocka_run_group_tests_name("file_limit", tests, NULL, NULL);
}
