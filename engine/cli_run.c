// SPDX-License-Identifier: Apache-2.0
/* moonprobe run: one script, until it, its command, its process or the user ends it. */
#include "command.h"
#include "command_line.h"
#include "duration.h"
#include "follow.h"
#include "kernel_btf.h"
#include "loop.h"
#include "privilege.h"
#include "script.h"
#include "watch.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
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
	struct loop *loop;
	struct script *script;
	struct watch *watch;
	struct follow *follow;
	struct command command;
	struct search_path path;
	struct loop_source signals, deadline, traced_end;
	const char *name;
	pid_t target_pid;
	uint64_t for_ns;
	bool watching, json, started;
	int status;
};

static void on_signal(struct loop_source *source)
{
	struct run *run = container_of(source, struct run, signals);
	struct signalfd_siginfo signal;

	if (read(source->fd, &signal, sizeof(signal)) == sizeof(signal))
		script_finish(run->script);
}

static void on_deadline(struct loop_source *source)
{
	struct run *run = container_of(source, struct run, deadline);

	timer_read(source);
	script_finish(run->script);
}

static void on_traced_end(struct loop_source *source)
{
	struct run *run = container_of(source, struct run, traced_end);

	loop_remove(run->loop, source);
	if (run->command.pid)
		command_reap(&run->command);
	script_finish(run->script);
}

static void on_changed(void *context)
{
	struct run *run = context;
	struct error error;

	if (script_reload(run->script, &error))
		error_print("%s: %s; the running version stays", run->name, error.text);
}

static void on_used_file(void *context, const char *file)
{
	struct run *run = context;

	if (run->watch && watch_add(run->watch, file))
		error_print("%s: changes of %s cannot be watched", run->name, file);
}

static void on_running(void *context)
{
	struct run *run = context;
	struct error error;

	kernel_btf_release();
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

static void on_ended(void *context, int status)
{
	struct run *run = context;

	if (run->status == STATUS_OK)
		run->status = status;
	loop_stop(run->loop);
}

static const struct script_events script_events = {
	.running = on_running,
	.ended = on_ended,
	.used_file = on_used_file,
};

static int watch_end_of(struct run *run, pid_t pid, struct error *error)
{
	run->traced_end.ready = on_traced_end;
	run->traced_end.fd = syscall(SYS_pidfd_open, pid, 0);
	if (run->traced_end.fd < 0)
		return error_set(error, -errno, "process %d: %s", pid, strerror(errno));
	fcntl(run->traced_end.fd, F_SETFD, FD_CLOEXEC);
	return loop_add(run->loop, &run->traced_end);
}

static int catch_signals(struct run *run)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	run->signals.ready = on_signal;
	run->signals.fd = signalfd(-1, &signals, SFD_CLOEXEC);
	return run->signals.fd < 0 ? -errno : loop_add(run->loop, &run->signals);
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

/* Attaching needs privileges; say so before anything else fails in a stranger way. */
static int check_kernel(struct error *error)
{
	int err = privilege_check(error);

	if (!err && access("/sys/kernel/btf/vmlinux", R_OK))
		err = error_set(error, -ENOENT,
				"the kernel has no BTF (/sys/kernel/btf/vmlinux: %s); it needs "
				"CONFIG_DEBUG_INFO_BTF=y",
				strerror(errno));
	return err;
}

struct arguments {
	const char *pid, *command, *code, *output;
};

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
	if (!err && run->watching) {
		err = watch_open(&run->watch, run->loop, on_changed, run);
		if (err)
			error_set(error, err, "-w: %s", strerror(-err));
	}
	if (!err && arguments->command) {
		err = command_hold(&run->command, arguments->command, error);
		if (!err)
			err = follow_open(&run->follow, &run->path, run->command.pid, error);
		if (!err)
			options->targets_fd = follow_targets_fd(run->follow);
	}
	if (!err && (run->command.pid || run->target_pid))
		err = watch_end_of(run, run->command.pid ? run->command.pid : run->target_pid,
				   error);
	if (!err && catch_signals(run))
		err = error_set(error, -EIO, "signals: %s", strerror(errno));
	if (!err) {
		run->deadline.ready = on_deadline;
		err = timer_open(run->loop, &run->deadline);
	}
	return err;
}

static void run_close(struct run *run)
{
	script_close(run->script);
	follow_close(run->follow);
	command_end(&run->command);
	watch_close(run->watch);
	loop_close(run->loop);
	search_path_clear(&run->path);
}

static int run(struct run *run, const struct arguments *arguments, struct script_options *options)
{
	char file[4096] = "", folder[4096];
	struct error error;
	int err = loop_open(&run->loop);

	if (err) {
		error_print("loop: %s", strerror(-err));
		return STATUS_FAILED;
	}
	if (arguments->code) {
		options->text = arguments->code;
		folder_of("", folder, sizeof(folder));
		options->folder = folder;
	} else {
		err = find_script(&run->path, run->name, file, sizeof(file), &options->text,
				  &error);
		if (*file) {
			options->file = file;
			folder_of(file, folder, sizeof(folder));
			options->folder = folder;
		}
	}
	if (!err)
		err = prepare(run, arguments, options, &error);
	options->path = run->path;
	if (!err)
		err = script_open(&run->script, run->loop, options, &script_events, run, &error);
	if (!err)
		err = script_start(run->script, &error);
	if (err) {
		error_print("%s", error.text);
		run_close(run);
		return STATUS_USAGE;
	}
	kernel_btf_load(); /* meanwhile the worker starts */
	err = loop_run(run->loop);
	if (run->started && run->status != STATUS_USAGE)
		script_summary(run->script, run->follow ? follow_lost(run->follow) : 0, stdout);
	run_close(run);
	return err ? STATUS_FAILED : run->status;
}

static int run_main(int argc, char **argv)
{
	static const struct option long_options[] = {
		{"for", required_argument, NULL, 'F'},
		{"ring", required_argument, NULL, 'R'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct run state = {.signals.fd = -1, .deadline.fd = -1, .traced_end.fd = -1};
	struct script_options options = {.ring_bytes = RING_BYTES, .targets_fd = -1};
	struct arguments arguments = {0};
	int letter;

	opterr = 0;
	setup_path(&state.path);
	while ((letter = getopt_long(argc, argv, "+:p:c:e:f:o:I:wqvh", long_options, NULL)) != -1) {
		switch (letter) {
		case 'p':
			arguments.pid = optarg;
			break;
		case 'c':
			arguments.command = optarg;
			break;
		case 'e':
			arguments.code = optarg;
			break;
		case 'f':
			options.json = parse_format(optarg);
			break;
		case 'o':
			arguments.output = optarg;
			break;
		case 'I':
			if (search_path_add(&state.path, optarg)) {
				error_print("-I: more than %d folders", SEARCH_DIRS);
				return STATUS_USAGE;
			}
			break;
		case 'w':
			state.watching = true;
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
			if (size_parse(optarg, &options.ring_bytes) || options.ring_bytes < 4096 ||
			    options.ring_bytes > 1u << 30 ||
			    options.ring_bytes & (options.ring_bytes - 1)) {
				error_print("--ring %s: not a power of two from 4K to 1G", optarg);
				return STATUS_USAGE;
			}
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
	if (!arguments.code && optind == argc) {
		error_print("run: no script given; moonprobe run --help");
		return STATUS_USAGE;
	}
	state.name = arguments.code ? "-e" : argv[optind++];
	state.json = options.json;
	options.name = state.name;
	options.argc = argc - optind;
	options.argv = argv + optind;
	setup_libbpf(options.verbose);
	return run(&state, &arguments, &options);
}

const struct subcommand run_subcommand = {
	.name = "run",
	.summary = "run a script or a shipped tool",
	.main = run_main,
};
