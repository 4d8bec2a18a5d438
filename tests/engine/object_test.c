// SPDX-License-Identifier: Apache-2.0
/* engine/object.c: what it refuses, and when two wishes are the same; engine/atomic.c. What it
 * loads and attaches is for tests/live/object_test.lua. */
#include "object.h"

#include "atomic.h"
#include "test.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <pthread.h>

#define FOLDER "build/tests/objects/"

/* Quiet: what libbpf says is told by the error. */
static int no_print(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

static int quiet(void **state)
{
	(void)state;
	libbpf_set_print(no_print);
	return 0;
}

static void read_object(struct object_wish *wish, const char *path)
{
	struct stat status;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	memset(wish, 0, sizeof(*wish));
	snprintf(wish->name, sizeof(wish->name), "%s", strrchr(path, '/') + 1);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &status), 0);
	wish->bytes = malloc(status.st_size);
	wish->size = status.st_size;
	assert_int_equal(read(fd, wish->bytes, wish->size), wish->size);
	close(fd);
}

static void add_option(struct object_wish *wish, enum object_option_kind kind, const char *name,
		       double number, const void *bytes, size_t size)
{
	struct object_option *option;

	wish->options = realloc(wish->options, (wish->option_count + 1) * sizeof(*option));
	option = &wish->options[wish->option_count++];
	memset(option, 0, sizeof(*option));
	option->kind = kind;
	snprintf(option->name, sizeof(option->name), "%s", name);
	option->number = number;
	option->bytes = malloc(size + 1);
	option->size = size;
	if (size)
		memcpy(option->bytes, bytes, size);
}

static void assert_refused(struct object_wish *wish, int expected, const char *text)
{
	struct object *object = NULL;
	struct error error = {""};
	int fds = open_fds(), err = object_open(&object, wish, &error);

	if (!err)
		object_close(object);
	assert_null(object);
	assert_true(err == expected || !expected);
	if (!strstr(error.text, text))
		fail_msg("'%s' is not in '%s'", text, error.text);
	assert_null(strchr(error.text, '\n'));
	assert_int_equal(open_fds(), fds);
	object_wish_clear(wish);
}

static void refuses_what_is_no_object(void **state)
{
	static const char *const wrong[] = {"", "x", "\177ELF",
					    "\177ELF\2\1\1 and then nothing of it"};
	struct object_wish wish;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		memset(&wish, 0, sizeof(wish));
		strcpy(wish.name, "x.o");
		wish.size = strlen(wrong[i]);
		wish.bytes = (unsigned char *)strdup(wrong[i]);
		assert_refused(&wish, 0, "object x.o: is ");
	}
}

/* Any byte may be another: it is refused or loaded, and nothing else. */
static void survives_damage(void **state)
{
	struct object_wish wish;
	struct object *object;
	struct error error;

	(void)state;
	srand(1);
	for (int i = 0; i < 60; i++) {
		read_object(&wish, FOLDER "every_map.bpf.o");
		for (int j = rand() % 8; j >= 0; j--)
			wish.bytes[rand() % wish.size] ^= 1 << rand() % 8;
		if (rand() % 3 == 0)
			wish.size = rand() % wish.size;
		if (!object_open(&object, &wish, &error))
			object_close(object);
		object_wish_clear(&wish);
	}
}

static void refuses_options_that_do_not_fit(void **state)
{
	struct object_wish wish;

	(void)state;
	read_object(&wish, FOLDER "every_map.bpf.o");
	add_option(&wish, OBJECT_ATTACH, "on_ente", 0, NULL, 0);
	assert_refused(&wish, -ENOENT, "has no program 'on_ente'; did you mean 'on_enter'?");
	read_object(&wish, FOLDER "every_map.bpf.o");
	add_option(&wish, OBJECT_ENTRIES, "cals", 1, NULL, 0);
	assert_refused(&wish, -ENOENT, "has no map 'cals'; did you mean 'calls'?");
	read_object(&wish, FOLDER "every_map.bpf.o");
	add_option(&wish, OBJECT_RODATA, "only_pit", 0, "1234", 4);
	assert_refused(&wish, -ENOENT, "has no constant 'only_pit'");
	read_object(&wish, FOLDER "every_map.bpf.o");
	add_option(&wish, OBJECT_RODATA, "only_pid", 0, "12345678", 8);
	assert_refused(&wish, -EINVAL, "constant only_pid has 4 bytes, given 8");
}

static void refuses_huge_maps(void **state)
{
	struct object_wish wish;

	(void)state;
	read_object(&wish, FOLDER "huge.bpf.o");
	assert_refused(&wish, -ENOMEM, "map everything: 2147483648 entries take 32768 MiB");
}

static void knows_the_same_wish(void **state)
{
	struct object_wish a, b;

	(void)state;
	read_object(&a, FOLDER "execs.bpf.o");
	read_object(&b, FOLDER "execs.bpf.o");
	assert_true(object_wish_equal(&a, &b));
	add_option(&a, OBJECT_RODATA, "only_uid", 0, "abcd", 4);
	assert_false(object_wish_equal(&a, &b));
	add_option(&b, OBJECT_RODATA, "only_uid", 0, "abce", 4);
	assert_false(object_wish_equal(&a, &b));
	b.options[0].bytes[3] = 'd';
	assert_true(object_wish_equal(&a, &b));
	b.bytes[b.size - 1] ^= 1;
	assert_false(object_wish_equal(&a, &b));
	object_wish_clear(&a);
	object_wish_clear(&b);
}

static int64_t counter;

static void *count(void *small)
{
	for (int i = 0; i < 100000; i++)
		atomic_field_add(&counter, small ? 4 : 8, 1);
	return NULL;
}

static void adds_from_many_threads(void **state)
{
	pthread_t threads[4];

	(void)state;
	for (int small = 0; small < 2; small++) {
		counter = 0;
		for (size_t i = 0; i < COUNT_OF(threads); i++)
			assert_int_equal(
				pthread_create(&threads[i], NULL, count, small ? &counter : NULL),
				0);
		for (size_t i = 0; i < COUNT_OF(threads); i++)
			pthread_join(threads[i], NULL);
		assert_int_equal(counter, 100000 * COUNT_OF(threads));
	}
}

static void loads_what_was_stored(void **state)
{
	static const int sizes[] = {1, 2, 4, 8};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		int64_t room[2] = {-1, -1};

		atomic_field_store(room, sizes[i], -5);
		assert_int_equal(atomic_field_load(room, sizes[i]), -5);
		atomic_field_store(room, sizes[i], 7);
		assert_int_equal(atomic_field_load(room, sizes[i]), 7);
		assert_int_equal(((unsigned char *)room)[sizes[i]], 0xff);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_what_is_no_object),
		cmocka_unit_test(survives_damage),
		cmocka_unit_test(refuses_options_that_do_not_fit),
		cmocka_unit_test(refuses_huge_maps),
		cmocka_unit_test(knows_the_same_wish),
		cmocka_unit_test(adds_from_many_threads),
		cmocka_unit_test(loads_what_was_stored),
	};

	return cmocka_run_group_tests(tests, quiet, NULL);
}
