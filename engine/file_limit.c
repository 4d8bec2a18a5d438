// SPDX-License-Identifier: Apache-2.0
#include "file_limit.h"

#include <stdbool.h>
#include <sys/resource.h>

static struct rlimit before;
static bool is_raised;

void file_limit_raise(void)
{
	struct rlimit limit;

	if (is_raised || getrlimit(RLIMIT_NOFILE, &before))
		return;
	limit = before;
	limit.rlim_cur = limit.rlim_max;
	is_raised = !setrlimit(RLIMIT_NOFILE, &limit);
}

void file_limit_give_back(void)
{
	if (is_raised)
		setrlimit(RLIMIT_NOFILE, &before);
}
