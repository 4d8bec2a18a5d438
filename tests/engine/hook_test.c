// SPDX-License-Identifier: Apache-2.0
/* Hooks of every kind, on this kernel, as root: dispatchers whose body counts the calls of this
 * process only. Where the kernel lacks a kind the test says so, and asks for its reason. */
#include "hook.h"

#include "perf_pmu.h"
#include "target.h"
#include "template.h"
#include "test.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>

#define UPROBE_MULTI 48 /* BPF_TRACE_UPROBE_MULTI, of newer headers */

static struct error error;
static struct target target;
static int counter_fd;

static int setup(void **state)
{
	(void)state;
	memset(&target, 0, sizeof(target));
	strcpy(target.name, "test:target");
	target.text = target.name + 5;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (int i = 0; i < target.place_count; i++) {
		free(target.places[i].name);
		free(target.places[i].symbol);
	}
	free(target.places);
	return 0;
}

/* Counts what happens in this process, or in all; r1 is not looked at. */
static int counting_program(enum bpf_prog_type type, int attach_type, bool all)
{
	const struct bpf_insn code[] = {
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_get_current_pid_tgid},
		{.code = BPF_ALU64 | BPF_RSH | BPF_K, .dst_reg = BPF_REG_0, .imm = 32},
		{.code = BPF_JMP | (all ? BPF_JA : BPF_JNE) | BPF_K,
		 .dst_reg = all ? 0 : BPF_REG_0,
		 .imm = all ? 0 : getpid(),
		 .off = all ? 0 : 4},
		{.code = BPF_LD | BPF_DW | BPF_IMM,
		 .dst_reg = BPF_REG_1,
		 .src_reg = BPF_PSEUDO_MAP_VALUE,
		 .imm = counter_fd},
		{0},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2, .imm = 1},
		{.code = BPF_STX | BPF_ATOMIC | BPF_DW,
		 .dst_reg = BPF_REG_1,
		 .src_reg = BPF_REG_2,
		 .imm = BPF_ADD},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	DECLARE_LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = attach_type);
	int fd = bpf_prog_load(type, "count", "Dual BSD/GPL", code, COUNT_OF(code), &options);

	assert_true(fd >= 0);
	return fd;
}

static uint64_t counted(void)
{
	uint64_t value = 0, zero = 0;
	uint32_t first = 0;

	bpf_map_lookup_elem(counter_fd, &first, &value);
	bpf_map_update_elem(counter_fd, &first, &zero, BPF_ANY);
	return value;
}

/* A dispatcher of that type, with the counting program in its slot. */
static int dispatcher(enum bpf_prog_type type, int attach_type, bool all)
{
	const struct template_program body = {
		.name = "test", .type = type, .attach_type = attach_type};
	int slot = bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, "slot", 4, 4, 1, NULL);
	int counting = counting_program(type, attach_type, all);
	int fd = hook_dispatcher(&body, slot, &error);

	if (fd < 0)
		fail_msg("%s", error.text);
	assert_int_equal(bpf_map_update_elem(slot, &(uint32_t){0}, &counting, BPF_ANY), 0);
	close(counting);
	/* Without a descriptor of it a program array is emptied: it has to outlive the test. */
	return fcntl(slot, F_DUPFD_CLOEXEC, 900) < 0 ? -1 : (close(slot), fd);
}

static void close_slots(void)
{
	syscall(SYS_close_range, 900, ~0u, 0);
}

static void unknown_kinds(void **state)
{
	static const char *const sections[] = {"",     "/", "kprob", "kprobes", "kprobe.multi2",
					       "xdp/x"};
	struct hook_links links;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(sections); i++) {
		struct hook hook = {sections[i], &target, 0};

		assert_int_equal(hook_exists(&hook, &error), -EINVAL);
		assert_int_equal(hook_prepare(&hook, NULL, &error), -EINVAL);
		assert_int_equal(hook_attach(&hook, -1, &links, &error), -EINVAL);
		assert_int_equal(links.count, 0);
		assert_non_null(strstr(error.text, "unknown kind of hook"));
	}
}

static void what_the_kernel_lacks_is_told(void **state)
{
	static const char *const sections[] = {"kprobe",	  "kretprobe",	     "kprobe.multi",
					       "kretprobe.multi", "uprobe",	     "uretprobe",
					       "uprobe.multi",	  "uretprobe.multi", "fentry",
					       "fexit",		  "perf_event"};
	int before = open_fds();

	(void)state;
	if (geteuid())
		SKIP("needs root");
	for (size_t i = 0; i < COUNT_OF(sections); i++) {
		struct hook hook = {sections[i], NULL, 0};
		int err;

		error.text[0] = 0;
		err = hook_exists(&hook, &error);
		print_message("# %s: %s\n", sections[i], err ? error.text : "yes");
		if (err && !*error.text)
			fail_msg("%s: no reason", sections[i]);
	}
	assert_int_equal(hook_exists(&(struct hook){"tp_btf/no_such", NULL, 0}, &error), -ENOENT);
	assert_non_null(strstr(error.text, "no_such"));
	assert_int_equal(hook_exists(&(struct hook){"raw_tp/no_such", NULL, 0}, &error), -ENOENT);
	assert_int_equal(hook_exists(&(struct hook){"tp/no/such", NULL, 0}, &error), -ENOENT);
	assert_int_equal(hook_exists(&(struct hook){"tp/sched/sched_switch", NULL, 0}, &error), 0);
	assert_int_equal(open_fds(), before);
}

static void call_times(int times)
{
	while (times--)
		syscall(SYS_getppid);
}

static void tracepoints(void **state)
{
	struct hook hook = {"raw_tp/sys_enter", NULL, 0};
	struct hook_links links;
	int before = open_fds(), program;

	(void)state;
	if (geteuid())
		SKIP("needs root");
	program = dispatcher(BPF_PROG_TYPE_RAW_TRACEPOINT, 0, false);
	assert_int_equal(hook_attach(&hook, program, &links, &error), 0);
	counted();
	call_times(100);
	assert_true(counted() >= 100);
	hook_detach(&links);
	counted();
	call_times(100);
	assert_int_equal(counted(), 0);
	close(program);
	/* By the target's places; the second is not there, so the first goes again. */
	program = dispatcher(BPF_PROG_TYPE_RAW_TRACEPOINT, 0, false);
	target_add_place(&target, "sys_enter", "sys_enter");
	target_add_place(&target, "no_such", "no_such");
	hook = (struct hook){"raw_tp", &target, 0};
	assert_int_equal(hook_attach(&hook, program, &links, &error), -ENOENT);
	assert_non_null(strstr(error.text, "no_such"));
	assert_int_equal(links.count, 0);
	counted();
	call_times(100);
	assert_int_equal(counted(), 0);
	close(program);
	/* Through perf. */
	program = dispatcher(BPF_PROG_TYPE_TRACEPOINT, 0, false);
	hook = (struct hook){"tp/raw_syscalls/sys_enter", NULL, 0};
	if (!hook_exists(&hook, &error)) {
		assert_int_equal(hook_attach(&hook, program, &links, &error), 0);
		counted();
		call_times(100);
		assert_true(counted() >= 100);
		hook_detach(&links);
	}
	close(program);
	close_slots();
	assert_int_equal(open_fds(), before);
}

/* Work, for a clock that counts work. */
static void spin(int ms)
{
	struct timespec now, end;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
	end.tv_nsec += ms * 1000000L;
	end.tv_sec += end.tv_nsec / 1000000000;
	end.tv_nsec %= 1000000000;
	do
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	while (now.tv_sec < end.tv_sec || (now.tv_sec == end.tv_sec && now.tv_nsec < end.tv_nsec));
}

static struct target_place *clock_at(int cpu)
{
	struct target_place *place = target_add_place(&target, "a CPU", "");

	assert_non_null(place);
	place->perf_type = PERF_TYPE_SOFTWARE;
	place->perf_config = PERF_COUNT_SW_CPU_CLOCK;
	place->cpu = cpu;
	place->period = 1000000;
	return place;
}

static void clocks(void **state)
{
	struct hook hook = {"perf_event", &target, 0};
	int before = open_fds(), program;
	struct hook_links links;

	(void)state;
	if (geteuid())
		SKIP("needs root");
	program = dispatcher(BPF_PROG_TYPE_PERF_EVENT, 0, false);
	for (int cpu = 0; cpu < sysconf(_SC_NPROCESSORS_ONLN); cpu++)
		clock_at(cpu);
	counted();
	assert_int_equal(hook_attach(&hook, program, &links, &error), 0);
	assert_int_equal(links.count, target.place_count);
	spin(100);
	hook_detach(&links);
	assert_true(counted() >= 20);
	/* Any other error takes back what was done. */
	for (int i = 0; i < target.place_count; i++)
		target.places[i].cpu = 0;
	target.places[target.place_count - 1].perf_type = 12345;
	assert_true(hook_attach(&hook, program, &links, &error) < 0);
	assert_int_equal(links.count, 0);
	close(program);
	close_slots();
	assert_int_equal(open_fds(), before);
}

/* The first number of a list of CPUs, -1 when there is none. */
static int first_cpu(const char *list)
{
	char path[64], text[256];

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/%s", list);
	scratch_read(path, text, sizeof(text));
	return *text >= '0' && *text <= '9' ? atoi(text) : -1;
}

/* One that went offline after it was listed is left out; of such ones only there is nothing. */
static void clocks_of_cpus_that_are_gone(void **state)
{
	struct hook hook = {"perf_event", &target, 0};
	int program, gone = first_cpu("offline");
	struct hook_links links;

	(void)state;
	if (geteuid())
		SKIP("needs root");
	clock_at(0);
	clock_at(gone);
	program = dispatcher(BPF_PROG_TYPE_PERF_EVENT, 0, false);
	if (gone >= 0 && gone < sysconf(_SC_NPROCESSORS_CONF)) {
		assert_int_equal(hook_attach(&hook, program, &links, &error), 0);
		assert_int_equal(links.count, 1);
		hook_detach(&links);
		target.places[0].cpu = gone;
		assert_int_equal(hook_attach(&hook, program, &links, &error), -ENODEV);
	} else {
		print_message("# no CPU is offline here\n");
	}
	close(program);
	close_slots();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(unknown_kinds, setup, teardown),
		cmocka_unit_test_setup_teardown(what_the_kernel_lacks_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(tracepoints, setup, teardown),
		cmocka_unit_test_setup_teardown(clocks, setup, teardown),
		cmocka_unit_test_setup_teardown(clocks_of_cpus_that_are_gone, setup, teardown),
	};

	counter_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "counter", 4, 8, 1, NULL);
	return cmocka_run_group_tests_name("hook", tests, NULL, NULL);
}
