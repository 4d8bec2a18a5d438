// SPDX-License-Identifier: Apache-2.0
/* Bodies of a real probe on this kernel, as root: the calls of getppid(2) that this process makes
 * are counted by stages written by hand. */
#include "probe.h"

#include "body.h"
#include "plan_file.h"
#include "record.h"
#include "ring.h"
#include "schema.h"
#include "stage.h"
#include "test.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <math.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>

#define RING (1 << 16)
#define ROOM 8192

static struct search_path path;
static struct probe_setting setting;
static struct probe_request request;
static struct probe *probe;
static struct ring *ring;
static struct error error;

static int setup(void **state)
{
	(void)state;
	if (geteuid())
		return 0;
	setting = (struct probe_setting){.path = &path,
					 .target_pid = getpid(),
					 .targets_fd = -1,
					 .stacks = {-1, -1, -1, -1}};
	setting.ring_fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "ring", 0, 0, RING, NULL);
	setting.settings_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "settings", 4,
					     sizeof(struct script_settings), 1, NULL);
	if (setting.ring_fd < 0 || setting.settings_fd < 0)
		return -1;
	memset(&request, 0, sizeof(request));
	strcpy(request.name, "syscall");
	strcpy(request.knobs[0].name, "only_number");
	request.knobs[0].number = SYS_getppid;
	request.knob_count = 1;
	return probe_open(&probe, &request, 7, &setting, &error) ||
	       ring_open(&ring, setting.ring_fd, RING);
}

static int teardown(void **state)
{
	(void)state;
	if (geteuid())
		return 0;
	probe_close(probe);
	ring_close(ring);
	close(setting.ring_fd);
	close(setting.settings_fd);
	return 0;
}

static struct plan *plan_of(const struct draft *draft)
{
	static unsigned char file[ROOM];
	int fd = memory_file(file, draft_write(draft, file));
	struct plan *plan;

	if (plan_open(&plan, fd, &error))
		fail_msg("%s", error.text);
	close(fd);
	return plan;
}

static struct body *body_of(const struct draft *draft)
{
	struct probe_wish wish = {.request = &request};
	struct body *body;
	struct plan *plan = draft ? plan_of(draft) : NULL;

	wish.plan = plan;
	if (probe_body(probe, &wish, &body, &error))
		fail_msg("%s", error.text);
	plan_close(plan);
	return body;
}

static void install(struct body *body)
{
	uint64_t took_ns;

	if (probe_install(probe, body, &took_ns, &error) < 0)
		fail_msg("%s", error.text);
}

static void call_times(int times)
{
	while (times--)
		syscall(SYS_getppid);
}

/* Takes the records out of the ring: how many, and the last one's header. */
static int records(struct event_header *last)
{
	size_t bytes = ring_ready(ring, RING), at = 0;
	int count = 0;

	while (at < bytes) {
		const struct ring_record *record =
			(void *)(ring->data + ((ring->position + at) & ring->mask));

		assert_false(record->length & 0x40000000); /* none was discarded */
		memcpy(last, record + 1, sizeof(*last));
		at += (record->length + sizeof(*record) + 7) & ~7u;
		count++;
	}
	ring_release(ring, bytes);
	return count;
}

static const struct bpf_insn drop_all[] = {START, SET(0, 0), EXIT};
static const struct bpf_insn pass_all[] = {START, SET(0, 1), EXIT};

static void all_pass_without_a_plan(void **state)
{
	struct event_header last;
	struct body *body;

	(void)state;
	if (geteuid())
		SKIP("needs root");
	/* An empty slot is no error: nothing happens. */
	assert_int_equal(probe_attach(probe, &error), 0);
	call_times(3);
	assert_int_equal(records(&last), 0);
	body = body_of(NULL);
	install(body);
	call_times(5);
	assert_int_equal(records(&last), 5);
	assert_int_equal(last.slot, 7);
	assert_int_equal(last.generation, body->generation);
	assert_int_equal(last.stamp >> 24, 0xff);
	probe_give_back(probe, body);
	call_times(2); /* the slots keep it */
	assert_int_equal(records(&last), 2);
}

static void stages_decide(void **state)
{
	static const struct bpf_insn verdict[] = {START, SET(0, 5), EXIT};
	const struct draft early = {.early = drop_all, .early_count = 3};
	const struct draft late = {.late = drop_all, .late_count = 3};
	const struct draft both = {
		.early = pass_all, .early_count = 3, .late = verdict, .late_count = 3};
	struct event_header last;
	struct body *bodies[3];
	static const int expected[] = {0, 0, 4};

	(void)state;
	if (geteuid())
		SKIP("needs root");
	bodies[0] = body_of(&early);
	bodies[1] = body_of(&late);
	bodies[2] = body_of(&both);
	for (int i = 0; i < 3; i++) {
		install(bodies[i]);
		call_times(4);
		assert_int_equal(records(&last), expected[i]);
	}
	assert_int_equal(last.stamp >> 24, 5);
	assert_int_equal(last.generation, bodies[2]->generation);
	assert_int_equal(bodies[2]->generation, (uint8_t)(bodies[0]->generation + 2));
	for (int i = 0; i < 3; i++)
		probe_give_back(probe, bodies[i]);
}

/* The late stage counts, in a map with a name and in one without. */
static const struct bpf_insn count_both[] = {
	START,
	SET(7, 1),
	MAP_VALUE_AT(0, 8),
	ATOMIC(BPF_ADD, 1, 0, 7),
	MAP_VALUE_AT(1, 0),
	ATOMIC(BPF_ADD, 1, 8, 7),
	SET(0, 0),
	EXIT,
};
static const unsigned char start_at_ten[20] = {[12] = 10};

static const struct draft counting = {
	.maps = {{.kind = PLAN_VALUES,
		  .key_bytes = 4,
		  .value_bytes = 16,
		  .max_entries = 1,
		  .entries = 1,
		  .name = "kept"},
		 {.kind = PLAN_VALUES, .key_bytes = 4, .value_bytes = 16, .max_entries = 1}},
	.map_count = 2,
	.late = count_both,
	.late_count = COUNT_OF(count_both),
	.contents = start_at_ten,
	.content_bytes = sizeof(start_at_ten),
};

static uint64_t counted(const struct body *body, int map)
{
	uint64_t value[2] = {0};

	assert_int_equal(bpf_map_lookup_elem(body->maps.fds[map], &(uint32_t){0}, value), 0);
	return value[1];
}

static void maps_with_names_are_kept(void **state)
{
	struct draft larger = counting;
	struct body *first, *second, *third, *fourth, *same;
	struct probe_wish wish = {.request = &request};
	struct plan *plan;
	struct event_header last;
	int before;

	(void)state;
	if (geteuid())
		SKIP("needs root");
	before = open_fds();
	first = body_of(&counting);
	install(first);
	call_times(3);
	assert_int_equal(records(&last), 0);
	assert_int_equal(counted(first, 0), 13);
	assert_int_equal(counted(first, 1), 3);
	second = body_of(&counting);
	install(second);
	call_times(2);
	assert_int_equal(counted(second, 0), 15);
	assert_int_equal(counted(second, 1), 2);
	/* Of the same plan, with other fields: everything is kept, the generation too. */
	plan = plan_of(&counting);
	wish.plan = plan;
	wish.like = second;
	assert_int_equal(probe_body(probe, &wish, &same, &error), 0);
	plan_close(plan);
	assert_int_equal(same->generation, second->generation);
	install(same);
	call_times(1);
	assert_int_equal(counted(same, 0), 16);
	assert_int_equal(counted(same, 1), 3);
	/* Another size is another map. */
	larger.maps[0].value_bytes = 24;
	larger.maps[0].entries = 0;
	larger.content_bytes = 0;
	third = body_of(&larger);
	assert_int_not_equal(third->generation, same->generation);
	install(third);
	/* That of a body which only waits has been handed over. */
	fourth = body_of(&counting);
	assert_int_equal(counted(fourth, 0), 10);
	probe_give_back(probe, fourth);
	/* But a body's own goes on, wherever it is. */
	plan = plan_of(&counting);
	wish = (struct probe_wish){.request = &request, .plan = plan, .before = same};
	assert_int_equal(probe_body(probe, &wish, &fourth, &error), 0);
	plan_close(plan);
	assert_int_equal(counted(fourth, 0), 16);
	probe_give_back(probe, fourth);
	probe_give_back(probe, first);
	probe_give_back(probe, second);
	probe_give_back(probe, same);
	probe_give_back(probe, third);
	/* Nobody has it any more: its content is gone. */
	first = body_of(&counting);
	assert_int_equal(counted(first, 0), 10);
	probe_give_back(probe, first);
	first = body_of(NULL);
	install(first);
	probe_give_back(probe, first);
	assert_int_equal(open_fds(), before);
}

static int offset_of(const char *field)
{
	const struct asset *object = asset_embedded("probes/syscall.bpf.o");
	struct schema *schema;
	int offset;

	if (schema_open(&schema, "syscall", object->bytes, object->size, &error))
		fail_msg("%s", error.text);
	offset = (int)schema_field(schema, field)->offset;
	schema_close(schema);
	return offset;
}

static void filters_by_a_set(void **state)
{
	static const struct bpf_insn in_set[] = {
		START,
		LOAD(BPF_W, 2, 6, 0), /* the offset of `number` comes here */
		STORE(BPF_W, 10, -4, 2),
		MOVE(2, 10),
		COMPUTE(BPF_ADD, 2, -4),
		MAP(0),
		CALL(map_lookup_elem),
		JUMP_IF(BPF_JEQ, 0, 0, 2),
		SET(0, 1),
		EXIT,
		SET(0, 0),
		EXIT,
	};
	struct bpf_insn code[COUNT_OF(in_set)];
	const uint32_t with[] = {SYS_getppid, 1}, without[] = {SYS_getpid, 1};
	struct draft draft = {
		.maps = {{.kind = PLAN_SET,
			  .key_bytes = 4,
			  .value_bytes = 4,
			  .max_entries = 1,
			  .entries = 1}},
		.map_count = 1,
		.early = code,
		.early_count = COUNT_OF(code),
		.contents = with,
		.content_bytes = sizeof(with),
	};
	struct event_header last;
	struct body *body;

	(void)state;
	if (geteuid())
		SKIP("needs root");
	memcpy(code, in_set, sizeof(code));
	code[1].off = offset_of("number");
	body = body_of(&draft);
	install(body);
	probe_give_back(probe, body);
	call_times(3);
	assert_int_equal(records(&last), 3);
	draft.contents = without;
	body = body_of(&draft);
	install(body);
	probe_give_back(probe, body);
	call_times(3);
	assert_int_equal(records(&last), 0);
}

static void refused(const struct draft *draft, int err, const char *why)
{
	struct probe_wish wish = {.request = &request};
	struct plan *plan = plan_of(draft);
	struct body *body;

	wish.plan = plan;
	assert_int_equal(probe_body(probe, &wish, &body, &error), err);
	plan_close(plan);
	if (!strstr(error.text, why))
		fail_msg("'%s' instead of '%s'", error.text, why);
}

static void who_refuses_and_why(void **state)
{
	static const struct bpf_insn write_event[] = {START, STORE_IMM(BPF_B, 6, 8, 0), SET(0, 0),
						      EXIT};
	/* Outside the value; and a value that may not be there. */
	static const struct bpf_insn beyond[] = {START, MAP_VALUE_AT(0, 0), LOAD(BPF_DW, 0, 1, 16),
						 EXIT};
	struct draft draft = counting;
	int before;

	(void)state;
	if (geteuid())
		SKIP("needs root");
	before = open_fds();
	draft.late = write_event;
	draft.late_count = COUNT_OF(write_event);
	refused(&draft, -EINVAL, "late stage refused: instruction 1: a store into the event");
	draft.late = beyond;
	draft.late_count = COUNT_OF(beyond);
	refused(&draft, -EACCES,
		DRAFT_TEXT ": the kernel refused the late stage made of it, at instruction 3: "
			   "invalid access to map value");
	assert_int_equal(open_fds(), before);
}

static double now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e6 + now.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
	return *(const double *)a < *(const double *)b ? -1 : 1;
}

/* A filter replaced under way: no call falls between two bodies. */
static void a_swap_is_quick_and_loses_nothing(void **state)
{
	enum { SWAPS = 101 };
	const struct draft draft = {
		.early = pass_all, .early_count = 3, .late = pass_all, .late_count = 3};
	struct probe_totals before, after;
	double took[SWAPS];
	struct event_header last;

	(void)state;
	if (geteuid())
		SKIP("needs root");
	probe_totals(probe, &before);
	for (int i = 0; i < SWAPS; i++) {
		struct plan *plan = plan_of(&draft);
		struct probe_wish wish = {.request = &request, .plan = plan};
		double start = now_us();
		struct body *body;

		assert_int_equal(probe_body(probe, &wish, &body, &error), 0);
		install(body);
		took[i] = now_us() - start;
		plan_close(plan);
		probe_give_back(probe, body);
		call_times(10);
		assert_int_equal(records(&last), 10);
		assert_int_equal(last.stamp >> 24, 1);
	}
	probe_totals(probe, &after);
	assert_int_equal(after.events - before.events, 10 * SWAPS);
	qsort(took, SWAPS, sizeof(*took), compare);
	print_message("# a filter replaced in %.0f us (median), %.0f us (worst)\n", took[SWAPS / 2],
		      took[SWAPS - 1]);
}

/* Generic probes. */

static struct probe_request generic;

static void ask_for(const char *family, const char *function)
{
	char at[PATH_MAX];

	assert_non_null(realpath("/proc/self/exe", at));
	memset(&generic, 0, sizeof(generic));
	assert_true(snprintf(generic.name, sizeof(generic.name), "%s:%s:%s", family, at, function) <
		    PROBE_NAME);
}

static void set_knob(const char *name, double number)
{
	strcpy(generic.knobs[generic.knob_count].name, name);
	generic.knobs[generic.knob_count++].number = number;
}

static void read_by_type(const char *at, uint32_t offset, bool late)
{
	strcpy(generic.typed[generic.typed_count].path, at);
	generic.typed[generic.typed_count].offset = offset;
	generic.typed[generic.typed_count++].late = late;
}

__attribute__((noinline, noclone)) long probed(long value);
__attribute__((noinline, noclone)) long probed(long value)
{
	asm volatile("" : "+r"(value));
	return value + 1;
}

static uint32_t typed_offset(const char *family)
{
	struct asset_bytes object;
	struct schema *schema;
	uint32_t offset;

	assert_int_equal(probe_load_object(&path, family, &object, &error), 0);
	assert_int_equal(schema_open(&schema, family, object.bytes, object.size, &error), 0);
	offset = schema_field(schema, "typed")->offset;
	schema_close(schema);
	asset_unload(&object);
	return offset;
}

/* With a body in its slots. */
static struct probe *open_generic(struct body **body)
{
	struct probe_wish wish = {.request = &generic};
	struct probe *opened;
	uint64_t took_ns;

	if (probe_open(&opened, &generic, 9, &setting, &error) ||
	    probe_body(opened, &wish, body, &error))
		fail_msg("%s", error.text);
	assert_true(probe_install(opened, *body, &took_ns, &error) >= 0);
	probe_give_back(opened, *body); /* the slots keep it */
	return opened;
}

static void generic_probes_report(void **state)
{
	static const char *const families[] = {"uprobe", "uretprobe"};
	struct event_header last;
	struct body *body;
	int before;

	(void)state;
	if (geteuid())
		SKIP("needs root");
	before = open_fds();
	for (int i = 0; i < 2; i++) {
		struct probe *calls;

		ask_for(families[i], "probed");
		read_by_type("args.value", typed_offset(families[i]), false);
		calls = open_generic(&body);
		/* Again and again. */
		for (int round = 0; round < 4; round++) {
			if (probe_attach(calls, &error))
				fail_msg("%s", error.text);
			probed(1);
			probed(2);
			assert_int_equal(records(&last), 2);
			assert_int_equal(last.slot, 9);
			if (round)
				probe_detach(calls);
		}
		probed(3);
		assert_int_equal(records(&last), 0);
		probe_close(calls);
	}
	assert_int_equal(open_fds(), before);
}

static struct probe *muted_meanwhile;

__attribute__((noinline, noclone)) long probed_muting(void);
__attribute__((noinline, noclone)) long probed_muting(void)
{
	if (muted_meanwhile)
		probe_mute(muted_meanwhile);
	return 0;
}

static void a_muted_probe_ends_what_is_under_way(void **state)
{
	struct event_header last;
	struct body *body;
	uint64_t took_ns;

	(void)state;
	if (geteuid())
		SKIP("needs root");
	body = body_of(NULL);
	for (int round = 0; round < 2; round++) {
		install(body);
		call_times(2);
		probe_mute(probe);
		probe_mute(probe);
		call_times(3);
		assert_int_equal(records(&last), 2);
	}
	probe_give_back(probe, body);

	ask_for("uretprobe", "probed_muting");
	muted_meanwhile = open_generic(&body);
	body->references++;
	if (probe_attach(muted_meanwhile, &error))
		fail_msg("%s", error.text);
	for (int round = 0; round < 2; round++) {
		probed_muting(); /* its return is told */
		assert_int_equal(records(&last), 1);
		probed_muting();
		assert_int_equal(records(&last), 0);
		assert_int_equal(probe_install(muted_meanwhile, body, &took_ns, &error), 0);
	}
	probe_give_back(muted_meanwhile, body);
	probe_close(muted_meanwhile);
	muted_meanwhile = NULL;
}

static void a_number_is_that_of_what_it_follows(void **state)
{
	struct probe_wish wish = {.request = &request};
	struct body *bodies[3];

	(void)state;
	if (geteuid())
		SKIP("needs root");
	bodies[0] = body_of(NULL);
	probe_renumber(probe, 12);
	bodies[1] = body_of(NULL);
	wish.before = bodies[0];
	if (probe_body(probe, &wish, &bodies[2], &error))
		fail_msg("%s", error.text);
	assert_int_equal(bodies[0]->slot, 7);
	assert_int_equal(bodies[1]->slot, 12);
	assert_int_equal(bodies[2]->slot, 7);
	for (int i = 0; i < 3; i++) {
		struct event_header last;

		install(bodies[i]);
		call_times(1);
		assert_int_equal(records(&last), 1);
		assert_int_equal(last.slot, bodies[i]->slot);
		probe_give_back(probe, bodies[i]);
	}
	probe_renumber(probe, 7);
}

static void cannot_be_opened(const char *why)
{
	struct probe_wish wish = {.request = &generic};
	int before = open_fds(), err;
	struct probe *none = NULL;
	struct body *body;

	err = probe_open(&none, &generic, 9, &setting, &error);
	if (!err) { /* values of knobs are looked at for a body */
		err = probe_body(none, &wish, &body, &error);
		probe_close(none);
	}
	assert_true(err < 0);
	if (!strstr(error.text, why))
		fail_msg("'%s' instead of '%s'", error.text, why);
	assert_int_equal(open_fds(), before);
}

static void what_a_generic_probe_refuses(void **state)
{
	(void)state;
	if (geteuid())
		SKIP("needs root");
	ask_for("uprobe", "no_such_function");
	cannot_be_opened("no_such_function");
	ask_for("uprobe", "probed");
	*strchr(generic.name, ':') = 0;
	cannot_be_opened("a colon and what it is attached to are missing");
	ask_for("process_exec", "probed");
	cannot_be_opened("nothing can follow its name");
	ask_for("uprobes", "probed");
	cannot_be_opened("uprobe");
	ask_for("uretprobe", "probed+0x1");
	cannot_be_opened("whole function");
	ask_for("uretprobe", "probed");
	set_knob("entries", 1);
	cannot_be_opened("no knob named entries");
	ask_for("uretprobe", "probed");
	set_knob("entry", -1);
	cannot_be_opened("not an integer it can hold");
	ask_for("uretprobe", "probed");
	set_knob("entry", NAN);
	cannot_be_opened("not an integer it can hold");
	ask_for("uprobe", "probed");
	read_by_type("args.value", 8, false);
	cannot_be_opened("no room for args.value at 8");
	ask_for("uprobe", "probed");
	read_by_type("args.other", typed_offset("uprobe"), false);
	cannot_be_opened("other");
	ask_for("uprobe", "probed");
	read_by_type("ret", typed_offset("uprobe"), false);
	cannot_be_opened("ret");
}

/* One whose hooks this kernel lacks, all of them: the reason is the last choice's. */
static void a_choice_whose_hooks_are_missing(void **state)
{
	(void)state;
	if (geteuid())
		SKIP("needs root");
	memset(&generic, 0, sizeof(generic));
	strcpy(generic.name, "fentry:vfs_read+0x10");
	cannot_be_opened("fentry:vfs_read+0x10: ");
	memset(&generic, 0, sizeof(generic));
	strcpy(generic.name, "fentry:vfs_rea[d]");
	cannot_be_opened("a trampoline is for one function");
}

static int programs_of(const struct probe *one, const struct body *body, const char *section)
{
	struct probe_program program;
	int got, count = 0;

	for (int i = 0; (got = probe_program(one, i, body, &program)) >= 0; i++)
		count += got && !strcmp(program.section, section);
	return count;
}

/* The cheapest that there is, and of it only what the knobs call for. */
static void a_knob_leaves_a_program_out(void **state)
{
	(void)state;
	if (geteuid())
		SKIP("needs root");
	for (int entry = 0; entry < 2; entry++) {
		struct probe *returns;
		struct body *body;
		bool many;

		ask_for("uretprobe", "probed");
		set_knob("entry", entry);
		returns = open_generic(&body);
		many = programs_of(returns, body, "uretprobe.multi");
		assert_int_equal(programs_of(returns, body, "uretprobe"), !many);
		assert_int_equal(programs_of(returns, body, many ? "uprobe.multi" : "uprobe"),
				 entry);
		probe_close(returns);
	}
}

static void whom_a_probe_serves(void **state)
{
	struct probe_request *asked = &generic;
	struct probe *own;
	struct body *body;

	(void)state;
	if (geteuid())
		SKIP("needs root");
	ask_for("uretprobe", "probed");
	set_knob("entry", 1);
	read_by_type("args.value", typed_offset("uretprobe"), false);
	own = open_generic(&body);
	assert_true(probe_serves(own, asked));
	asked->typed[0].late = true;
	assert_false(probe_serves(own, asked));
	asked->typed[0].late = false;
	asked->typed[0].offset += 8;
	assert_false(probe_serves(own, asked));
	asked->typed[0].offset -= 8;
	strcpy(asked->typed[0].path, "ret");
	assert_false(probe_serves(own, asked));
	strcpy(asked->typed[0].path, "args.value");
	asked->typed_count = 0;
	assert_false(probe_serves(own, asked));
	asked->typed_count = 1;
	asked->knobs[0].number = 0;
	assert_false(probe_serves(own, asked));
	asked->knobs[0].number = 1;
	assert_true(probe_serves(own, asked));
	strcat(asked->name, "+0");
	assert_false(probe_serves(own, asked));
	probe_close(own);
}

/* Half of its programs are attached when another is refused: none stays. */
static void attached_as_a_whole_or_not_at_all(void **state)
{
	struct rlimit limit, few;
	struct event_header last;
	struct probe *returns;
	struct body *body;
	int before, next;

	(void)state;
	if (geteuid())
		SKIP("needs root");
	ask_for("uretprobe", "probed");
	returns = open_generic(&body);
	before = open_fds();
	next = dup(0);
	close(next);
	getrlimit(RLIMIT_NOFILE, &limit);
	few = limit;
	/* One for the first link; a perf event needs another meanwhile. */
	few.rlim_cur = next + (programs_of(returns, body, "uretprobe.multi") ? 1 : 2);
	setrlimit(RLIMIT_NOFILE, &few);
	assert_true(probe_attach(returns, &error) < 0);
	setrlimit(RLIMIT_NOFILE, &limit);
	assert_int_equal(open_fds(), before);
	assert_int_equal(probe_attach(returns, &error), 0);
	probed(1);
	assert_int_equal(records(&last), 1);
	probe_close(returns);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_pass_without_a_plan),
		cmocka_unit_test(stages_decide),
		cmocka_unit_test(maps_with_names_are_kept),
		cmocka_unit_test(filters_by_a_set),
		cmocka_unit_test(who_refuses_and_why),
		cmocka_unit_test(a_swap_is_quick_and_loses_nothing),
		cmocka_unit_test(generic_probes_report),
		cmocka_unit_test(a_muted_probe_ends_what_is_under_way),
		cmocka_unit_test(a_number_is_that_of_what_it_follows),
		cmocka_unit_test(what_a_generic_probe_refuses),
		cmocka_unit_test(a_choice_whose_hooks_are_missing),
		cmocka_unit_test(a_knob_leaves_a_program_out),
		cmocka_unit_test(whom_a_probe_serves),
		cmocka_unit_test(attached_as_a_whole_or_not_at_all),
	};

	return cmocka_run_group_tests_name("probe", tests, setup, teardown);
}
