// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "command_line.h"
#include "loop.h"
#include "script.h"

#include <string.h>

struct check {
	struct loop *loop;
	int status;
};

static void on_running(void *context)
{
	(void)context; /* a checked script is never run */
}

static void on_ended(void *context, int status)
{
	struct check *check = context;

	check->status = status;
	loop_stop(check->loop);
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

int check_script(const struct script_options *options)
{
	struct check check = {0};
	struct script *script = NULL;
	struct error error;
	int err = loop_open(&check.loop);

	if (err)
		error_set(&error, err, "loop: %s", strerror(-err));
	else
		err = script_open(&script, check.loop, options, &events, &check, &error);
	if (!err)
		err = script_start(script, &error);
	if (err) {
		error_print("%s", error.text);
		check.status = STATUS_USAGE;
	} else {
		loop_run(check.loop);
	}
	script_close(script);
	loop_close(check.loop);
	return check.status;
}
