// SPDX-License-Identifier: Apache-2.0
#include "usdt.h"

#include "binary.h"
#include "test.h"

#include <elf.h>
#include <errno.h>
#include <sys/ptrace.h>
#include <sys/user.h>

static struct binary *binary;
static struct usdt_sites sites;
static struct error error;

static int teardown(void **state)
{
	(void)state;
	usdt_sites_free(&sites);
	binary_close(binary);
	binary = NULL;
	return 0;
}

static int find(const char *path, const char *probe)
{
	teardown(NULL);
	error.text[0] = 0;
	if (binary_open(&binary, path, 0, &error))
		fail_msg("%s", error.text);
	return usdt_find(binary, probe, &sites, &error);
}

/* One argument, as text that reads like what it is. */
static const char *as_text(const struct usdt_argument *argument)
{
	static char text[128];
	size_t length;

	length = snprintf(text, sizeof(text), "%c%d ", argument->is_signed ? 'i' : 'u',
			  8 * argument->bytes);
	switch (argument->kind) {
	case USDT_CONSTANT:
		snprintf(text + length, sizeof(text) - length, "%lld", (long long)argument->value);
		break;
	case USDT_REGISTER:
		snprintf(text + length, sizeof(text) - length, "@%d>>%d", argument->base,
			 argument->shift);
		break;
	case USDT_MEMORY:
		snprintf(text + length, sizeof(text) - length, "[@%d+@%d*%d%+lld]", argument->base,
			 argument->index, argument->scale, (long long)argument->value);
		break;
	}
	return text;
}

struct example {
	const char *text, *expected;
};

static void check_examples(uint16_t machine, const struct example *examples, size_t count)
{
	struct usdt_argument arguments[USDT_ARGUMENTS];

	for (size_t i = 0; i < count; i++) {
		if (usdt_parse(examples[i].text, machine, 8, arguments, &error) != 1)
			fail_msg("'%s': %s", examples[i].text, error.text);
		assert_string_equal(as_text(&arguments[0]), examples[i].expected);
	}
}

static void arguments_of_x86(void **state)
{
	static const struct example examples[] = {
		{"-4@%eax", "i32 @80>>0"},
		{"8@%rdi", "u64 @112>>0"},
		{"1@%dil", "u8 @112>>0"},
		{"-1@%ah", "i8 @80>>8"},
		{"2@%r10w", "u16 @56>>0"},
		{"8@%rsp", "u64 @152>>0"},
		{"8@$5", "u64 5"},
		{"-4@$-9", "i32 -9"},
		{"8@$0x10", "u64 16"},
		{"-8@-16(%rbp)", "i64 [@32+@-1*1-16]"},
		{"8@(%rax)", "u64 [@80+@-1*1+0]"},
		{"4@8(%rax,%rbx,4)", "u32 [@80+@40*4+8]"},
		{"4@(%rax,%rbx)", "u32 [@80+@40*1+0]"},
		{"4@16(,%rcx,8)", "u32 [@-1+@88*8+16]"},
		{"4@16+8(%rsp)", "u32 [@152+@-1*1+24]"},
		{"%rax", "u64 @80>>0"},
		{"  -4@%eax  ", "i32 @80>>0"},
	};

	(void)state;
	check_examples(EM_X86_64, examples, COUNT_OF(examples));
}

static void arguments_of_arm64(void **state)
{
	static const struct example examples[] = {
		{"-4@x0", "i32 @0>>0"},
		{"4@w30", "u32 @240>>0"},
		{"8@sp", "u64 @248>>0"},
		{"8@xzr", "u64 0"},
		{"8@[sp]", "u64 [@248+@-1*1+0]"},
		{"8@[sp, 16]", "u64 [@248+@-1*1+16]"},
		{"-4@[x29, -20]", "i32 [@232+@-1*1-20]"},
		{"8@[x0,#8]", "u64 [@0+@-1*1+8]"},
		{"8@[x1, x2, lsl 3]", "u64 [@8+@16*8+0]"},
		{"8@[x1, x2]", "u64 [@8+@16*1+0]"},
		{"-4@5", "i32 5"},
		{"-4@-5", "i32 -5"},
	};
	struct usdt_argument arguments[USDT_ARGUMENTS];

	(void)state;
	check_examples(EM_AARCH64, examples, COUNT_OF(examples));
	assert_int_equal(
		usdt_parse("-4@[sp, 12] 8@x1 8@[sp, 16]", EM_AARCH64, 8, arguments, &error), 3);
	assert_int_equal(arguments[2].value, 16);
}

/* What cannot be read, and what can on either side of it. */
static void is_one_of_three(const char *operand, const char *good, uint16_t machine)
{
	struct usdt_argument arguments[USDT_ARGUMENTS];
	char text[128];

	snprintf(text, sizeof(text), "%s %s %s", good, operand, good);
	assert_int_equal(usdt_parse(text, machine, 8, arguments, &error), 3);
	assert_int_equal(arguments[1].kind, USDT_UNREADABLE);
	assert_int_not_equal(arguments[0].kind, USDT_UNREADABLE);
	assert_memory_equal(&arguments[0], &arguments[2], sizeof(arguments[0]));
}

static void what_cannot_be_read(void **state)
{
	static const char *const x86[] = {"8@foo(%rip)", "8@(%rip)", "8f@%xmm0",
					  "-8f@(%rax)",	 "16@%xmm0", "8@%xmm0",
					  "8@$foo",	 "8@foo",    "8@%fs:16(%rax)"};
	static const char *const arm64[] = {"8@d0", "8f@s1", "8@v3", "8@[x0, w1, sxtw 3]", "8@foo"};
	static const char *const bad[] = {
		"8@",	   "@%rax",    "3@%rax",	  "8@%",       "8@(",
		"8@(%rax", "8@(%rax,", "8@(%rax,%rbx,3)", "8@()",      "8@%raxx %rax)",
		"8@5",	   "-@%eax",   "8@%rax,",	  "8@-(%rax)", "99999999999999999999@%rax"};
	struct usdt_argument arguments[USDT_ARGUMENTS];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(x86); i++)
		is_one_of_three(x86[i], "4@%eax", EM_X86_64);
	for (size_t i = 0; i < COUNT_OF(arm64); i++)
		is_one_of_three(arm64[i], "8@[sp, 16]", EM_AARCH64);
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		if (usdt_parse(bad[i], EM_X86_64, 8, arguments, &error) >= 0)
			fail_msg("'%s' was read", bad[i]);
	assert_int_equal(usdt_parse("8@x31", EM_AARCH64, 8, arguments, &error), -EINVAL);
	assert_int_equal(usdt_parse("8@[sp", EM_AARCH64, 8, arguments, &error), -EINVAL);
	assert_int_equal(usdt_parse("8@r3", EM_PPC64, 8, arguments, &error), -EOPNOTSUPP);
}

static void as_many_as_there_are(void **state)
{
	struct usdt_argument arguments[USDT_ARGUMENTS];

	(void)state;
	assert_int_equal(usdt_parse("", EM_X86_64, 8, arguments, &error), 0);
	assert_int_equal(
		usdt_parse("1@$1 1@$2 1@$3 1@$4 1@$5 1@$6 1@$7 1@$8 1@$9 1@$10 1@$11 1@$12",
			   EM_X86_64, 8, arguments, &error),
		12);
	assert_int_equal(arguments[11].value, 12);
	assert_int_equal(
		usdt_parse("1@$1 1@$2 1@$3 1@$4 1@$5 1@$6 1@$7 1@$8 1@$9 1@$10 1@$11 1@$12 1@$13",
			   EM_X86_64, 8, arguments, &error),
		-EINVAL);
}

#ifdef __x86_64__
/* The kernel's and the C library's struct are the same down to ss. */
static void offsets_are_those_of_pt_regs(void **state)
{
	struct usdt_argument arguments[USDT_ARGUMENTS];

	(void)state;
	assert_int_equal(usdt_parse("8@%rax 8@%rdi 8@%rsp 8@%rbp 8@%r8 8@%r15", EM_X86_64, 8,
				    arguments, &error),
			 6);
	assert_int_equal(arguments[0].base, offsetof(struct user_regs_struct, rax));
	assert_int_equal(arguments[1].base, offsetof(struct user_regs_struct, rdi));
	assert_int_equal(arguments[2].base, offsetof(struct user_regs_struct, rsp));
	assert_int_equal(arguments[3].base, offsetof(struct user_regs_struct, rbp));
	assert_int_equal(arguments[4].base, offsetof(struct user_regs_struct, r8));
	assert_int_equal(arguments[5].base, offsetof(struct user_regs_struct, r15));
}
#endif

/* That byte of the file is a nop (x86). */
static void assert_nop(uint64_t offset)
{
#ifdef __x86_64__
	unsigned char byte = 0;

	assert_int_equal(pread(binary->fd, &byte, 1, (off_t)offset), 1);
	assert_int_equal(byte, 0x90);
#else
	(void)offset;
#endif
}

static void sites_of_a_program(void **state)
{
	static const char *const programs[] = {"program", "program_fixed", "program_stripped"};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(programs); i++) {
		assert_int_equal(find(target_path(programs[i]), "target:twice"), 0);
		assert_int_equal(sites.count, 2);
		assert_true(sites.list[0].offset < sites.list[1].offset);
		assert_nop(sites.list[0].offset);
		assert_nop(sites.list[1].offset);
		assert_int_equal(sites.list[0].argument_count, 1);
		assert_int_equal(sites.list[0].arguments[0].bytes, 8);
		assert_true(sites.list[0].arguments[0].is_signed);
		assert_int_equal(sites.list[1].arguments[0].kind, USDT_CONSTANT);
		assert_int_equal(sites.list[1].arguments[0].value, -5);
		assert_int_equal(sites.list[0].semaphore, 0);

		assert_int_equal(find(target_path(programs[i]), "target:text"), 0);
		assert_int_equal(sites.count, 1);
		assert_int_equal(sites.list[0].argument_count, 3);
		assert_int_equal(sites.list[0].arguments[1].bytes, 1);
		assert_int_equal(sites.list[0].arguments[2].value, 7);

		assert_int_equal(find(target_path(programs[i]), "floating"), 0);
		assert_string_equal(sites.list[0].provider, "other");
		assert_int_equal(sites.list[0].argument_count, 1);
		assert_int_equal(sites.list[0].arguments[0].kind, USDT_UNREADABLE);

		assert_int_equal(find(target_path(programs[i]), "*:*"), 0);
		assert_int_equal(sites.count, 6);
		assert_string_equal(sites.list[0].provider, "other");
		assert_string_equal(sites.list[1].name, "add");
		assert_int_equal(find(target_path(programs[i]), "target:t*"), 0);
		assert_int_equal(sites.count, 3);
	}
}

static void a_semaphore(void **state)
{
	uint64_t address;

	(void)state;
	assert_int_equal(find(target_path("library.so"), "library:greet"), 0);
	assert_int_equal(sites.count, 1);
	assert_nop(sites.list[0].offset);
	assert_true(sites.list[0].semaphore > 0);
	assert_int_equal(binary_address_of(binary, sites.list[0].semaphore, &address), 0);
	assert_int_not_equal(address, sites.list[0].semaphore); /* of another segment */
}

static void errors_name_the_nearest(void **state)
{
	(void)state;
	assert_int_equal(find(target_path("program"), "target:twise"), -ENOENT);
	assert_non_null(
		strstr(error.text, "no USDT probe target:twise; did you mean target:twice?"));
	assert_int_equal(find(target_path("program"), "strat"), -ENOENT);
	assert_non_null(strstr(error.text, "did you mean start?"));
	assert_int_equal(find(target_path("program"), "target:"), -EINVAL);
	assert_int_equal(find("/bin/true", "*:*"), -ENOENT);
	assert_non_null(strstr(error.text, "/bin/true has no USDT probes"));
}

static void a_program_of_debian(void **state)
{
	struct binary *gcc = NULL;

	(void)state;
	/* It is linked with a libstdc++ that has libstdcxx:throw, :rethrow and :catch. */
	if (binary_open(&gcc, "/usr/bin/gcc", 0, &error) ||
	    usdt_find(gcc, "libstdcxx:*", &sites, &error)) {
		binary_close(gcc);
		SKIP("this gcc has no USDT probes");
	}
	binary = gcc;
	assert_true(sites.count >= 3);
	for (size_t i = 0; i < sites.count; i++) {
		assert_nop(sites.list[i].offset);
		assert_int_equal(sites.list[i].argument_count, 2);
	}
	assert_string_equal(sites.list[0].name, "catch");
}

/* As if prelink had moved all by 0x100: it corrects what it knows of, and not the notes. */
static void a_program_that_was_moved(void **state)
{
	static unsigned char bytes[1 << 20];
	struct usdt_site sites_before[16];
	char folder[64];
	size_t count;
	ssize_t size;
	int fd;

	(void)state;
	assert_int_equal(find(target_path("library.so"), "*:*"), 0);
	count = sites.count;
	assert_true(count && count <= COUNT_OF(sites_before));
	memcpy(sites_before, sites.list, count * sizeof(*sites_before));
	fd = open(target_path("library.so"), O_RDONLY | O_CLOEXEC);
	size = read(fd, bytes, sizeof(bytes));
	close(fd);
	for (ssize_t i = 0; i + 32 < size; i++)
		for (int word = 0; !memcmp(bytes + i, "stapsdt", 8) && word < 3; word++) {
			uint64_t address;

			memcpy(&address, bytes + i + 8 + 8 * word, sizeof(address));
			address -= 0x100;
			memcpy(bytes + i + 8 + 8 * word, &address, sizeof(address));
		}
	scratch_make(folder);
	fd = open(scratch_path(folder, "moved"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_int_equal(write(fd, bytes, size), size);
	close(fd);
	assert_int_equal(find(scratch_path(folder, "moved"), "*:*"), 0);
	assert_int_equal(sites.count, count);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(sites.list[i].offset, sites_before[i].offset);
		assert_int_equal(sites.list[i].semaphore, sites_before[i].semaphore);
	}
	scratch_remove(folder);
}

/* Notes with every byte changed in turn. */
static void broken_notes(void **state)
{
	static unsigned char good[1 << 20];
	char folder[64];
	ssize_t size;
	int fd;

	(void)state;
	scratch_make(folder);
	fd = open(target_path("program"), O_RDONLY | O_CLOEXEC);
	size = read(fd, good, sizeof(good));
	close(fd);
	for (ssize_t i = 0; i + 8 < size; i++) {
		if (memcmp(good + i, "stapsdt", 8))
			continue;
		for (ssize_t at = i - 12; at < i + 64 && at < size; at++) {
			unsigned char kept = good[at];

			good[at] = at % 2 ? 0xff : (unsigned char)(kept + 0x41);
			fd = open(scratch_path(folder, "bad"),
				  O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
			assert_int_equal(write(fd, good, size), size);
			close(fd);
			find(scratch_path(folder, "bad"), "*:*");
			good[at] = kept;
		}
	}
	scratch_remove(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arguments_of_x86),
		cmocka_unit_test(arguments_of_arm64),
		cmocka_unit_test(what_cannot_be_read),
		cmocka_unit_test(as_many_as_there_are),
#ifdef __x86_64__
		cmocka_unit_test(offsets_are_those_of_pt_regs),
#endif
		cmocka_unit_test_teardown(sites_of_a_program, teardown),
		cmocka_unit_test_teardown(a_semaphore, teardown),
		cmocka_unit_test_teardown(a_program_that_was_moved, teardown),
		cmocka_unit_test_teardown(errors_name_the_nearest, teardown),
		cmocka_unit_test_teardown(a_program_of_debian, teardown),
		cmocka_unit_test_teardown(broken_notes, teardown),
	};

	return cmocka_run_group_tests_name("usdt", tests, NULL, NULL);
}
