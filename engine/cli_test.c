// SPDX-License-Identifier: Apache-2.0
/* moonprobe test: runs *_test.lua files, each in a worker of its own, without a kernel side.
 *
 *   paths -> test_files.c -> for each: script.c, a worker in test mode -> TAP on stdout */
#include "command_line.h"
#include "loop.h"
#include "script.h"
#include "test_files.h"
#include "watch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tests {
	struct command_line line;
	char *words[6]; /* how the files are run; the workers' arguments */
	bool coverage, bench;
	bool used_any; /* any file */
	struct loop *watch_loop;
	struct watch *watch;
	/* Of the file that runs: */
	struct loop *loop;
	int status;
};

static void on_running(void *context)
{
	(void)context; /* nothing is attached */
}

static void on_ended(void *context, int status)
{
	struct tests *tests = context;

	tests->status = status;
	loop_stop(tests->loop);
}

static void on_used_file(void *context, const char *file)
{
	struct tests *tests = context;

	tests->used_any = true;
	if (tests->watch && watch_add(tests->watch, file))
		error_print("changes of %s cannot be watched", file);
}

static const struct script_events events = {
	.running = on_running,
	.ended = on_ended,
	.used_file = on_used_file,
};

static int run_file(struct tests *tests, const char *file)
{
	struct script_options options = tests->line.script;
	struct script *script = NULL;
	struct script_source source;
	struct error error;
	int err;

	fflush(stdout); /* the worker writes by itself */
	tests->status = STATUS_FAILED;
	options.name = file;
	err = script_source_find(&source, &options, &error);
	if (!err) {
		err = loop_open(&tests->loop);
		if (err)
			error_set(&error, err, "loop: %s", strerror(-err));
	}
	if (!err)
		err = script_open(&script, tests->loop, &options, &events, tests, &error);
	if (!err)
		err = script_start(script, &error);
	if (err) {
		error_print("%s", error.text);
		tests->status = STATUS_USAGE;
	} else {
		loop_run(tests->loop);
	}
	script_close(script);
	loop_close(tests->loop);
	tests->loop = NULL;
	return tests->status;
}

/* A path with a slash is never the name of a shipped tool. */
static int run_path(struct tests *tests, const struct test_file *one)
{
	char file[4096];
	int status;

	if (one->found)
		tests->words[tests->line.script.argc++] = "found";
	snprintf(file, sizeof(file), "%s%s", strchr(one->path, '/') ? "" : "./", one->path);
	status = run_file(tests, file);
	tests->line.script.argc -= one->found;
	return status;
}

/* The worst status of all. */
static int run_all(struct tests *tests, char *const *paths, int count)
{
	struct test_files files;
	struct error error;
	int status = STATUS_OK;

	if (test_files_find(&files, paths, count, &error)) {
		error_print("test: %s", error.text);
		test_files_clear(&files);
		return STATUS_USAGE;
	}
	if (files.count == 1) {
		status = run_path(tests, &files.list[0]);
		test_files_clear(&files);
		return status;
	}
	tests->line.script.argv = tests->words;
	tests->words[tests->line.script.argc++] = "nested";
	for (int i = 0; i < files.count; i++) {
		int one;

		printf("# Subtest: %s\n", files.list[i].path);
		one = run_path(tests, &files.list[i]);
		printf("%s %d - %s\n", one ? "not ok" : "ok", i + 1, files.list[i].path);
		if (one > status)
			status = one;
	}
	tests->line.script.argc--;
	printf("1..%d\n", files.count);
	fflush(stdout);
	test_files_clear(&files);
	return status;
}

static void on_changed(void *context)
{
	struct tests *tests = context;

	loop_stop(tests->watch_loop);
}

/* One round: what was loaded is watched from then on, so no change is missed. 0 or -errno. */
static int run_and_wait(struct tests *tests, char *const *paths, int count)
{
	int err = loop_open(&tests->watch_loop);

	if (!err)
		err = watch_open(&tests->watch, tests->watch_loop, on_changed, tests);
	if (!err) {
		run_all(tests, paths, count);
		if (tests->used_any)
			printf("# waiting for changes\n");
		fflush(stdout);
		err = tests->used_any ? loop_run(tests->watch_loop) : -ENOENT;
	}
	watch_close(tests->watch);
	loop_close(tests->watch_loop);
	tests->watch = NULL;
	tests->watch_loop = NULL;
	return err;
}

/* Ends by a signal, or when nothing can be watched. */
static int run_again_and_again(struct tests *tests, char *const *paths, int count)
{
	int err;

	do
		err = run_and_wait(tests, paths, count);
	while (!err);
	error_print("test: --watch: %s", strerror(-err));
	return STATUS_FAILED;
}

static const struct command_option
	option_update = {0, "update", NULL, "write golden files that differ, instead of failing",
			 offsetof(struct tests, line.script.update)},
	option_watching = {0, "watch", NULL,
			   "run again when a test changes, or a file that it loaded",
			   offsetof(struct tests, line.session.watching)},
	option_coverage = {0, "coverage", NULL, "tell which lines of the scripts have not run",
			   offsetof(struct tests, coverage)},
	option_bench = {0, "bench", NULL,
			"tell events/s and bytes of garbage per event, of the events fed",
			offsetof(struct tests, bench)};

/* The options as the workers' arguments. */
static void put_words(struct tests *tests)
{
	struct script_options *options = &tests->line.script;

	options->argv = tests->words;
	if (options->update)
		tests->words[options->argc++] = "update";
	if (tests->coverage)
		tests->words[options->argc++] = "coverage";
	if (tests->bench)
		tests->words[options->argc++] = "bench";
}

static int test_main(struct command_line *line)
{
	static char *const here[] = {"."};
	struct tests *tests = (struct tests *)line;
	char *const *paths = line->argc ? line->argv : here;
	int count = line->argc ? line->argc : 1;

	line->script.check = line->script.test = true;
	if (tests->coverage && tests->bench)
		return options_mistake(line,
				       "--coverage needs the compiler off, --bench needs it on");
	put_words(tests);
	setenv("TZ", "UTC0", 1); /* times of day are the same everywhere */
	return line->session.watching ? run_again_and_again(tests, paths, count)
				      : run_all(tests, paths, count);
}

const struct subcommand test_subcommand = {
	.name = "test",
	.summary = "run the tests of scripts, without privileges or a kernel",
	.operands = "[PATH...]",
	.options = {&option_update, &option_watching, &option_coverage, &option_bench,
		    &option_folder, &option_allow, &option_help},
	.about = "Runs test files, and all *_test.lua in folders and below (without PATH: here). "
		 "Each runs in a worker of its own: no privileges, no kernel, a clock that stands "
		 "still. The result is TAP, so prove(1) reads it; of several files each is a "
		 "subtest. What is found in a folder and does not require 'moonprobe.test' is "
		 "another runner's: skipped.",
	.more = "Exit status: 0 all passed, 1 something failed, 2 bad input.\n"
		"\n"
		"  moonprobe test                             # all below this folder\n"
		"  moonprobe test --watch watch_test.lua\n"
		"  prove --exec 'moonprobe test' scripts/*_test.lua\n"
		"\n"
		"A test: local test = require 'moonprobe.test'; see stdlib/test.lua, "
		"scripts/*_test.lua.",
	.line_bytes = sizeof(struct tests),
	.main = test_main,
};
