// SPDX-License-Identifier: Apache-2.0
/* Hooks of every kind, on this kernel, as root: dispatchers whose body counts the calls of this
 * process only. Where the kernel lacks a kind the test says so, and asks for its reason. */
#include "hook.h"

#include "binary.h"
#include "binary_functions.h"
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

/* Functions that the uprobes of this test are at. */
#define FUNCTION(number)                                                                           \
	__attribute__((noinline, noclone)) void hit_##number(void);                                \
	void hit_##number(void)                                                                    \
	{                                                                                          \
		asm volatile("" ::"i"(number));                                                    \
	}
FUNCTION(1)
FUNCTION(2)
FUNCTION(3)

static void hit_each(void)
{
	hit_1();
	hit_2();
	hit_3();
}

static void add_functions(void)
{
	static const char *const names[] = {"hit_1", "hit_2", "hit_3"};
	struct binary *binary;

	strcpy(target.file, "/proc/self/exe");
	assert_int_equal(binary_open(&binary, target.file, 0, &error), 0);
	for (int i = 0; i < 3; i++) {
		struct target_place *place = target_add_place(&target, names[i], target.file);

		assert_int_equal(binary_offset(binary, names[i], &place->offset, &error), 0);
	}
	binary_close(binary);
}

/* All three places; then with a bad one among them: of a wildcard it is left out, else all go. */
static void at_functions(const char *section, int attach_type)
{
	struct hook hook = {section, &target, 0};
	int before = open_fds(), program;
	struct hook_links links;
	uint64_t good;

	if (hook_exists(&hook, &error)) {
		print_message("# skipped: %s: %s\n", section, error.text);
		return;
	}
	add_functions();
	good = target.places[1].offset;
	program = dispatcher(BPF_PROG_TYPE_KPROBE, attach_type, false);
	for (int pid = 0; pid < 2; pid++) {
		hook.pid = pid ? getpid() : 0;
		if (hook_attach(&hook, program, &links, &error))
			fail_msg("%s", error.text);
		counted();
		hit_each();
		assert_int_equal(counted(), 3);
		hook_detach(&links);
		hit_each();
		assert_int_equal(counted(), 0);
	}
	target.places[1].offset = 1ull << 40;
	assert_true(hook_attach(&hook, program, &links, &error) < 0);
	assert_int_equal(links.count, 0);
	hit_each();
	assert_int_equal(counted(), 0);
	target.is_wildcard = true;
	if (hook_attach(&hook, program, &links, &error))
		fail_msg("%s", error.text);
	assert_int_equal(links.count, 2);
	hit_each();
	assert_int_equal(counted(), 2);
	hook_detach(&links);
	/* The last one, and all of them. */
	target.places[1].offset = good;
	target.places[2].offset = 1ull << 40;
	assert_int_equal(hook_attach(&hook, program, &links, &error), 0);
	hit_each();
	assert_int_equal(counted(), 2);
	hook_detach(&links);
	target.places[0].offset = target.places[1].offset = 1ull << 40;
	assert_true(hook_attach(&hook, program, &links, &error) < 0);
	assert_int_equal(links.count, 0);
	/* A process that is gone is no matter of places. */
	hook.pid = 4194303;
	assert_true(hook_attach(&hook, program, &links, &error) < 0);
	close(program);
	close_slots();
	assert_int_equal(open_fds(), before);
}

static void user_functions(void **state)
{
	(void)state;
	if (geteuid())
		SKIP("needs root");
	at_functions("uprobe", 0);
}

static void user_returns(void **state)
{
	(void)state;
	if (geteuid())
		SKIP("needs root");
	at_functions("uretprobe", 0);
}

static void many_user_functions(void **state)
{
	(void)state;
	if (geteuid())
		SKIP("needs root");
	at_functions("uprobe.multi", UPROBE_MULTI);
}

static void many_user_returns(void **state)
{
	(void)state;
	if (geteuid())
		SKIP("needs root");
	at_functions("uretprobe.multi", UPROBE_MULTI);
}

/* With a name among them that is no function, and one that no probe can be at. */
static void at_kernel_functions(const char *section, int attach_type, int wanted_links)
{
	struct hook hook = {section, &target, 0};
	struct hook_links links;
	int program, null = open("/dev/null", O_RDWR | O_CLOEXEC);
	char byte;

	target_add_place(&target, "vfs_read", "vfs_read");
	target_add_place(&target, "no_such_function", "no_such_function");
	target_add_place(&target, "notify_die", "notify_die");
	target_add_place(&target, "vfs_write", "vfs_write");
	target.is_wildcard = true;
	if (hook_exists(&hook, &error)) {
		print_message("# skipped: %s: %s\n", section, error.text);
		close(null);
		return;
	}
	program = dispatcher(BPF_PROG_TYPE_KPROBE, attach_type, false);
	if (hook_attach(&hook, program, &links, &error))
		fail_msg("%s: %s", section, error.text);
	assert_true(links.count >= wanted_links);
	counted();
	for (int i = 0; i < 10; i++) {
		assert_int_equal(read(null, &byte, 1), 0);
		assert_int_equal(write(null, &byte, 1), 1);
	}
	assert_int_equal(counted(), 20);
	hook_detach(&links);
	target.is_wildcard = false;
	assert_true(hook_attach(&hook, program, &links, &error) < 0);
	assert_int_equal(links.count, 0);
	close(program);
	close(null);
	close_slots();
}

static void kernel_functions(void **state)
{
	(void)state;
	if (geteuid())
		SKIP("needs root");
	at_kernel_functions("kprobe", 0, 2);
}

static void kernel_returns(void **state)
{
	(void)state;
	if (geteuid())
		SKIP("needs root");
	at_kernel_functions("kretprobe", 0, 2);
}

static void many_kernel_functions(void **state)
{
	(void)state;
	if (geteuid())
		SKIP("needs root");
	at_kernel_functions("kprobe.multi", BPF_TRACE_KPROBE_MULTI, 2);
}

static void many_kernel_returns(void **state)
{
	(void)state;
	if (geteuid())
		SKIP("needs root");
	at_kernel_functions("kretprobe.multi", BPF_TRACE_KPROBE_MULTI, 2);
}

/* What is scarce is told, and nothing is left: neither in a wildcard. */
static void without_descriptors(void **state)
{
	struct hook hook = {"uprobe", &target, getpid()};
	struct rlimit limit, few;
	struct hook_links links;
	int program, before;

	(void)state;
	if (geteuid())
		SKIP("needs root");
	add_functions();
	target.is_wildcard = true;
	program = dispatcher(BPF_PROG_TYPE_KPROBE, 0, false);
	before = open_fds();
	getrlimit(RLIMIT_NOFILE, &limit);
	few = limit;
	few.rlim_cur = program + 2; /* two below it are free, too: not enough for a third link */
	setrlimit(RLIMIT_NOFILE, &few);
	assert_int_equal(hook_attach(&hook, program, &links, &error), -EMFILE);
	setrlimit(RLIMIT_NOFILE, &limit);
	assert_int_equal(links.count, 0);
	assert_int_equal(open_fds(), before);
	close(program);
	close_slots();
}

/* A link of each half that has no bad one in it. */
static bool is_bad[64];
static int made;

static int link_good(const struct hook *hook, int program_fd, int from, int to)
{
	(void)hook;
	(void)program_fd;
	for (int i = from; i < to; i++)
		if (is_bad[i])
			return -EINVAL;
	made += to - from;
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static int link_never(const struct hook *hook, int program_fd, int from, int to)
{
	(void)hook;
	(void)program_fd;
	(void)from;
	(void)to;
	return -EPERM;
}

static void bad_ones_among_many(void **state)
{
	struct hook hook = {"kprobe.multi", &target, 0};
	struct hook_links links = {0};

	(void)state;
	for (int i = 0; i < 64; i++)
		target_add_place(&target, "a function", "a_function");
	target.is_wildcard = true;
	is_bad[0] = is_bad[31] = is_bad[63] = true;
	assert_int_equal(hook_add_many(&hook, -1, link_good, &links), 0);
	assert_int_equal(made, 61);
	hook_detach(&links);
	target.is_wildcard = false;
	assert_int_equal(hook_add_many(&hook, -1, link_good, &links), -EINVAL);
	hook_detach(&links);
	target.is_wildcard = true;
	assert_int_equal(hook_add_many(&hook, -1, link_never, &links), -EPERM);
	memset(is_bad, 1, sizeof(is_bad));
	assert_int_equal(hook_add_many(&hook, -1, link_good, &links), -ENOENT);
	assert_int_equal(links.count, 0);
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
		cmocka_unit_test_setup_teardown(user_functions, setup, teardown),
		cmocka_unit_test_setup_teardown(user_returns, setup, teardown),
		cmocka_unit_test_setup_teardown(many_user_functions, setup, teardown),
		cmocka_unit_test_setup_teardown(many_user_returns, setup, teardown),
		cmocka_unit_test_setup_teardown(kernel_functions, setup, teardown),
		cmocka_unit_test_setup_teardown(kernel_returns, setup, teardown),
		cmocka_unit_test_setup_teardown(many_kernel_functions, setup, teardown),
		cmocka_unit_test_setup_teardown(many_kernel_returns, setup, teardown),
		cmocka_unit_test_setup_teardown(without_descriptors, setup, teardown),
		cmocka_unit_test_setup_teardown(bad_ones_among_many, setup, teardown),
		cmocka_unit_test_setup_teardown(clocks_of_cpus_that_are_gone, setup, teardown),
	};

	counter_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "counter", 4, 8, 1, NULL);
	return cmocka_run_group_tests_name("hook", tests, NULL, NULL);
}
