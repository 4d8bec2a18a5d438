// SPDX-License-Identifier: Apache-2.0
#include "workload.h"

#include <errno.h>
#include <pthread.h>

static void *do_nothing(void *unused)
{
	return unused;
}

static void run(char **arguments)
{
	for (long i = number(arguments[0]); i > 0; i--) {
		pthread_t thread;

		errno = pthread_create(&thread, NULL, do_nothing, NULL);
		if (errno)
			die("pthread_create");
		pthread_join(thread, NULL);
	}
}

WORKLOADS({"threads", 1, "N", "N threads, one after the other", run});
