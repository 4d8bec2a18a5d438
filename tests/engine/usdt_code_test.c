// SPDX-License-Identifier: Apache-2.0
/* The code that fetches the arguments of static probes, loaded, attached to functions of this
 * process, and run: what it brings lies in a map. */
#include "usdt_code.h"

#include "binary.h"
#include "binary_functions.h"
#include "hook.h"
#include "target.h"
#include "test.h"

#include <bpf/bpf.h>
#include <elf.h>
#include <errno.h>
#include <time.h>

#define MOST 20000 /* instructions */

static struct error error;
static struct usdt_site sites[MOST];
static char texts[MOST][256];

static int setup(void **state)
{
	(void)state;
	memset(sites, 0, sizeof(sites));
	return 0;
}

static void site(int index, const char *text)
{
	snprintf(texts[index], sizeof(texts[0]), "%s", text);
	sites[index].text = texts[index];
	sites[index].argument_count =
		usdt_parse(text, EM_X86_64, 8, sites[index].arguments, &error);
}

/* As a program whose slots are a map's value. */
static int load(const struct bpf_insn *code, int count, int slots_fd)
{
	struct bpf_insn *whole = calloc(count + 2, sizeof(*whole));
	DECLARE_LIBBPF_OPTS(bpf_prog_load_opts, options);
	int fd;

	assert_non_null(whole);
	whole[0] = (struct bpf_insn){.code = BPF_LD | BPF_DW | BPF_IMM,
				     .dst_reg = BPF_REG_2,
				     .src_reg = BPF_PSEUDO_MAP_VALUE,
				     .imm = slots_fd};
	memcpy(whole + 2, code, count * sizeof(*code));
	fd = bpf_prog_load(BPF_PROG_TYPE_KPROBE, "usdt_code", "Dual BSD/GPL", whole, count + 2,
			   &options);
	free(whole);
	return fd;
}

static int slots_map(void)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "slots", 4, 8 * USDT_ARGUMENTS, 1, NULL);

	assert_true(fd >= 0);
	return fd;
}

static int make_and_load(int count, int arguments)
{
	struct bpf_insn *code;
	int made = usdt_code_make(&code, sites, count, arguments), slots = slots_map(), fd;

	assert_true(made > 0);
	fd = load(code, made, slots);
	free(code);
	close(slots);
	return fd;
}

static void nothing_to_fetch(void **state)
{
	struct bpf_insn *code;

	(void)state;
	site(0, "");
	assert_int_equal(usdt_code_make(&code, sites, 1, 6), 4);
	free(code);
	/* What cannot be read stays zero; so does what nobody asks for. */
	site(0, "8@%xmm0");
	assert_int_equal(sites[0].argument_count, 1);
	assert_int_equal(usdt_code_make(&code, sites, 1, 6), 4);
	free(code);
	site(0, "8@%rax 8@%rax 8@%rax 8@%rax 8@%rax 8@%rax 8@%rax 8@%rax");
	assert_int_equal(usdt_code_make(&code, sites, 1, 6), 4 + 2 * 6);
	free(code);
	assert_int_equal(usdt_code_make(&code, sites, 1, USDT_ARGUMENTS), 4 + 2 * 8);
	free(code);
}

/* No more than jumps reach, and soon told: the file may be anybody's. */
static void how_many(void **state)
{
	struct timespec start, end;
	struct bpf_insn *code;
	char text[64];
	int made;

	(void)state;
	for (int i = 0; i < MOST; i++) {
		snprintf(text, sizeof(text), "8@$%d", i);
		site(i, text);
	}
	clock_gettime(CLOCK_MONOTONIC, &start);
	assert_int_equal(usdt_code_make(&code, sites, MOST, 6), -E2BIG);
	assert_int_equal(usdt_code_make(&code, sites, 4000, 6), -E2BIG);
	assert_int_equal(usdt_code_make(&code, sites, 198, 6), -E2BIG);
	assert_int_equal(usdt_code_make(&code, sites, 102, USDT_ARGUMENTS), -E2BIG);
	/* Many of few kinds, the rare ones last. */
	for (int i = 0; i < 3850; i++)
		site(i, "8@$1");
	made = usdt_code_make(&code, sites, 4000, 6);
	assert_true(made > 4000);
	free(code);
	clock_gettime(CLOCK_MONOTONIC, &end);
	assert_true(end.tv_sec - start.tv_sec < 2);
}

static void the_kernel_takes_all_of_it(void **state)
{
	char text[64], twelve[256];
	int fd;

	(void)state;
	if (geteuid())
		SKIP("needs root");
	for (int i = 0; i < 197; i++) {
		snprintf(text, sizeof(text), "-4@%d(%%rdi,%%rsi,8) 1@%%ah 8@%d(%%rax)", i, i);
		site(i, text);
		assert_int_equal(sites[i].argument_count, 3);
	}
	fd = make_and_load(197, 6);
	if (fd < 0)
		fail_msg("197 kinds: %s", strerror(errno));
	close(fd);
	for (int i = 0; i < 4000; i++)
		site(i, i % 2 ? "8@$1" : "8@%rax");
	fd = make_and_load(4000, 6);
	if (fd < 0)
		fail_msg("4,000 sites of two kinds: %s", strerror(errno));
	close(fd);
	for (int i = 0; i < 101; i++) {
		char *at = twelve;

		for (int j = 0; j < USDT_ARGUMENTS; j++)
			at += sprintf(at, "-4@%d(%%rdi,%%rsi) ", 100 * j + i);
		site(i, twelve);
		assert_int_equal(sites[i].argument_count, USDT_ARGUMENTS);
	}
	fd = make_and_load(101, USDT_ARGUMENTS);
	if (fd < 0)
		fail_msg("101 kinds of twelve arguments: %s", strerror(errno));
	close(fd);
}

#ifdef __x86_64__
/* Where the probes are: with a C function's arguments in the registers. */
#define FUNCTION(name)                                                                             \
	void name(const void *rdi, long rsi, long rdx, long rcx, long r8, long r9);                \
	asm(".text\n.globl " #name "\n.type " #name ", @function\n" #name                          \
	    ":\n\tnop\n\tret\n.size " #name ", 2\n")

FUNCTION(place_one);
FUNCTION(place_two);
FUNCTION(place_three);

static const struct {
	int8_t bytes[8];
	int32_t numbers[4];
	uint64_t wide;
} memory = {{-1, -2, -3}, {10, -20, 30, -40}, 0x123456789abcdef0};

static struct target target;
static int slots_fd, program_fd;
static struct hook_links links;

/* Attaches to one function for each site. */
static void attach(int count)
{
	static const char *const names[] = {"place_one", "place_two", "place_three"};
	struct hook hook = {"uprobe", &target, getpid()};
	struct binary *binary;
	struct bpf_insn *code;
	int made = usdt_code_make(&code, sites, count, USDT_ARGUMENTS);

	assert_true(made > 0);
	slots_fd = slots_map();
	program_fd = load(code, made, slots_fd);
	free(code);
	if (program_fd < 0)
		fail_msg("%s", strerror(errno));
	if (binary_open(&binary, "/proc/self/exe", 0, &error))
		fail_msg("%s", error.text);
	target = (struct target){.name = "usdt:test", .text = target.name + 5};
	for (int i = 0; i < count; i++) {
		struct target_place *place = target_add_place(&target, names[i], "/proc/self/exe");

		assert_int_equal(binary_offset(binary, names[i], &place->offset, &error), 0);
	}
	binary_close(binary);
	if (hook_attach(&hook, program_fd, &links, &error))
		fail_msg("%s", error.text);
}

static void detach(void)
{
	hook_detach(&links);
	close(program_fd);
	close(slots_fd);
	for (int i = 0; i < target.place_count; i++) {
		free(target.places[i].name);
		free(target.places[i].symbol);
	}
	free(target.places);
}

/* What the last hit brought; the slots are empty again. */
static const int64_t *brought(void)
{
	static int64_t slots[USDT_ARGUMENTS];
	const int64_t none[USDT_ARGUMENTS] = {0};

	assert_int_equal(bpf_map_lookup_elem(slots_fd, &(uint32_t){0}, slots), 0);
	assert_int_equal(bpf_map_update_elem(slots_fd, &(uint32_t){0}, none, BPF_ANY), 0);
	return slots;
}

static void arguments(const char *text, const int64_t *wanted, int count)
{
	const int64_t *slots;

	site(0, text);
	assert_int_equal(sites[0].argument_count, count);
	attach(1);
	place_one(&memory, -2, 0x1122334455667788, 3, 0xff, -1);
	slots = brought();
	for (int i = 0; i < count; i++)
		if (slots[i] != wanted[i])
			fail_msg("%s: %d: %llx instead of %llx", text, i, (long long)slots[i],
				 (long long)wanted[i]);
	for (int i = count; i < USDT_ARGUMENTS; i++)
		assert_int_equal(slots[i], 0);
	detach();
}

static void all_kinds(void **state)
{
	(void)state;
	if (geteuid())
		SKIP("needs root");
	arguments("4@$7 -4@$-7 8@$-1 -1@$255 1@$-1 8@$81985529216486895",
		  (int64_t[]){7, -7, -1, -1, 255, 81985529216486895}, 6);
	arguments("8@%rsi -8@%rsi 4@%esi -4@%esi 2@%si -1@%sil",
		  (int64_t[]){-2, -2, 0xfffffffe, -2, 0xfffe, -2}, 6);
	arguments("1@%dl 1@%dh -1@%dl -2@%dx 4@%edx 8@%rdx",
		  (int64_t[]){0x88, 0x77, (int8_t)0x88, 0x7788, 0x55667788, 0x1122334455667788}, 6);
	arguments("-1@(%rdi) 1@1(%rdi) -2@(%rdi) 4@12(%rdi) -4@12(%rdi) 8@24(%rdi)",
		  (int64_t[]){-1, 0xfe, -257, (uint32_t)-20, -20, 0x123456789abcdef0}, 6);
	arguments(
		"-4@8(%rdi,%rcx,4) -4@16(%rdi,%rsi,4) -4@-4(%rdi,%rcx,8) -1@-1(%rdi,%rcx) 8@(%r9)",
		(int64_t[]){-40, 10, -40, -3, 0}, 5);
	arguments("4@$7 -4@%esi 1@%dl -2@%dx -1@(%rdi) 8@24(%rdi) -4@$-7 8@%rsi 1@%dh -1@1(%rdi) "
		  "-4@8(%rdi,%rcx,4) 4@12(%rdi)",
		  (int64_t[]){7, -2, 0x88, 0x7788, -1, 0x123456789abcdef0, -7, -2, 0x77, -2, -40,
			      (uint32_t)-20},
		  USDT_ARGUMENTS);
}

/* Of each its own, by the number of its link. */
static void several_sites(void **state)
{
	const int64_t *slots;

	(void)state;
	if (geteuid())
		SKIP("needs root");
	site(0, "8@%rsi");
	site(1, "-4@8(%rdi) 8@%rdx");
	site(2, "8@%rsi");
	attach(3);
	place_one(&memory, 1, 2, 3, 4, 5);
	slots = brought();
	assert_true(slots[0] == 1 && slots[1] == 0);
	place_two(&memory, 1, 2, 3, 4, 5);
	slots = brought();
	assert_true(slots[0] == 10 && slots[1] == 2);
	place_three(&memory, 7, 2, 3, 4, 5);
	slots = brought();
	assert_true(slots[0] == 7 && slots[1] == 0);
	detach();
}
#else
static void all_kinds(void **state)
{
	(void)state;
	SKIP("its registers are those of x86-64");
}

static void several_sites(void **state)
{
	all_kinds(state);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(nothing_to_fetch, setup),
		cmocka_unit_test_setup(how_many, setup),
		cmocka_unit_test_setup(the_kernel_takes_all_of_it, setup),
		cmocka_unit_test_setup(all_kinds, setup),
		cmocka_unit_test_setup(several_sites, setup),
	};

	return cmocka_run_group_tests_name("usdt_code", tests, NULL, NULL);
}
