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
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
	"usage: moonprobe test [options] [PATH...]\n"
	"\n"
	"Runs test files, and all *_test.lua in folders and below (without PATH: here). Each\n"
	"runs in a worker of its own: no privileges, no kernel, a clock that stands still.\n"
	"The result is TAP, so prove(1) reads it; of several files each is a subtest.\n"
	"\n"
	"      --update    write golden files that differ, instead of failing\n"
	"      --watch     run again when a test changes, or a file that it loaded\n"
	"      --coverage  tell which lines of the scripts have not run\n"
	"      --bench     tell events/s and bytes of garbage per event, of the events fed\n"
	"  -I DIR          folder searched for scripts, modules, probes, stdlib files before the\n"
	"                  built-in ones; also MOONPROBE_PATH=DIR:DIR\n"
	"      --allow WHAT grant tests and scripts more: ffi, debug, os.execute, io.popen,\n"
	"                  package.loadlib; with commas between\n"
	"  -h              this help\n"
	"\n"
	"Exit status: 0 all passed, 1 something failed, 2 bad input.\n"
	"\n"
	"  moonprobe test                             # all below this folder\n"
	"  moonprobe test --watch watch_test.lua\n"
	"  prove --exec 'moonprobe test' scripts/*_test.lua\n"
	"\n"
	"A test: local test = require 'moonprobe.test'; see stdlib/test.lua, scripts/*_test.lua.\n";

struct tests {
	struct script_options options; /* of all */
	char *words[5];		       /* how the files are run; the workers' arguments */
	bool watching, used_any;       /* any file */
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
	struct script_options options = tests->options;
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
static int run_path(struct tests *tests, const char *path)
{
	char file[4096];

	if (strchr(path, '/'))
		return run_file(tests, path);
	snprintf(file, sizeof(file), "./%s", path);
	return run_file(tests, file);
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
		status = run_path(tests, files.paths[0]);
		test_files_clear(&files);
		return status;
	}
	tests->options.argv = tests->words;
	tests->words[tests->options.argc++] = "nested";
	for (int i = 0; i < files.count; i++) {
		int one;

		printf("# Subtest: %s\n", files.paths[i]);
		one = run_path(tests, files.paths[i]);
		printf("%s %d - %s\n", one ? "not ok" : "ok", i + 1, files.paths[i]);
		if (one > status)
			status = one;
	}
	tests->options.argc--;
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

static int take_options(struct tests *tests, int argc, char **argv)
{
	static const struct option long_options[] = {
		{"update", no_argument, NULL, 'u'},
		{"watch", no_argument, NULL, 'w'},
		{"coverage", no_argument, NULL, 'C'},
		{"bench", no_argument, NULL, 'B'},
		{"allow", required_argument, NULL, 'A'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	bool coverage = false, bench = false;
	int letter;

	opterr = 0;
	while ((letter = getopt_long(argc, argv, ":I:h", long_options, NULL)) != -1) {
		switch (letter) {
		case 'u':
			tests->options.update = true;
			break;
		case 'w':
			tests->watching = true;
			break;
		case 'C':
			coverage = true;
			break;
		case 'B':
			bench = true;
			break;
		case 'A':
			tests->options.allow = parse_allow(optarg);
			break;
		case 'I':
			if (search_path_add(&tests->options.path, optarg)) {
				error_print("-I: more than %d folders", SEARCH_DIRS);
				return STATUS_USAGE;
			}
			break;
		case 'h':
			fputs(help, stdout);
			exit(STATUS_OK);
		default:
			error_print("test: %s option %s; moonprobe test --help",
				    letter == ':' ? "no value for" : "unknown", argv[optind - 1]);
			return STATUS_USAGE;
		}
	}
	if (coverage && bench) {
		error_print("test: --coverage needs the compiler off, --bench needs it on");
		return STATUS_USAGE;
	}
	if (tests->options.update)
		tests->words[tests->options.argc++] = "update";
	if (coverage)
		tests->words[tests->options.argc++] = "coverage";
	if (bench)
		tests->words[tests->options.argc++] = "bench";
	tests->options.argv = tests->words;
	return STATUS_OK;
}

static int test_main(int argc, char **argv)
{
	static char *const here[] = {"."};
	struct tests tests = {.options = SCRIPT_OPTIONS_PRESET};
	char *const *paths;
	int status, count;

	tests.options.check = tests.options.test = true;
	setup_path(&tests.options.path);
	status = take_options(&tests, argc, argv);
	if (!status) {
		paths = optind < argc ? argv + optind : here;
		count = optind < argc ? argc - optind : 1;
		setup_libbpf(false);
		setenv("TZ", "UTC0", 1); /* times of day are the same everywhere */
		status = tests.watching ? run_again_and_again(&tests, paths, count)
					: run_all(&tests, paths, count);
	}
	search_path_clear(&tests.options.path);
	return status;
}

const struct subcommand test_subcommand = {
	.name = "test",
	.summary = "run the tests of scripts, without privileges or a kernel",
	.main = test_main,
};
