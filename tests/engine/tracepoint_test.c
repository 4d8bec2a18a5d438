// SPDX-License-Identifier: Apache-2.0
/* Formats of records, plain, odd and hostile, and the roots that are made of them. */
#include "target.h"
#include "tracepoint_format.h"
#include "tracepoint_types.h"

#include "test.h"

#include <bpf/btf.h>
#include <errno.h>

static struct error error;
static struct tracepoint_format format;
static struct typed_source source;

static const char common[] = "name: made_up\nID: 7\nformat:\n"
			     "\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"
			     "\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n";

/* The fields as "here int x +8 4s" lines; what was parsed stays in `format`. */
static const char *parsed(const char *fields, const char *print)
{
	static const char *const where[] = {"", "at ", "behind "};
	static char text[8192];
	size_t at = 0;

	tracepoint_format_free(&format);
	snprintf(text, sizeof(text), "%s%s\nprint fmt: %s\n", common, fields, print);
	if (tracepoint_format_parse(&format, text, &error))
		return error.text;
	*text = 0;
	for (int i = 0; i < format.count; i++) {
		const struct tracepoint_field *field = &format.fields[i];

		at += sprintf(text + at, "%s%s%s%s %s +%u %u%s", i ? ", " : "", where[field->where],
			      field->type, field->is_array ? "[]" : "", field->name, field->offset,
			      field->bytes, field->is_signed ? "s" : "");
		for (int j = 0; j < field->value_count; j++)
			at += sprintf(text + at, " %s=%lld", field->values[j].name,
				      (long long)field->values[j].value);
	}
	return text;
}

#define FIELD(declaration, offset, size)                                                           \
	"\tfield:" declaration ";\toffset:" #offset ";\tsize:" #size ";\tsigned:0;\n"
#define SIGNED(declaration, offset, size)                                                          \
	"\tfield:" declaration ";\toffset:" #offset ";\tsize:" #size ";\tsigned:1;\n"

static void fields_are_read(void **state)
{
	(void)state;
	assert_string_equal(parsed(SIGNED("pid_t pid", 8, 4), ""), "pid_t pid +8 4s");
	assert_string_equal(parsed(FIELD("char comm[16]", 8, 16), ""), "char[] comm +8 16");
	assert_string_equal(parsed(FIELD("const char * filename", 24, 8), ""),
			    "const char * filename +24 8");
	assert_string_equal(parsed(FIELD("char *name", 24, 8), ""), "char * name +24 8");
	assert_string_equal(parsed(FIELD("__data_loc char[] name", 8, 4), ""),
			    "at char[] name +8 4");
	assert_string_equal(parsed(FIELD("__rel_loc char[] name", 8, 4), ""),
			    "behind char[] name +8 4");
	assert_string_equal(parsed(FIELD("__data_loc cpumask_t mask", 8, 4), ""),
			    "at cpumask_t mask +8 4");
	assert_string_equal(
		parsed(FIELD("u8 addr[4]", 8, 4) FIELD("enum zone_type zone", 12, 4), ""),
		"u8[] addr +8 4, enum zone_type zone +12 4");
}

/* What cannot be understood is as if it was not there. */
static void odd_fields_are_left_out(void **state)
{
	static const char *const odd[] = {
		FIELD("int", 8, 4),
		FIELD("", 8, 4),
		FIELD("int 1x", 8, 4),
		FIELD("void (*fn)(int)", 8, 8),
		FIELD("int x[2][2]", 8, 16),
		FIELD("int x]", 8, 4),
		FIELD("x[", 8, 4),
		FIELD("[4]", 8, 4),
		FIELD("unsigned long args[]", 24, 0),
		FIELD("int x", 4294967295, 4),
		FIELD("int x", 8189, 4),
		FIELD("int x", 8, 8193),
		FIELD("__data_loc char[] x", 8, 8),
		"\tfield:int x;\toffset:8;\tsize:4;\n",
		"\tfield:int x;\toffset:a;\tsize:4;\tsigned:0;\n",
		"\tfield:int x",
		"\tfield:",
		"field",
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(odd); i++) {
		char both[512];

		snprintf(both, sizeof(both), "%s\n%s", odd[i], FIELD("int last", 16, 4));
		if (strcmp(parsed(both, ""), "int last +16 4"))
			fail_msg("%s", odd[i]);
	}
}

static void nothing_too_long_is_read(void **state)
{
	char fields[8000], name[600];
	size_t at = 0;

	(void)state;
	memset(name, 'x', sizeof(name));
	name[TRACEPOINT_NAME] = 0;
	snprintf(fields, sizeof(fields), "\tfield:int %s; offset:8; size:4; signed:0;\n", name);
	assert_string_equal(parsed(fields, ""), "");
	snprintf(fields, sizeof(fields), "\tfield:%s%s x; offset:8; size:4; signed:0;\n", name,
		 name);
	assert_string_equal(parsed(fields, ""), "");
	name[TRACEPOINT_NAME] = 'x';
	name[sizeof(name) - 1] = 0;
	snprintf(fields, sizeof(fields), "\tfield:int %s; offset:8; size:4; signed:0;\n", name);
	assert_string_equal(parsed(fields, ""), "");
	for (int i = 0; i < 160; i++)
		at += sprintf(fields + at, "\tfield:int x%d; offset:8; size:4; signed:0;\n", i);
	parsed(fields, "");
	assert_int_equal(format.count, TRACEPOINT_FIELDS);
	tracepoint_format_free(&format);
	assert_int_equal(tracepoint_format_parse(&format, "", &error), -EINVAL);
	tracepoint_format_free(&format);
	assert_int_equal(tracepoint_format_parse(&format, "format:", &error), -EINVAL);
	tracepoint_format_free(&format);
	assert_int_equal(tracepoint_format_parse(&format, "format:\n", &error), 0);
	tracepoint_format_free(&format);
}

static void numbers_have_the_kernels_names(void **state)
{
	static const char field[] = SIGNED("int state", 8, 4);

	(void)state;
	assert_string_equal(parsed(field, "\"%s\", __print_symbolic(REC->state, { 1, \"ON\" }, "
					  "{ 0x2, \"OFF\" }, { -1, \"BAD\" }, { 4UL, \"FOUR\" })"),
			    "int state +8 4s ON=1 OFF=2 BAD=-1 FOUR=4");
	/* Those of another field; names of numbers; expressions; what ends too soon. */
	assert_string_equal(parsed(field, "__print_symbolic(REC->states, { 1, \"ON\" })"),
			    "int state +8 4s");
	assert_string_equal(parsed(field, "__print_symbolic(REC->state, { TCP_ON, \"ON\" }, "
					  "{ (1 << 2), \"FOUR\" }, { 3, \"\" }, { 8, \"EIGHT\" })"),
			    "int state +8 4s EIGHT=8");
	assert_string_equal(parsed(field, "__print_symbolic(REC->state, { 1, \"ON\" }, { 2, \"OF"),
			    "int state +8 4s ON=1");
	assert_string_equal(parsed(field, "__print_symbolic(REC->state, { 1, \"ON"),
			    "int state +8 4s");
	assert_string_equal(parsed(field, "__print_symbolic(REC->state, "), "int state +8 4s");
	assert_string_equal(parsed(field, "__print_symbolic(REC->state"), "int state +8 4s");
	assert_string_equal(parsed(field, "__print_symbolic(REC->state, { 1, \"ON\" }, "
					  "{ 1, \"AGAIN\" })"),
			    "int state +8 4s ON=1");
}

static void many_have_what_all_have(void **state)
{
	struct tracepoint_format first;

	(void)state;
	parsed(FIELD("int same", 8, 4) FIELD("int moved", 12, 4) FIELD("int other", 16, 4)
		       FIELD("int gone", 20, 4),
	       "__print_symbolic(REC->moved, { 1, \"ON\" })");
	first = format;
	format = (struct tracepoint_format){0};
	parsed(FIELD("int same", 8, 4) FIELD("int moved", 16, 4) FIELD("long other", 16, 4), "");
	tracepoint_format_share(&first, &format);
	assert_int_equal(first.count, 1);
	assert_string_equal(first.fields[0].name, "same");
	tracepoint_format_free(&first);
}

static const char *root(const char *path)
{
	static const char *const reads[] = {"number", "bits", "bytes", "text", "string", "dynamic"};
	static char line[300];
	struct typed *typed;
	size_t at;

	if (typed_resolve(&typed, &source, path, &error))
		return error.text;
	at = sprintf(line, "%c%u %s %s", typed->field.kind ? (int)typed->field.kind : '-',
		     typed->field.bytes, *typed->field.type ? typed->field.type : "-",
		     reads[typed->access.read]);
	for (int i = 0; i < typed->access.steps; i++)
		at += sprintf(line + at, " +%u%s", typed->access.at[i],
			      typed->access.user >> i & 1 ? "u" : "");
	if (typed->field.value_count)
		sprintf(line + at, " %s", typed->field.values[0].name);
	assert_true(typed->access.is_context);
	typed_free(typed);
	return line;
}

static void make(struct btf *kernel, const char *category, const char *event, const char *fields)
{
	typed_source_free(&source);
	parsed(fields, "__print_symbolic(REC->state, { 1, \"ON\" })");
	assert_int_equal(typed_tracepoint(&source, kernel, &format, category, event, &error), 0);
}

/* Without types there are integers, text and addresses. */
static void a_kernel_without_types(void **state)
{
	(void)state;
	make(NULL, "made", "up",
	     SIGNED("pid_t pid", 8, 4) FIELD("sector_t at", 16, 8) FIELD("char comm[16]", 24, 16)
		     FIELD("__data_loc char[] name", 40, 4) FIELD("__data_loc u8[] bytes", 44, 4)
			     FIELD("const struct sock * sk", 48, 8) FIELD("int state", 56, 4) FIELD(
				     "struct odd odd", 60, 3) FIELD("__rel_loc char[] r", 64, 4)
				     FIELD("dev_t dev", 68, 4) FIELD("odd_t x[5]", 72, 20));
	assert_string_equal(root("args.pid"), "i4 - number +8");
	assert_string_equal(root("args.at"), "u8 - number +16");
	assert_string_equal(root("args.comm"), "c16 - text +24");
	assert_string_equal(root("args.name"), "c64 - dynamic +40");
	assert_string_equal(root("args.r"), "c64 - dynamic +64");
	assert_string_equal(root("args.name.x"), "args.name is text, not a struct");
	assert_string_equal(
		root("args.bytes"),
		"args.bytes of up is a list whose length changes, which cannot be read");
	assert_string_equal(root("args.sk"), "u8 - number +48");
	assert_string_equal(root("args.state"), "i4 - number +56 ON");
	assert_string_equal(root("args.dev"), "u4 device_number number +68");
	assert_string_equal(root("args.odd"),
			    "args.odd of up has a type that this kernel's BTF does not have");
	assert_string_equal(root("args.x"),
			    "args.x of up has a type that this kernel's BTF does not have");
	assert_string_equal(root("args.pdi"), "args has no 'pdi'; up has pid, at, comm, name, "
					      "bytes, sk, state, odd, r, dev, x");
}

/* Words of 64 bits with what is known of them. */
static void a_system_call(void **state)
{
	struct btf *kernel = btf__load_vmlinux_btf();

	(void)state;
	if (!kernel)
		SKIP("needs /sys/kernel/btf/vmlinux");
	make(kernel, "syscalls", "sys_enter_openat",
	     SIGNED("int __syscall_nr", 8, 4) FIELD("int dfd", 16, 8)
		     FIELD("const char * filename", 24, 8) FIELD("int flags", 32, 8)
			     FIELD("umode_t mode", 40, 8) FIELD("struct sockaddr * addr", 48, 8)
				     FIELD("const char *const * argv", 56, 8)
					     FIELD("__data_loc char[] copy", 64, 4));
	assert_string_equal(root("args.__syscall_nr"), "i4 syscall_number number +8");
	assert_string_equal(root("args.dfd"), "i4 - number +16");
	assert_string_equal(root("args.filename"), "c64 - string +24 +0u");
	assert_string_equal(root("args.flags"), "i4 flags_open number +32");
	assert_string_equal(root("args.flags_bits"), "i4 - number +32");
	assert_string_equal(root("args.mode"), "u2 mode_octal number +40");
	assert_string_equal(root("args.addr.sa_family"), "u2 sa_family_t number +48 +0u");
	assert_string_equal(root("args.argv[1]"), "c64 - string +56 +8u +0u");
	assert_string_equal(root("args.copy"),
			    "args.copy of sys_enter_openat is no part of what a program gets");
	make(kernel, "syscalls", "sys_exit_openat", SIGNED("long ret", 16, 8));
	assert_string_equal(root("args.ret"), "i8 syscall_result number +16");
	/* The format rules where the types disagree. */
	make(kernel, "made", "up",
	     SIGNED("umode_t mode", 8, 4) FIELD("__u8 saddr_v6[16]", 16, 16)
		     FIELD("struct task_struct * task", 32, 8) FIELD("enum no_such what", 40, 4)
			     FIELD("bool flag", 44, 1) FIELD("unsigned long long big", 48, 8));
	assert_string_equal(root("args.mode"), "i4 - number +8");
	assert_string_equal(root("args.saddr_v6"), "s16 ip_address bytes +16");
	assert_string_equal(root("args.task.pid"), root("args.task.pid"));
	assert_string_equal(root("args.what"), "u4 - number +40");
	assert_string_equal(root("args.flag"), "b1 - number +44");
	assert_string_equal(root("args.big"), "u8 - number +48");
	btf__free(kernel);
}

static const char *opened(const char *name)
{
	const struct target_setting setting = {0};
	static char text[300];
	struct target *target;

	if (target_open(&target, "tracepoint", name, &setting, &error))
		return error.text;
	snprintf(text, sizeof(text), "%d %s %s%s", target->place_count, target->places[0].name,
		 target->places[0].symbol, target->is_wildcard ? " *" : "");
	target_close(target);
	return text;
}

static void names_are_looked_up(void **state)
{
	int fds = open_fds();

	(void)state;
	if (geteuid())
		SKIP("needs root, for tracefs");
	assert_string_equal(opened("tracepoint:sched:sched_switch"),
			    "1 sched_switch sched/sched_switch");
	assert_string_equal(opened("tracepoint:sched:sched_process_fo*"),
			    "1 sched_process_fork sched/sched_process_fork *");
	assert_string_equal(opened("tracepoint:sche[d]:sched_process_fork"),
			    "1 sched:sched_process_fork sched/sched_process_fork *");
	assert_string_equal(
		opened("tracepoint:shced:sched_switch"),
		"probe tracepoint:shced:sched_switch: this kernel has no category shced of "
		"tracepoints; did you mean 'sched'?");
	assert_string_equal(opened("tracepoint:sched:sched_swich"),
			    "probe tracepoint:sched:sched_swich: this kernel has no tracepoint "
			    "sched_swich in sched; did you mean 'sched_switch'?");
	assert_string_equal(opened("tracepoint:sched_switch"),
			    "probe tracepoint:sched_switch: a tracepoint is CATEGORY:NAME, as "
			    "tracepoint:sched:sched_switch");
	assert_string_equal(opened("tracepoint:../x:y"),
			    "probe tracepoint:../x:y: a tracepoint is CATEGORY:NAME, as "
			    "tracepoint:CATEGORY:NAME");
	assert_string_equal(
		opened("tracepoint:sched:zz*"),
		"probe tracepoint:sched:zz*: this kernel has no tracepoint zz* in sched");
	/* They are records, without anything to attach to. */
	assert_string_equal(opened("tracepoint:ftrace:*"),
			    "probe tracepoint:ftrace:*: this kernel has no tracepoint * in ftrace");
	assert_int_equal(open_fds(), fds);
}

static int teardown(void **state)
{
	(void)state;
	typed_source_free(&source);
	tracepoint_format_free(&format);
	return 0;
}

#define EACH(test) cmocka_unit_test_teardown(test, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(fields_are_read),
		EACH(odd_fields_are_left_out),
		EACH(nothing_too_long_is_read),
		EACH(numbers_have_the_kernels_names),
		EACH(many_have_what_all_have),
		EACH(a_kernel_without_types),
		EACH(a_system_call),
		EACH(names_are_looked_up),
	};

	return cmocka_run_group_tests_name("tracepoint", tests, NULL, NULL);
}
