// SPDX-License-Identifier: Apache-2.0
/* moonprobe doctor: tries what the engine needs, and tells what is refused and why.
 *
 * Each check is a small function that does the real thing (loads a program, makes a map,
 * forks a nobody) and a row of the table at the end: what it is, what for, how to get it. */
#include "command_line.h"
#include "hook.h"
#include "json.h"
#include "privilege.h"
#include "ring.h"
#include "sandbox.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

/* A check answers 0 (works) or -errno. `detail` says what was found or what went wrong. */
struct check {
	const char *name;
	const char *needed_for;
	const char *remedy;
	bool required;
	int (*try)(char *detail, size_t size);
};

static int read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0)
		return -errno;
	got = read(fd, text, size - 1);
	close(fd);
	if (got < 0)
		return -errno;
	text[got] = 0;
	text[strcspn(text, "\n")] = 0;
	return 0;
}

static int try_kernel(char *detail, size_t size)
{
	struct utsname name;
	int major = 0, minor = 0;

	uname(&name);
	snprintf(detail, size, "%s", name.release);
	sscanf(name.release, "%d.%d", &major, &minor);
	return major > 6 || (major == 6 && minor >= 1) ? 0 : -ENOSYS;
}

static int try_privileges(char *detail, size_t size)
{
	struct error error;
	int err = privilege_check(&error);

	snprintf(detail, size, "%s", err ? error.text : "CAP_BPF and CAP_PERFMON");
	return err;
}

static int try_btf(char *detail, size_t size)
{
	const char *path = "/sys/kernel/btf/vmlinux";

	snprintf(detail, size, "%s", path);
	return access(path, R_OK) ? -errno : 0;
}

static int try_jit(char *detail, size_t size)
{
	char text[16];
	int err = read_text("/proc/sys/net/core/bpf_jit_enable", text, sizeof(text));

	if (err == -ENOENT || err == -EACCES) {
		snprintf(detail, size, "cannot be read here; built in on most kernels");
		return 0;
	}
	snprintf(detail, size, "bpf_jit_enable is %s", err ? "unreadable" : text);
	return err ? err : text[0] == '0' ? -EOPNOTSUPP : 0;
}

static int try_tracefs(char *detail, size_t size)
{
	int fd = tracefs_open();

	if (fd < 0)
		return fd;
	close(fd);
	snprintf(detail, size, "%s",
		 access("/sys/kernel/tracing/events", X_OK) ? "mounted privately"
							    : "/sys/kernel/tracing");
	return 0;
}

/* The smallest program of a type: r0 = 0; exit. */
static int load(enum bpf_prog_type type, enum bpf_attach_type attach, const char *target)
{
	DECLARE_LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = attach);
	const struct bpf_insn code[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	int fd;

	if (target) {
		int id = libbpf_find_vmlinux_btf_id(target, attach);

		if (id < 0)
			return id;
		options.attach_btf_id = id;
	}
	fd = bpf_prog_load(type, "doctor", "Dual BSD/GPL", code, 2, &options);
	return fd < 0 ? -errno : fd;
}

/* Loads and attaches to a raw tracepoint that hardly ever fires. */
static int try_raw(enum bpf_prog_type type, enum bpf_attach_type attach, const char *target,
		   const char *name)
{
	int fd = load(type, attach, target), link, err = 0;

	if (fd < 0)
		return fd;
	link = bpf_raw_tracepoint_open(name, fd);
	if (link < 0)
		err = -errno;
	else
		close(link);
	close(fd);
	return err;
}

static int try_raw_tracepoint(char *detail, size_t size)
{
	snprintf(detail, size, "raw_tp");
	return try_raw(BPF_PROG_TYPE_RAW_TRACEPOINT, 0, NULL, "oom_score_adj_update");
}

static int try_btf_tracepoint(char *detail, size_t size)
{
	snprintf(detail, size, "tp_btf");
	return try_raw(BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP, "oom_score_adj_update", NULL);
}

static int try_fentry(char *detail, size_t size)
{
	snprintf(detail, size, "fentry and fexit");
	return try_raw(BPF_PROG_TYPE_TRACING, BPF_TRACE_FENTRY, "oom_score_adj_write", NULL);
}

static int try_lsm(char *detail, size_t size)
{
	char active[256] = "";

	read_text("/sys/kernel/security/lsm", active, sizeof(active));
	snprintf(detail, size, "%s%s", *active ? "active: " : "", active);
	if (*active && !strstr(active, "bpf"))
		return -EOPNOTSUPP;
	return try_raw(BPF_PROG_TYPE_LSM, BPF_LSM_MAC, "bpf", NULL);
}

static int try_perf_tracepoint(char *detail, size_t size)
{
	struct error error;
	const struct hook hook = {.section = "tp/oom/oom_score_adj_update"};
	int fd = load(BPF_PROG_TYPE_TRACEPOINT, 0, NULL), err;
	struct hook_links links;

	if (fd < 0)
		return fd;
	err = hook_attach(&hook, fd, &links, &error);
	close(fd);
	snprintf(detail, size, "%s", err ? error.text : "tp, through perf");
	hook_detach(&links);
	return err;
}

static int perf_type(const char *name)
{
	char path[128], text[16];

	snprintf(path, sizeof(path), "/sys/bus/event_source/devices/%s/type", name);
	return read_text(path, text, sizeof(text)) ? -ENOENT : (sscanf(text, "%d", &(int){0}), 0);
}

static int try_kprobe(char *detail, size_t size)
{
	snprintf(detail, size, "kprobe and kretprobe");
	return perf_type("kprobe");
}

static int try_uprobe(char *detail, size_t size)
{
	snprintf(detail, size, "uprobe, uretprobe, USDT");
	return perf_type("uprobe");
}

static int perf_open(uint32_t type, uint64_t config)
{
	struct perf_event_attr attr = {.type = type, .size = sizeof(attr), .config = config};
	int fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static int try_software_events(char *detail, size_t size)
{
	snprintf(detail, size, "cpu-clock");
	return perf_open(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK);
}

static int try_hardware_events(char *detail, size_t size)
{
	snprintf(detail, size, "cycles");
	return perf_open(PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES);
}

/* In the sandbox, a call that is not on its list has to be refused. */
static int in_sandbox(void)
{
	struct sandbox_options options = {0};
	struct error error;
	int err = privilege_drop();

	if (!err)
		err = sandbox_enter(&options, &error);
	if (!err && (socket(AF_INET, SOCK_STREAM, 0) >= 0 || errno != EPERM))
		err = -ENOSYS;
	return err;
}

static int try_seccomp(char *detail, size_t size)
{
	int status;
	pid_t pid = fork();

	snprintf(detail, size, "system calls of scripts are filtered");
	if (pid == 0)
		_exit(-in_sandbox());
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
}

static int try_landlock(char *detail, size_t size)
{
	int version = sandbox_landlock();

	if (version > 0)
		snprintf(detail, size, "version %d", version);
	return version < 0 ? version : 0;
}

/* As a worker would: without privileges, map a ring and read an array by descriptor. */
static int in_worker(int ring, int array)
{
	uint32_t key = 0;
	uint64_t value = 0;
	struct ring *view;
	int err = privilege_drop();

	if (!err)
		err = ring_open(&view, ring, 4096);
	if (!err && bpf_map_lookup_elem(array, &key, &value))
		err = -errno;
	return err;
}

static int try_worker(char *detail, size_t size)
{
	int ring = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "doctor", 0, 0, 4096, NULL);
	int array = bpf_map_create(BPF_MAP_TYPE_ARRAY, "doctor", 4, 8, 1, NULL);
	int status = 0, err = ring < 0 || array < 0 ? -errno : 0;
	pid_t pid;

	snprintf(detail, size, "ring mapped and map read without capabilities");
	if (!err) {
		pid = fork();
		if (pid == 0)
			_exit(-in_worker(ring, array));
		if (pid < 0 || waitpid(pid, &status, 0) < 0)
			err = -errno;
		else
			err = WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
	}
	if (ring >= 0)
		close(ring);
	if (array >= 0)
		close(array);
	return err;
}

static int try_cgroup(char *detail, size_t size)
{
	static const char *const usual[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
	struct statfs status;

	for (int i = 0; i < 2; i++)
		if (!statfs(usual[i], &status) && status.f_type == 0x63677270) {
			snprintf(detail, size, "%s", usual[i]);
			return 0;
		}
	return -ENOENT;
}

static const struct check checks[] = {
	{"kernel", "everything", "use Linux 6.1 or later", true, try_kernel},
	{"privileges", "loading and attaching", "run it as root or with CAP_BPF, CAP_PERFMON", true,
	 try_privileges},
	{"kernel BTF", "probes that fit this kernel", "a kernel with CONFIG_DEBUG_INFO_BTF=y", true,
	 try_btf},
	{"BPF JIT", "low overhead", "sysctl net.core.bpf_jit_enable=1", false, try_jit},
	{"tp_btf", "most probes", "a kernel with CONFIG_BPF_EVENTS=y and BTF", true,
	 try_btf_tracepoint},
	{"raw tracepoints", "probes without BTF types", "a kernel with CONFIG_BPF_EVENTS=y", false,
	 try_raw_tracepoint},
	{"tracefs", "tracepoints of system calls", "mount -t tracefs tracefs /sys/kernel/tracing",
	 false, try_tracefs},
	{"tracepoints", "file_open, tcp_accept, udp_message",
	 "CAP_PERFMON and kernel.perf_event_paranoid, or root", false, try_perf_tracepoint},
	{"unprivileged worker", "isolation of scripts",
	 "a kernel that lets map descriptors be used without CAP_BPF (5.19 and later)", true,
	 try_worker},
	{"seccomp", "isolation of scripts", "a kernel with CONFIG_SECCOMP_FILTER=y", true,
	 try_seccomp},
	{"Landlock", "keeping scripts from reading files outside their folders",
	 "a kernel with CONFIG_SECURITY_LANDLOCK=y, booted with lsm=landlock,...", false,
	 try_landlock},
	{"kprobes", "functions of the kernel", "a kernel with CONFIG_KPROBES=y", false, try_kprobe},
	{"fentry", "functions of the kernel, cheaply",
	 "a kernel with CONFIG_FUNCTION_TRACER=y and direct calls", false, try_fentry},
	{"uprobes", "functions of programs", "a kernel with CONFIG_UPROBES=y", false, try_uprobe},
	{"perf software events", "profiles", "kernel.perf_event_paranoid, or root", false,
	 try_software_events},
	{"perf hardware events", "cycles, cache misses", "a machine or VM with a PMU", false,
	 try_hardware_events},
	{"BPF LSM", "policies", "boot with lsm=...,bpf", false, try_lsm},
	{"cgroup v2", "limits by container", "mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified",
	 false, try_cgroup},
};

static void report(const struct check *check, int err, const char *detail, bool json)
{
	if (json) {
		printf("{\"check\":");
		json_text(stdout, check->name);
		printf(",\"works\":%s,\"required\":%s,\"detail\":", err ? "false" : "true",
		       check->required ? "true" : "false");
		json_text(stdout, detail);
		if (err) {
			printf(",\"reason\":");
			json_text(stdout, strerror(-err));
			printf(",\"needed_for\":");
			json_text(stdout, check->needed_for);
			printf(",\"remedy\":");
			json_text(stdout, check->remedy);
		}
		printf("}\n");
	} else if (!err) {
		printf("yes  %-21s %s\n", check->name, detail);
	} else {
		printf("%-4s %-21s %s%s%s\n", check->required ? "NO" : "no", check->name,
		       strerror(-err), *detail ? ": " : "", detail);
		printf("     %-21s needed for %s; to get it: %s\n", "", check->needed_for,
		       check->remedy);
	}
}

static int doctor_main(struct command_line *line)
{
	int missing = 0;

	if (line->argc)
		return options_mistake(line, "takes no arguments");
	for (size_t i = 0; i < sizeof(checks) / sizeof(*checks); i++) {
		char detail[512] = "";
		int err = checks[i].try(detail, sizeof(detail));

		report(&checks[i], err, detail, line->script.json);
		missing += err && checks[i].required;
	}
	if (!line->script.json)
		printf("\n%s\n",
		       missing ? "Probes cannot be run here." : "Probes can be run here.");
	return missing ? STATUS_FAILED : STATUS_OK;
}

const struct subcommand doctor_subcommand = {
	.name = "doctor",
	.summary = "tell what this kernel and these privileges allow",
	.operands = "",
	.options = {&option_format, &option_help},
	.about = "Tries what this kernel and these privileges allow. Every refused thing comes "
		 "with its reason and the way to get it.",
	.more = "Exit status: 0 probes can be run, 1 they cannot.",
	.main = doctor_main,
};
