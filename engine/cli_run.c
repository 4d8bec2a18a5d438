// SPDX-License-Identifier: Apache-2.0
/* moonprobe run: one script, until it, its command, its process or the user ends it. */
#include "command.h"
#include "command_line.h"
#include "duration.h"
#include "follow.h"
#include "host.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char help[] =
	"usage: moonprobe run [options] SCRIPT [script options]\n"
	"       moonprobe run [options] -e 'LUA'\n"
	"\n"
	"Runs a script: a file, or a shipped tool by its name.\n"
	"\n"
	"  -p PID          only this process\n"
	"  -c 'CMD ARGS'   run the command, trace only it and its descendants, end with it\n"
	"  -e 'LUA'        the script itself; the functions of moonprobe are globals in it\n"
	"      --for TIME  end by itself after 500ms, 5s, 2m, 1h\n"
	"  -f text|json    format of the rows, json: one object a line\n"
	"  -o FILE         write the rows there instead of to stdout\n"
	"  -w              reload when the script or a module it uses changes on disk\n"
	"      --ring SIZE room for events that wait, a power of two (default 1M)\n"
	"  -I DIR          folder searched for modules, probes, stdlib files before the built-in\n"
	"                  ones; also MOONPROBE_PATH=DIR:DIR\n"
	"  -q              no headings, no closing summary\n"
	"  -v              messages of libbpf and the kernel's verifier\n"
	"  -h              this help; SCRIPT --help shows the script's options\n"
	"\n"
	"Rows go to stdout, everything else to stderr. Exit status: 0 ended as asked, 1 failed\n"
	"while running, 2 bad input.\n"
	"\n"
	"  moonprobe run execsnoop\n"
	"  moonprobe run -c 'make -j4' --for 1m -f json opensnoop\n"
	"  moonprobe run -e \"probe 'process_exec':count('comm'):every('1s')\"\n";

struct run {
	struct host host;
	struct follow *follow;
	struct command command;
	struct loop_source deadline, traced_end;
	pid_t target_pid;
	uint64_t for_ns;
	bool started;
	int status;
};

static void on_deadline(struct loop_source *source)
{
	struct run *run = container_of(source, struct run, deadline);

	timer_read(source);
	host_finish(&run->host);
}

static void on_traced_end(struct loop_source *source)
{
	struct run *run = container_of(source, struct run, traced_end);

	loop_remove(run->host.loop, source);
	if (run->command.pid)
		command_reap(&run->command);
	host_finish(&run->host);
}

static void on_running(void *context)
{
	struct run *run = context;
	struct error error;

	if (run->started)
		return;
	run->started = true;
	if (run->for_ns)
		timer_set(&run->deadline, run->for_ns);
	if (run->command.pid && command_go(&run->command, &error)) {
		error_print("%s", error.text);
		run->status = STATUS_USAGE;
	}
}

static int watch_end_of(struct run *run, pid_t pid, struct error *error)
{
	run->traced_end.fd = syscall(SYS_pidfd_open, pid, 0);
	if (run->traced_end.fd < 0)
		return error_set(error, -errno, "process %d: %s", pid, strerror(errno));
	fcntl(run->traced_end.fd, F_SETFD, FD_CLOEXEC);
	return loop_add(run->host.loop, &run->traced_end);
}

/* The kernel numbers threads and processes alike; programs know processes. */
static int parse_pid(const char *text, pid_t *pid, struct error *error)
{
	char path[64], line[128];
	char *end;
	long number = strtol(text, &end, 10);
	int group = 0;
	FILE *status;

	if (*end || !isdigit((unsigned char)*text) || number <= 0 || number > 1 << 22)
		return error_set(error, -EINVAL, "-p %s: not a process id", text);
	snprintf(path, sizeof(path), "/proc/%ld/status", number);
	status = fopen(path, "re");
	if (!status)
		return error_set(error, -ESRCH, "-p %ld: no such process", number);
	while (fgets(line, sizeof(line), status))
		if (sscanf(line, "Tgid: %d", &group) == 1)
			break;
	fclose(status);
	if (group != number)
		return error_set(error, -EINVAL, "-p %ld: is a thread of process %d; use -p %d",
				 number, group, group);
	*pid = (pid_t)number;
	return 0;
}

static int redirect(const char *file, struct error *error)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0)
		return error_set(error, -errno, "-o %s: %s", file, strerror(errno));
	close(fd);
	return 0;
}

struct arguments {
	const char *pid, *command, *output, *name;
	bool watching;
};

/* What is traced, and what ends the run. */
static int prepare(struct run *run, const struct arguments *arguments,
		   struct script_options *options, struct error *error)
{
	int err = 0;

	if (arguments->output)
		err = redirect(arguments->output, error);
	if (!err && arguments->pid)
		err = parse_pid(arguments->pid, &run->target_pid, error);
	options->target_pid = run->target_pid;
	if (!err)
		err = check_kernel(error);
	if (!err && arguments->command) {
		err = command_hold(&run->command, arguments->command, error);
		if (!err)
			err = follow_open(&run->follow, &options->path, run->command.pid, error);
		if (!err)
			options->targets_fd = follow_targets_fd(run->follow);
	}
	if (!err && (run->command.pid || run->target_pid))
		err = watch_end_of(run, run->command.pid ? run->command.pid : run->target_pid,
				   error);
	if (!err) {
		err = timer_open(run->host.loop, &run->deadline);
		if (err)
			error_set(error, err, "--for: %s", strerror(-err));
	}
	return err;
}

static int run(struct run *run, const struct arguments *arguments, struct script_options *options)
{
	struct script_source source; /* looked for first: a misspelt name needs no privileges */
	struct script_options found = *options;
	struct error error;
	int err = host_open(&run->host, &error), status = STATUS_USAGE;

	found.name = arguments->name;
	if (!err)
		err = script_source_find(&source, &found, &error);
	if (!err)
		err = prepare(run, arguments, options, &error);
	if (!err) {
		run->host.running = on_running;
		run->host.context = run;
		err = host_add(&run->host, arguments->name, options, arguments->watching, &error);
	}
	if (err) {
		error_print("%s", error.text);
	} else {
		status = host_run(&run->host);
		if (run->status)
			status = run->status;
		else
			host_summary(&run->host, run->follow ? follow_lost(run->follow) : 0,
				     stdout);
	}
	host_close(&run->host);
	follow_close(run->follow);
	command_end(&run->command);
	return status;
}

static int run_main(int argc, char **argv)
{
	static const struct option long_options[] = {
		{"for", required_argument, NULL, 'F'},
		{"ring", required_argument, NULL, 'R'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct run state = {
		.deadline = {.fd = -1, .ready = on_deadline},
		.traced_end = {.fd = -1, .ready = on_traced_end},
	};
	struct script_options options = SCRIPT_OPTIONS_PRESET;
	struct arguments arguments = {0};
	int letter;

	opterr = 0;
	setup_path(&options.path);
	while ((letter = getopt_long(argc, argv, "+:p:c:e:f:o:I:wqvh", long_options, NULL)) != -1) {
		switch (letter) {
		case 'p':
			arguments.pid = optarg;
			break;
		case 'c':
			arguments.command = optarg;
			break;
		case 'e':
			options.text = optarg;
			break;
		case 'f':
			options.json = parse_format(optarg);
			break;
		case 'o':
			arguments.output = optarg;
			break;
		case 'I':
			if (search_path_add(&options.path, optarg)) {
				error_print("-I: more than %d folders", SEARCH_DIRS);
				return STATUS_USAGE;
			}
			break;
		case 'w':
			arguments.watching = true;
			break;
		case 'q':
			options.quiet = true;
			break;
		case 'v':
			options.verbose = true;
			break;
		case 'F':
			if (duration_parse(optarg, &state.for_ns) || !state.for_ns) {
				error_print("--for %s: not a time; write 500ms, 5s, 2m or 1h",
					    optarg);
				return STATUS_USAGE;
			}
			break;
		case 'R':
			options.ring_bytes = parse_ring(optarg);
			break;
		case 'h':
			fputs(help, stdout);
			return STATUS_OK;
		case ':':
			error_print("run: option %s needs a value; moonprobe run --help",
				    argv[optind - 1]);
			return STATUS_USAGE;
		default:
			error_print("run: unknown option %s; moonprobe run --help",
				    argv[optind - 1]);
			return STATUS_USAGE;
		}
	}
	if (arguments.pid && arguments.command) {
		error_print("run: -p and -c exclude each other");
		return STATUS_USAGE;
	}
	if (!options.text && optind == argc) {
		error_print("run: no script given; moonprobe run --help");
		return STATUS_USAGE;
	}
	arguments.name = options.text ? "-e" : argv[optind++];
	options.argc = argc - optind;
	options.argv = argv + optind;
	setup_libbpf(options.verbose);
	letter = run(&state, &arguments, &options);
	search_path_clear(&options.path);
	return letter;
}

const struct subcommand run_subcommand = {
	.name = "run",
	.summary = "run a script or a shipped tool",
	.main = run_main,
};
