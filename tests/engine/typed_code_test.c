// SPDX-License-Identifier: Apache-2.0
/* The code is loaded and run in this kernel, as root, by a test run: on this thread's own task and
 * on memory of this process, so that what it has to find is known. */
#include "typed_code.h"

#include "record.h"
#include "splice.h"
#include "stage.h"
#include "test.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <linux/filter.h>
#include <sys/syscall.h>

#define EVENT_BYTES 1024
#define CALL_FUNCTION(o) INSN(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_CALL, 0, o)
#define WANTS_MAX 64

static struct btf *kernel;
static struct error error;
static unsigned char event[EVENT_BYTES]; /* what the last run made */
static struct typed_code made;		 /* and the code that did */
static struct typed *values[WANTS_MAX];
static struct typed_want wants[WANTS_MAX];
static int want_count;

static void want(const struct typed_source *source, const char *path, uint32_t offset)
{
	struct typed **typed = &values[want_count];

	if (typed_resolve(typed, source, path, &error))
		fail_msg("%s", error.text);
	wants[want_count++] = (struct typed_want){&(*typed)->access, offset};
}

static void forget(void)
{
	while (want_count)
		typed_free(values[--want_count]);
	typed_code_free(&made);
}

/* main: slot 0 = the running task, slots 1 to 5 = words of the context, 6 = the task as a pointer
 * the verifier knows, 7 = the context; fill(event, slots). In r8 and r9 is something that must be
 * there afterwards. Returns r0 + 7. */
static const struct bpf_insn main_start[] = {
	MOVE(6, 1),
	SET(8, 3),
	SET(9, 4),
	CALL(get_current_task),
	STORE(BPF_DW, 10, -64, 0),
	LOAD(BPF_DW, 1, 6, 0),
	STORE(BPF_DW, 10, -56, 1),
	LOAD(BPF_DW, 1, 6, 8),
	STORE(BPF_DW, 10, -48, 1),
	LOAD(BPF_DW, 1, 6, 16),
	STORE(BPF_DW, 10, -40, 1),
	LOAD(BPF_DW, 1, 6, 24),
	STORE(BPF_DW, 10, -32, 1),
	LOAD(BPF_DW, 1, 6, 32),
	STORE(BPF_DW, 10, -24, 1),
	CALL(get_current_task_btf),
	STORE(BPF_DW, 10, -16, 0),
	STORE(BPF_DW, 10, -8, 6),
	MOVE(2, 10),
	COMPUTE(BPF_ADD, 2, -64),
	MAP_VALUE_INTO(1, 0, 0), /* the map comes here */
	CALL_FUNCTION(4),
	COMBINE(BPF_ADD, 0, 8),
	COMBINE(BPF_ADD, 0, 9),
	STORE_IMM(BPF_B, 10, -1, 0),
	EXIT,
};
enum { MAP_AT = 20, START_COUNT = COUNT_OF(main_start) };

static int load(const struct bpf_insn *code, uint32_t count)
{
	static char log[1 << 20];
	LIBBPF_OPTS(bpf_prog_load_opts, options, .log_buf = log, .log_size = sizeof(log),
		    .log_level = 1);
	int fd = bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "typed", "GPL", code, count, &options);

	if (fd < 0)
		fail_msg("%s", log);
	return fd;
}

/* Runs the code as a function that is called, or in the place of its call, on an event full of
 * ones. */
static void run_as(bool is_spliced, const uint64_t args[5])
{
	static const struct bpf_insn stub[] = {SET(0, STAGE_EARLY_MAGIC), EXIT};
	uint32_t count = START_COUNT + (is_spliced ? COUNT_OF(stub) : made.count);
	struct bpf_insn *code = calloc(count, sizeof(*code));
	struct splice splice = {.code = code, .count = count};
	LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = args, .ctx_size_in = 5 * sizeof(*args));
	int map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "event", 4, EVENT_BYTES, 1, NULL), fd;

	assert_true(map >= 0);
	memset(event, 0xff, sizeof(event));
	assert_int_equal(bpf_map_update_elem(map, &(uint32_t){0}, event, 0), 0);
	memcpy(code, main_start, sizeof(main_start));
	code[MAP_AT].imm = map;
	memcpy(code + START_COUNT, is_spliced ? stub : made.code,
	       (count - START_COUNT) * sizeof(*code));
	if (is_spliced) {
		const struct splice_part parts[SPLICE_STUBS] = {{made.code, made.count}};

		assert_int_equal(splice_make(&splice, code, count, parts), 0);
	}
	fd = load(splice.code, splice.count);
	assert_int_equal(bpf_prog_test_run_opts(fd, &options), 0);
	assert_int_equal(options.retval, 7);
	assert_int_equal(bpf_map_lookup_elem(map, &(uint32_t){0}, event), 0);
	close(fd);
	close(map);
	if (is_spliced)
		splice_free(&splice);
	free(code);
}

/* Both, which must come to the same. Bytes that are not of the area stay as they are. */
static void run(struct typed_area area, const uint64_t args[5])
{
	static unsigned char first[EVENT_BYTES];

	if (typed_code_make(&made, wants, want_count, area, &error))
		fail_msg("%s", error.text);
	assert_in_range(made.stack_bytes, 0, TYPED_CODE_STACK);
	run_as(false, args);
	memcpy(first, event, sizeof(event));
	run_as(true, args);
	assert_memory_equal(first, event, sizeof(event));
	for (uint32_t i = 0; i < sizeof(event); i++)
		if (i < area.from || i >= area.to)
			assert_int_equal(event[i], 0xff);
}

/* Where times and counters are among the values, no two runs are the same. */
static void run_once(uint32_t bytes, const uint64_t args[5])
{
	if (typed_code_make(&made, wants, want_count, (struct typed_area){0, bytes}, &error))
		fail_msg("%s", error.text);
	run_as(true, args);
}

static uint64_t number_at(uint32_t offset, uint32_t bytes)
{
	uint64_t value = 0;

	memcpy(&value, event + offset, bytes);
	return value;
}

static bool is_zero(uint32_t from, uint32_t to)
{
	while (from < to && !event[from])
		from++;
	return from >= to;
}

static int setup(void **state)
{
	(void)state;
	if (!geteuid())
		kernel = btf__load_vmlinux_btf();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	btf__free(kernel);
	return 0;
}

static int each_teardown(void **state)
{
	(void)state;
	forget();
	return 0;
}

#define NEEDS_KERNEL                                                                               \
	if (!kernel)                                                                               \
	SKIP("needs root and /sys/kernel/btf/vmlinux")

/* "task": the running one, in slot 0. */
static struct typed_source task_source(void)
{
	static struct typed_root roots[] = {{.name = "task"}};

	roots[0].type = btf__find_by_name_kind(kernel, "task_struct", BTF_KIND_STRUCT);
	roots[0].slot = 0;
	roots[0].in_memory = true;
	return (struct typed_source){
		.btf = kernel, .name = "test", .roots = roots, .root_count = 1};
}

/* A number of /proc/self/stat, from 1. */
static uint64_t stat_field(int number)
{
	char text[1024], *at;

	scratch_read("/proc/self/stat", text, sizeof(text));
	at = strrchr(text, ')') + 2; /* field 3 */
	for (int i = 3; i < number; i++)
		at = strchr(at, ' ') + 1;
	return strtoull(at, NULL, 10);
}

static void the_running_task(void **state)
{
	static const uint64_t args[5];
	struct typed_source source;
	struct stat status;
	char comm[17];

	(void)state;
	NEEDS_KERNEL;
	source = task_source();
	want(&source, "task.comm", 16);
	want(&source, "task.tgid", 32);
	want(&source, "task.pid", 40);
	want(&source, "task.group_leader.tgid", 44);
	want(&source, "task.real_parent.tgid", 48);
	want(&source, "task.mm.arg_start", 56);
	want(&source, "task.mm.start_code", 64);
	want(&source, "task.nsproxy.pid_ns_for_children.ns.inum", 72);
	want(&source, "task.nsproxy.uts_ns.name.nodename", 80);
	want(&source, "task.group_leader.group_leader.real_parent.tgid", 148);
	want(&source, "task.fs.pwd.dentry.d_sb.s_type.name", 152);
	run((struct typed_area){8, 216}, args);
	scratch_read("/proc/self/comm", comm, sizeof(comm));
	*strchrnul(comm, '\n') = 0;
	assert_true(is_zero(8, 16)); /* of nobody */
	assert_string_equal((char *)event + 16, comm);
	assert_true(is_zero(16 + strlen(comm), 32));
	assert_int_equal(number_at(32, 4), getpid());
	assert_true(is_zero(36, 40));
	assert_int_equal(number_at(40, 4), syscall(SYS_gettid));
	assert_int_equal(number_at(44, 4), getpid());
	assert_int_equal(number_at(48, 4), getppid());
	assert_int_equal(number_at(56, 8), stat_field(48));
	assert_int_equal(number_at(64, 8), stat_field(26));
	assert_int_equal(stat("/proc/self/ns/pid_for_children", &status), 0);
	assert_int_equal(number_at(72, 4), status.st_ino);
	gethostname(comm, sizeof(comm));
	comm[sizeof(comm) - 1] = 0;
	assert_memory_equal(event + 80, comm, strlen(comm));
	assert_int_equal(number_at(148, 4), getppid());
	assert_true(event[152] != 0 && event[215] == 0);
}

/* All there is in a task, and one pointer farther: whatever it is, the kernel takes the code. */
static void every_member_can_be_wanted(void **state)
{
	static const uint64_t args[5];
	struct typed_source source;
	const struct btf_type *task;
	uint32_t at = 0;
	int values_seen = 0;

	(void)state;
	NEEDS_KERNEL;
	source = task_source();
	task = btf__type_by_id(kernel, source.roots[0].type);
	for (int i = 0; i < btf_vlen(task); i++) {
		const char *name = btf__name_by_offset(kernel, btf_members(task)[i].name_off);
		char path[TYPED_PATH];
		struct typed *typed;

		snprintf(path, sizeof(path), "task%s.%s", i % 2 ? ".group_leader" : "", name);
		if (!*name || typed_resolve(&typed, &source, path, &error))
			continue;
		if (!typed->access.bytes) {
			typed_free(typed);
			continue;
		}
		at = (at + typed->access.align - 1) / typed->access.align * typed->access.align;
		if (want_count == 24 || at + typed->access.bytes > EVENT_BYTES) {
			run_once(at, args);
			forget();
			at = 0;
		}
		values[want_count] = typed;
		wants[want_count++] = (struct typed_want){&typed->access, at};
		at += typed->access.bytes;
		values_seen++;
	}
	run_once(at, args);
	assert_true(values_seen > 100);
}

/* A pointer that is a value as well, and more ways through the same ones than there are words. */
static void what_is_shared_is_read_once(void **state)
{
	static const uint64_t args[5];
	struct typed_source source;
	uint32_t alone;

	(void)state;
	NEEDS_KERNEL;
	source = task_source();
	want(&source, "task.group_leader.tgid", 0);
	run((struct typed_area){0, 32}, args);
	alone = made.count;
	typed_code_free(&made);
	want(&source, "task.group_leader.pid", 4);
	run((struct typed_area){0, 32}, args);
	/* One more read, which leaves nothing of the first eight bytes to be zeroed. */
	assert_int_equal(made.count, alone + 6 - 1);
	assert_int_equal(number_at(0, 4), getpid());
	assert_int_equal(number_at(4, 4), getpid());
	assert_int_equal(made.stack_bytes, 8);
	typed_code_free(&made);
	want(&source, "task.group_leader", 8);
	run((struct typed_area){0, 32}, args);
	assert_int_equal(made.stack_bytes, 0);
	assert_int_equal(number_at(0, 4), getpid());
	assert_true(number_at(8, 8) >> 63);
}

/* Each step doubles the number of ways: the worst that so many values can be; and then bits. */
static void the_stack_is_enough(void **state)
{
	static const uint64_t args[5];
	struct typed_source source;

	(void)state;
	NEEDS_KERNEL;
	source = task_source();
	for (int i = 0; i < WANTS_MAX; i++) {
		char path[TYPED_PATH] = "task.group_leader";

		for (int step = 0; step < 6; step++)
			strcat(path, i >> step & 1 ? ".real_parent" : ".group_leader");
		strcat(path, i == 1 ? ".tgid" : ".sched_reset_on_fork");
		want(&source, path, i * 4);
	}
	run((struct typed_area){0, 256}, args);
	assert_int_equal(made.stack_bytes, TYPED_CODE_STACK);
	assert_int_equal(number_at(4, 4), getppid()); /* group_leader's, at last */
}

/* The length of the code, as a chain written by hand would be. */
static void no_longer_than_by_hand(void **state)
{
	static const uint64_t args[5] = {0x123456789};
	struct typed_root roots[] = {{.name = "n", .slot = 1}};
	struct typed_source source = {.name = "test", .roots = roots, .root_count = 1};

	(void)state;
	NEEDS_KERNEL;
	source.btf = kernel;
	want(&source, "n", 8);
	run((struct typed_area){8, 16}, args);
	assert_int_equal(made.count, 6); /* r6, r7, load, store, r0, exit */
	assert_int_equal(number_at(8, 8), 0x123456789);
	forget();
	source = task_source();
	want(&source, "task.mm.arg_start", 8);
	run((struct typed_area){8, 16}, args);
	/* r6, r7; two reads of: load, add, length, address in two, call (the event's offset is an
	 * add, too); r0, exit */
	assert_int_equal(made.count, 4 + 2 * 6);
}

/* What lies in memory of this process. */
struct mine {
	const char *text;
	struct mine *next;
	uint16_t port;
	uint8_t mac[6];
	int32_t low;
	uint32_t three : 3;
	int32_t nine : 9;
	uint32_t nineteen : 19;
	int64_t wide;
	char name[16];
	uint32_t port4;
	uint32_t big4;
	uint64_t big8;
};

static struct btf *mine_btf(void)
{
	struct btf *btf = btf__new_empty();
	int chars, node, u16, u32, u64, s32, s64, u8, be16, be32, be64, text, next, mac, name;

	btf__set_pointer_size(btf, 8);
	chars = btf__add_int(btf, "char", 1, BTF_INT_SIGNED);
	u8 = btf__add_int(btf, "unsigned char", 1, 0);
	u16 = btf__add_int(btf, "unsigned short", 2, 0);
	u32 = btf__add_int(btf, "unsigned int", 4, 0);
	u64 = btf__add_int(btf, "unsigned long", 8, 0);
	s32 = btf__add_int(btf, "int", 4, BTF_INT_SIGNED);
	s64 = btf__add_int(btf, "long", 8, BTF_INT_SIGNED);
	be16 = btf__add_typedef(btf, "__be16", u16);
	be32 = btf__add_typedef(btf, "__be32", u32);
	be64 = btf__add_typedef(btf, "__be64", u64);
	text = btf__add_ptr(btf, chars);
	mac = btf__add_array(btf, u32, u8, 6);
	name = btf__add_array(btf, u32, chars, 16);
	next = btf__add_ptr(btf, text + 4); /* the struct, below */
	node = btf__add_struct(btf, "mine", sizeof(struct mine));
	assert_int_equal(node, text + 4);
	btf__add_field(btf, "text", text, 8 * offsetof(struct mine, text), 0);
	btf__add_field(btf, "next", next, 8 * offsetof(struct mine, next), 0);
	btf__add_field(btf, "port", be16, 8 * offsetof(struct mine, port), 0);
	btf__add_field(btf, "mac", mac, 8 * offsetof(struct mine, mac), 0);
	btf__add_field(btf, "low", s32, 8 * offsetof(struct mine, low), 0);
	btf__add_field(btf, "three", u32, 8 * offsetof(struct mine, low) + 32, 3);
	btf__add_field(btf, "nine", s32, 8 * offsetof(struct mine, low) + 35, 9);
	btf__add_field(btf, "nineteen", u32, 8 * offsetof(struct mine, low) + 44, 19);
	/* Over the edge of its word. */
	btf__add_field(btf, "odd", u32, 8 * offsetof(struct mine, low) + 14, 28);
	btf__add_field(btf, "wide", s64, 8 * offsetof(struct mine, wide), 0);
	btf__add_field(btf, "name", name, 8 * offsetof(struct mine, name), 0);
	btf__add_field(btf, "big4", be32, 8 * offsetof(struct mine, big4), 0);
	btf__add_field(btf, "big8", be64, 8 * offsetof(struct mine, big8), 0);
	return btf;
}

static struct mine last = {.text = "the last", .low = 7, .name = "0123456789abcdef"};
static struct mine first = {.text = "the first",
			    .next = &last,
			    .mac = {1, 2, 3, 4, 5, 6},
			    .low = -5,
			    .three = 5,
			    .nine = -200,
			    .nineteen = 0x54321,
			    .wide = -1234567890123,
			    .name = "short"};

/* "p": a pointer to a struct mine in slot 1, "q" in slot 2, "port" in slot 3. */
static struct typed_source mine_source(struct btf *btf, bool user)
{
	static struct typed_root roots[] = {{.name = "p", .slot = 1},
					    {.name = "q", .slot = 2},
					    {.name = "port", .slot = 3},
					    {.name = "text", .slot = 4}};

	roots[0].type = roots[1].type = btf__type_cnt(btf) - 2;
	roots[2].type = btf__find_by_name_kind(btf, "__be16", BTF_KIND_TYPEDEF);
	roots[3].type = btf__type_cnt(btf) - 5;
	return (struct typed_source){
		.btf = btf, .user = user, .name = "test", .roots = roots, .root_count = 4};
}

static void memory_of_this_process(void **state)
{
	const uint64_t args[5] = {(uintptr_t)&first, 0, htons(443) | 0xabcd0000,
				  (uintptr_t) "a long text that is longer than there is room for, "
					      "so its end is cut"};
	struct btf *btf;
	struct typed_source source;
	uint64_t around;

	(void)state;
	if (geteuid())
		SKIP("needs root");
	first.port = htons(8080);
	first.big4 = htonl(0x01020304);
	first.big8 = htobe64(0x0102030405060708);
	btf = mine_btf();
	source = mine_source(btf, true);
	want(&source, "p.text", 8);
	want(&source, "p.next.text", 72);
	want(&source, "p.port", 136);
	want(&source, "p.mac", 138);
	want(&source, "p.low", 144);
	want(&source, "p.three", 148);
	want(&source, "p.nine", 152);
	want(&source, "p.nineteen", 156);
	want(&source, "p.wide", 160);
	want(&source, "p.name", 168);
	want(&source, "p.next.name", 184);
	want(&source, "p.big4", 200);
	want(&source, "p.big8", 208);
	want(&source, "port", 216);
	want(&source, "p.mac[2]", 218);
	want(&source, "text", 219);
	want(&source, "p.odd", 284);
	want(&source, "p.next.next", 288);
	run((struct typed_area){8, 300}, args);
	assert_string_equal((char *)event + 8, "the first");
	assert_true(is_zero(8 + 9, 72));
	assert_string_equal((char *)event + 72, "the last");
	assert_int_equal(number_at(136, 2), 8080);
	assert_memory_equal(event + 138, first.mac, 6);
	assert_int_equal((int32_t)number_at(144, 4), -5);
	assert_int_equal(number_at(148, 4), 5);
	assert_int_equal((int32_t)number_at(152, 4), -200);
	assert_int_equal(number_at(156, 4), 0x54321);
	assert_int_equal((int64_t)number_at(160, 8), -1234567890123);
	assert_string_equal((char *)event + 168, "short");
	assert_string_equal((char *)event + 184,
			    "0123456789abcde"); /* its last place is the NUL's */
	assert_int_equal(number_at(200, 4), 0x01020304);
	assert_int_equal(number_at(208, 8), 0x0102030405060708);
	assert_int_equal(number_at(216, 2), 443);
	assert_int_equal(event[218], 3);
	assert_int_equal(strlen((char *)event + 219), TYPED_STRING_BYTES - 1);
	assert_memory_equal(event + 219, (char *)(uintptr_t)args[3], TYPED_STRING_BYTES - 1);
	memcpy(&around, &first.low, sizeof(around));
	assert_int_equal(number_at(284, 4), around >> 14 & 0xfffffff);
	assert_true(is_zero(283, 284) && is_zero(288, 300));
	btf__free(btf);
}

/* Three neighbours that lie in the event as in memory, and two that do not. */
static void neighbours_are_read_at_once(void **state)
{
	const uint64_t args[5] = {(uintptr_t)&first};
	struct typed_source source;
	struct btf *btf;

	(void)state;
	if (geteuid())
		SKIP("needs root");
	first.port = htons(8080);
	btf = mine_btf();
	source = mine_source(btf, true);
	want(&source, "p.low", 16);
	want(&source, "p.port", 8);
	want(&source, "p.mac", 10);
	run((struct typed_area){8, 20}, args);
	/* r6, r7; load, add, length, address in two, call; three to turn; r0, exit */
	assert_int_equal(made.count, 2 + 6 + 3 + 2);
	assert_int_equal(number_at(8, 2), 8080);
	assert_memory_equal(event + 10, first.mac, 6);
	assert_int_equal((int32_t)number_at(16, 4), first.low);
	typed_code_free(&made);
	wants[0].offset = 20;
	run((struct typed_area){8, 24}, args);
	assert_int_equal(made.count, 2 + 1 + 6 + 3 + 6 + 2);
	assert_int_equal(number_at(8, 2), 8080);
	assert_int_equal((int32_t)number_at(20, 4), first.low);
	assert_true(is_zero(16, 20));
	btf__free(btf);
}

/* Nothing is read through them, and all that can be is. */
static void bad_pointers_give_zeros(void **state)
{
	struct mine broken = {.text = (char *)8, .next = (void *)0xdead000000000000, .low = 3};
	const uint64_t args[5] = {(uintptr_t)&broken, 0xffffffffffffff00, 5, 0};
	static const char *const paths[] = {"p.text",	   "p.next.low",  "p.next.text", "q.name",
					    "q.next.wide", "q.next.name", "q.nineteen",	 "q.odd",
					    "q.mac",	   "text"};
	static const uint32_t offsets[] = {0, 64, 72, 136, 152, 160, 176, 180, 184, 192};

	(void)state;
	if (geteuid())
		SKIP("needs root");
	for (int user = 0; user < 2; user++) {
		struct btf *btf = mine_btf();
		struct typed_source source = mine_source(btf, user);

		for (size_t i = 0; i < COUNT_OF(paths); i++)
			want(&source, paths[i], offsets[i]);
		want(&source, "p.low", 260);
		want(&source, "port", 264);
		run((struct typed_area){0, 272}, args);
		assert_true(is_zero(0, 260));
		/* User memory is not read as the kernel's. */
		assert_int_equal(number_at(260, 4), user ? 3 : 0);
		assert_int_equal(number_at(264, 2), 0x500);
		forget();
		btf__free(btf);
	}
}

/* A `char *` of the kernel's that leads to user memory, as arguments of system calls do. */
static void strings_may_be_the_users(void **state)
{
	const uint64_t args[5] = {0, 0, 0, (uintptr_t) "/a/path"};
	struct typed_source source;
	struct btf *btf;

	(void)state;
	if (geteuid())
		SKIP("needs root");
	btf = mine_btf();
	source = mine_source(btf, false);
	want(&source, "text", 8);
	run((struct typed_area){0, 72}, args);
	assert_string_equal((char *)event + 8, "/a/path");
	assert_true(is_zero(0, 8) && is_zero(15, 72));
	btf__free(btf);
}

/* What the verifier knows as more than numbers. */
static void slots_may_hold_pointers(void **state)
{
	static const uint64_t args[5] = {0, 0, 0x1234567};
	struct typed_source source;
	struct typed_root roots[] = {
		{.name = "task", .slot = 6, .in_memory = true},
		{.name = "word", .slot = 7, .in_memory = true, .offset = 16},
	};

	(void)state;
	NEEDS_KERNEL;
	source = task_source();
	roots[0].type = source.roots[0].type;
	source.roots = roots;
	source.root_count = 2;
	want(&source, "task.tgid", 0);
	want(&source, "task.real_parent.tgid", 4);
	want(&source, "word", 8);
	run((struct typed_area){0, 16}, args);
	assert_int_equal(number_at(0, 4), getpid());
	assert_int_equal(number_at(4, 4), getppid());
	assert_int_equal(number_at(8, 8), 0x1234567);
}

/* The context is the record, as a tracepoint's: it says where its text is. */
static void a_record_says_where_its_text_is(void **state)
{
	uint64_t args[5] = {24, 8 | 0xffffull << 16, 0x1234567};
	struct typed_root roots[] = {
		{.name = "at", .slot = 7, .in_memory = true, .is_dynamic = true},
		{.name = "behind", .slot = 7, .in_memory = true, .is_dynamic = true},
		{.name = "word", .slot = 7, .in_memory = true, .offset = 16, .is_context = true},
		{.name = "nowhere", .slot = 5, .in_memory = true, .is_dynamic = true},
	};
	struct typed_source source = {.btf = kernel, .name = "test", .roots = roots};

	(void)state;
	NEEDS_KERNEL;
	source.root_count = COUNT_OF(roots);
	roots[1].offset = 8;
	roots[1].is_behind = true;
	/* 8 behind the end of the number: 20, so the text at 24 lacks its start. */
	args[2] |= (uint64_t)'-' << 56 | (uint64_t)'-' << 48 | (uint64_t)'-' << 40 |
		   (uint64_t)'-' << 32;
	memcpy(&args[3], "/bin/true", 10);
	want(&source, "word", 0);
	want(&source, "at", 8);
	want(&source, "behind", 72);
	want(&source, "nowhere", 136);
	run((struct typed_area){0, 208}, args);
	assert_int_equal(number_at(0, 8), args[2]);
	assert_string_equal((char *)event + 8, "/bin/true");
	assert_true(is_zero(8 + 10, 72));
	assert_string_equal((char *)event + 72, "----/bin/true");
	assert_true(is_zero(72 + 14, 208));
	/* A number of a context is one load. */
	forget();
	want(&source, "word", 0);
	run((struct typed_area){0, 8}, args);
	assert_int_equal(made.count, 2 + 3 + 2);
}

/* main: an event on the stack, filled and then put into the map. */
static void an_event_on_the_stack(void **state)
{
	static const struct bpf_insn start[] = {
		CALL(get_current_task),
		STORE(BPF_DW, 10, -64, 0),
		STORE_IMM(BPF_DW, 10, -96, -1),
		STORE_IMM(BPF_DW, 10, -88, 0),
		STORE_IMM(BPF_DW, 10, -80, 0),
		STORE_IMM(BPF_DW, 10, -72, -1),
		MOVE(1, 10),
		COMPUTE(BPF_ADD, 1, -96),
		MOVE(2, 10),
		COMPUTE(BPF_ADD, 2, -64),
		CALL_FUNCTION(11),
		MAP(0), /* 11 */
		STORE_IMM(BPF_W, 10, -104, 0),
		MOVE(2, 10),
		COMPUTE(BPF_ADD, 2, -104),
		MOVE(3, 10),
		COMPUTE(BPF_ADD, 3, -96),
		SET(4, 0),
		CALL(map_update_elem),
		SET(0, 0),
		EXIT,
		SET(0, STAGE_EARLY_MAGIC), /* 22 */
		EXIT,
	};
	struct bpf_insn code[COUNT_OF(start)];
	struct typed_source source;
	struct splice splice;
	int map, fd;

	(void)state;
	NEEDS_KERNEL;
	source = task_source();
	want(&source, "task.comm", 8);
	want(&source, "task.group_leader.tgid", 24);
	assert_int_equal(
		typed_code_make(&made, wants, want_count, (struct typed_area){8, 28}, &error), 0);
	map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "event", 4, 32, 1, NULL);
	memcpy(code, start, sizeof(start));
	code[11].imm = map;
	const struct splice_part parts[SPLICE_STUBS] = {{made.code, made.count}};

	assert_int_equal(splice_make(&splice, code, COUNT_OF(code), parts), 0);
	fd = load(splice.code, splice.count);
	assert_int_equal(bpf_prog_test_run_opts(fd, NULL), 0);
	assert_int_equal(bpf_map_lookup_elem(map, &(uint32_t){0}, event), 0);
	assert_int_equal(number_at(0, 8), -1);
	assert_true(event[8] != 0 && event[23] == 0);
	assert_int_equal(number_at(24, 8), 0xffffffff00000000ull | (uint32_t)getpid());
	close(fd);
	close(map);
	splice_free(&splice);
}

static void nothing_wanted(void **state)
{
	static const uint64_t args[5];

	(void)state;
	if (geteuid())
		SKIP("needs root");
	run((struct typed_area){0, 0}, args);
	typed_code_free(&made);
	run((struct typed_area){3, 31}, args);
	assert_true(is_zero(3, 31));
	assert_int_equal(made.count, 4 + 7); /* at 3, 4, 8, 16, 24, 28, 30 */
}

static void refused(const struct typed_access *access, uint32_t offset, const char *why)
{
	const struct typed_want list[] = {{access, offset},
					  {&(struct typed_access){.bytes = 4, .align = 4}, 16}};

	assert_int_equal(typed_code_make(&made, list, 2, (struct typed_area){8, 32}, &error),
			 -EINVAL);
	assert_string_equal(error.text, why);
	assert_null(made.code);
}

static void wants_are_checked(void **state)
{
	const struct typed_access number = {.bytes = 8, .align = 8}, none = {.align = 1},
				  text = {.bytes = 16, .align = 1, .steps = 1, .read = TYPED_TEXT},
				  loose = {.bytes = 16, .align = 1, .read = TYPED_TEXT},
				  far = {.bytes = 16,
					 .align = 1,
					 .steps = 2,
					 .read = TYPED_DYNAMIC};

	(void)state;
	refused(&number, 12, "value 0: not aligned");
	refused(&number, 0, "value 0: not in the area");
	refused(&number, 32, "value 0: not in the area");
	refused(&text, 20, "value 0: not in the area");
	refused(&text, 1u << 31, "value 0: not in the area");
	refused(&number, 16, "value 1: lies on another");
	refused(&none, 8, "value 0: not one that can be read");
	refused(&loose, 8, "value 0: not one that can be read");
	refused(&far, 8, "value 0: not one that can be read");
	assert_int_equal(typed_code_make(&made, NULL, 65, (struct typed_area){0, 8}, &error),
			 -EINVAL);
	assert_int_equal(typed_code_make(&made, NULL, 0, (struct typed_area){0, 1 << 20}, &error),
			 -EINVAL);
}

#define EACH(test) cmocka_unit_test_teardown(test, each_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(the_running_task),
		EACH(every_member_can_be_wanted),
		EACH(what_is_shared_is_read_once),
		EACH(the_stack_is_enough),
		EACH(no_longer_than_by_hand),
		EACH(memory_of_this_process),
		EACH(neighbours_are_read_at_once),
		EACH(bad_pointers_give_zeros),
		EACH(strings_may_be_the_users),
		EACH(slots_may_hold_pointers),
		EACH(an_event_on_the_stack),
		EACH(nothing_wanted),
		EACH(wants_are_checked),
		EACH(a_record_says_where_its_text_is),
	};

	return cmocka_run_group_tests_name("typed_code", tests, setup, teardown);
}
