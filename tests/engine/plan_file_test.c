// SPDX-License-Identifier: Apache-2.0
#include "plan_file.h"

#include "stage.h"
#include "test.h"

#include <errno.h>

#define ROOM 4096

static const struct bpf_insn early[] = {START, SET(0, 1), EXIT};
static const struct bpf_insn late[] = {START, SET(0, 255), EXIT};
static const unsigned char contents[] = {0,   0,   0, 0,   5,	0,
					 0,   0,   0, 0,   0,	0,  /* values: 0 -> 5 */
					 'a', 'b', 1, 'c', 'd', 1}; /* set: ab, cd */

static const struct draft usual = {
	.maps = {{.kind = PLAN_VALUES,
		  .key_bytes = 4,
		  .value_bytes = 8,
		  .max_entries = 1,
		  .entries = 1},
		 {.kind = PLAN_SET,
		  .key_bytes = 2,
		  .value_bytes = 1,
		  .max_entries = 2,
		  .entries = 2,
		  .name = "names"}},
	.map_count = 2,
	.early = early,
	.early_count = COUNT_OF(early),
	.late = late,
	.late_count = COUNT_OF(late),
	.contents = contents,
	.content_bytes = sizeof(contents),
};

static struct error error;

static int open_bytes(const void *bytes, size_t size)
{
	struct plan *plan = NULL;
	int fd = memory_file(bytes, size), err;

	*error.text = 0;
	assert_true(fd >= 0);
	err = plan_open(&plan, fd, &error);
	close(fd);
	if (!err)
		plan_close(plan);
	return err;
}

static int open_draft(const struct draft *draft)
{
	static unsigned char file[ROOM];

	return open_bytes(file, draft_write(draft, file));
}

static void what_it_says(void **state)
{
	unsigned char file[ROOM];
	int fd = memory_file(file, draft_write(&usual, file)), before;
	struct plan *plan;

	(void)state;
	before = open_fds();
	assert_int_equal(plan_open(&plan, fd, &error), 0);
	assert_int_equal(open_fds(), before);
	close(fd);
	assert_int_equal(plan->map_count, 2);
	assert_string_equal(plan->maps[1].name, "names");
	assert_memory_equal(plan->contents[0], contents, 12);
	assert_memory_equal(plan->contents[1], contents + 12, 6);
	assert_int_equal(plan->stages[PLAN_EARLY].count, 3);
	assert_memory_equal(plan->stages[PLAN_LATE].code, late, sizeof(late));
	assert_string_equal(plan_where(plan, PLAN_LATE, 2), DRAFT_TEXT);
	assert_string_equal(plan_where(plan, PLAN_LATE, 3), "");
	plan_close(plan);
}

static void an_empty_one(void **state)
{
	const struct draft nothing = {0};

	(void)state;
	assert_int_equal(open_draft(&nothing), 0);
}

static void lengths_that_do_not_fit(void **state)
{
	unsigned char file[ROOM] = {0};
	uint32_t bytes = draft_write(&usual, file);
	int fd, pipes[2];
	struct plan *plan;

	(void)state;
	for (uint32_t size = 0; size < bytes; size++)
		assert_int_equal(open_bytes(file, size), -EINVAL);
	assert_int_equal(open_bytes(file, bytes + 1), -EINVAL);
	/* Too long, without its bytes being there. */
	fd = memory_file(file, bytes);
	assert_int_equal(ftruncate(fd, PLAN_BYTES_MAX + 1), 0);
	assert_int_equal(plan_open(&plan, fd, &error), -E2BIG);
	assert_non_null(strstr(error.text, "too many constants"));
	close(fd);
	/* No memory: reading it could wait. */
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(plan_open(&plan, pipes[0], &error), -EINVAL);
	close(pipes[0]);
	close(pipes[1]);
	fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	assert_int_equal(plan_open(&plan, fd, &error), -EINVAL);
	close(fd);
	assert_int_equal(plan_open(&plan, -1, &error), -EINVAL);
}

static void refuses(const struct draft *draft, const char *why)
{
	assert_int_equal(open_draft(draft), -EINVAL);
	if (!strstr(error.text, why))
		fail_msg("'%s' instead of '%s'", error.text, why);
}

static void maps_that_cannot_be(void **state)
{
	struct draft draft = usual;

	(void)state;
#define WITH(change, why)                                                                          \
	do {                                                                                       \
		draft = usual;                                                                     \
		change;                                                                            \
		refuses(&draft, why);                                                              \
	} while (0)
	WITH(draft.maps[0].kind = 0, "unknown kind");
	WITH(draft.maps[0].kind = 6, "unknown kind");
	WITH(draft.maps[1].key_bytes = 0, "out of bounds");
	WITH(draft.maps[1].key_bytes = 257, "out of bounds");
	WITH(draft.maps[1].value_bytes = 0, "out of bounds");
	WITH(draft.maps[1].value_bytes = 4097, "out of bounds");
	WITH(draft.maps[1].max_entries = 0, "out of bounds");
	WITH(draft.maps[1].max_entries = 1048577, "out of bounds");
	WITH(draft.maps[1].entries = 3, "more entries than it can start with");
	WITH(draft.maps[1].kind = PLAN_PERCPU_HASH, "more entries than it can start with");
	WITH(draft.maps[1].entries = 1, "longer than the maps say");
	WITH(draft.maps[1].key_bytes = 3, "shorter than the maps say");
	WITH(draft.maps[0].key_bytes = 8, "4 bytes");
	WITH(draft.maps[0].max_entries = 2, "one entry");
	WITH(memset(draft.maps[1].name, 'x', 64), "does not end");
	WITH((draft.maps[1].max_entries = 1048576, draft.maps[1].value_bytes = 4096),
	     "shorter than the maps say");
	WITH((draft.maps[1].kind = PLAN_LRU, draft.maps[1].entries = 0, draft.content_bytes = 12,
	      draft.maps[1].max_entries = 1048576, draft.maps[1].value_bytes = 4096),
	     "more than 256 MiB");
	WITH(draft.contents = "\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", "array of one is 0");
#undef WITH
}

/* Any of the file's words replaced by any of the numbers that hurt. */
static void words_that_lie(void **state)
{
	static const uint32_t liars[] = {0, 1, 4, 49, 8193, 0x7fffffff, 0x80000000, 0xffffffff};
	unsigned char file[ROOM];
	uint32_t bytes = draft_write(&usual, file);

	(void)state;
	for (uint32_t at = 0; at + 4 <= bytes; at += 4)
		for (size_t i = 0; i < COUNT_OF(liars); i++) {
			unsigned char copy[ROOM];

			memcpy(copy, file, bytes);
			memcpy(copy + at, &liars[i], 4);
			open_bytes(copy, bytes);
		}
}

static void random_bytes(void **state)
{
	unsigned char file[ROOM];
	uint32_t seed = 7;

	(void)state;
	for (int round = 0; round < 5000; round++) {
		uint32_t bytes = draft_write(&usual, file);

		for (int i = 0; i < 1 + round % 8; i++) {
			seed = seed * 1664525 + 1013904223;
			file[(seed >> 8) % bytes] = seed >> 24;
		}
		open_bytes(file, bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_it_says),
		cmocka_unit_test(an_empty_one),
		cmocka_unit_test(lengths_that_do_not_fit),
		cmocka_unit_test(maps_that_cannot_be),
		cmocka_unit_test(words_that_lie),
		cmocka_unit_test(random_bytes),
	};

	return cmocka_run_group_tests_name("plan_file", tests, NULL, NULL);
}
