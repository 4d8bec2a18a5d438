// SPDX-License-Identifier: Apache-2.0
/* Typed fields of a request that a worker made: wherever it wants them, they lie in the room. */
#include "typed_fields.h"

#include "schema.h"
#include "target.h"
#include "test.h"

#include <bpf/btf.h>
#include <errno.h>
#include <math.h>

static struct error error;
static struct target target;
static struct typed_root roots[2];
static struct probe_request request;
static struct typed_fields fields;
static struct btf *btf;
static const struct schema_field room = {.name = "typed", .offset = 128, .bytes = 512};

/* struct thing { long number; char text[64]; } *args.thing; int args.number */
static int setup(void **state)
{
	int number, byte, text, thing;

	(void)state;
	btf = btf__new_empty();
	number = btf__add_int(btf, "long", 8, BTF_INT_SIGNED);
	byte = btf__add_int(btf, "char", 1, BTF_INT_SIGNED);
	text = btf__add_array(btf, number, byte, 64);
	thing = btf__add_struct(btf, "thing", 72);
	btf__add_field(btf, "number", number, 0, 0);
	btf__add_field(btf, "text", text, 64, 0);
	roots[0] = (struct typed_root){
		.name = "args.thing", .type = btf__add_ptr(btf, thing), .slot = 0};
	roots[1] = (struct typed_root){.name = "args.number", .type = number, .slot = 1};
	target.types = (struct typed_source){.btf = btf, .roots = roots, .root_count = 2};
	memset(&request, 0, sizeof(request));
	memset(&fields, 0, sizeof(fields));
	strcpy(request.name, "kprobe:thing");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	typed_fields_free(&fields);
	btf__free(btf);
	return 0;
}

static void want(const char *path, uint32_t offset, bool late)
{
	strcpy(request.typed[request.typed_count].path, path);
	request.typed[request.typed_count].offset = offset;
	request.typed[request.typed_count++].late = late;
}

static int make(void)
{
	typed_fields_free(&fields);
	return typed_fields_make(&fields, &request, &target, &room, &error);
}

static void refused(const char *path, uint32_t offset, int err)
{
	int got;

	request.typed_count = 0;
	want(path, offset, false);
	got = make();
	if (got != err)
		fail_msg("%s at %u: %d: %s", path, offset, got, got ? error.text : "taken");
	assert_non_null(strstr(error.text, "kprobe:thing"));
}

static void nothing_is_read(void **state)
{
	(void)state;
	assert_int_equal(make(), 0);
	assert_null(fields.early.code);
	assert_null(fields.late.code);
	assert_int_equal(fields.bytes, 0);
	assert_int_equal(typed_fields_make(&fields, &request, NULL, NULL, &error), 0);
}

static void early_and_late(void **state)
{
	(void)state;
	want("args.number", 128, false);
	assert_int_equal(make(), 0);
	assert_true(fields.early.count > 0);
	assert_int_equal(fields.late.count, 0);
	assert_int_equal(fields.bytes, 8);
	want("args.thing.text", 128 + 64, true);
	assert_int_equal(make(), 0);
	assert_true(fields.late.count > 0);
	assert_int_equal(fields.bytes, 128);
}

static void bounds_of_the_room(void **state)
{
	(void)state;
	want("args.thing.text", 128 + 512 - 64, false);
	assert_int_equal(make(), 0);
	assert_int_equal(fields.bytes, 512);
	refused("args.number", 0, -EINVAL);
	refused("args.number", 120, -EINVAL);
	refused("args.number", 127, -EINVAL);
	refused("args.number", 129, -EINVAL); /* not aligned */
	refused("args.number", 128 + 512, -EINVAL);
	refused("args.number", 128 + 512 - 7, -EINVAL);
	refused("args.thing.text", 128 + 512 - 63, -EINVAL);
	refused("args.number", UINT32_MAX, -EINVAL);
	refused("args.number", UINT32_MAX - 7, -EINVAL);
	refused("args.number", 1u << 31, -EINVAL);
}

static void what_is_no_field(void **state)
{
	(void)state;
	refused("args.none", 128, -ENOENT);
	refused("", 128, -EINVAL);
	refused("ret", 128, -ENOENT);
	refused("args.thing.none", 128, -ENOENT);
	request.typed_count = 0;
	want("args.number", 128, false);
	assert_int_equal(typed_fields_make(&fields, &request, NULL, &room, &error), -EINVAL);
	assert_int_equal(typed_fields_make(&fields, &request, &target, NULL, &error), -EINVAL);
}

static void no_two_at_one_place(void **state)
{
	(void)state;
	want("args.number", 128, false);
	want("args.number", 128, false);
	assert_int_equal(make(), -EINVAL);
	assert_non_null(strstr(error.text, "probe kprobe:thing: "));
	/* Of each its own part: what the late one clears is its own. */
	request.typed[1].late = true;
	assert_int_equal(make(), -EINVAL);
	request.typed[1].offset = 136;
	assert_int_equal(make(), 0);
	/* Early, late, early: the early part would clear the late one's. */
	want("args.thing.number", 144, false);
	assert_int_equal(make(), -EINVAL);
}

static void as_many_as_there_may_be(void **state)
{
	(void)state;
	for (int i = 0; i < PROBE_TYPED; i++)
		want("args.thing.number", 128 + 8 * i, i >= PROBE_TYPED / 2);
	assert_int_equal(make(), 0);
	assert_int_equal(fields.bytes, 512);
}

/* An object of one's own may have any room. */
static void a_room_that_is_not_aligned(void **state)
{
	const struct schema_field odd = {.offset = 124, .bytes = 512},
				  cut = {.offset = 128, .bytes = 12};

	(void)state;
	assert_int_equal(typed_fields_make(&fields, &request, &target, &odd, &error), 0);
	want("args.number", 128, false);
	assert_int_equal(typed_fields_make(&fields, &request, &target, &odd, &error), -EINVAL);
	assert_int_equal(typed_fields_make(&fields, &request, &target, &cut, &error), -EINVAL);
	assert_non_null(strstr(error.text, "not aligned"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nothing_is_read, setup, teardown),
		cmocka_unit_test_setup_teardown(early_and_late, setup, teardown),
		cmocka_unit_test_setup_teardown(bounds_of_the_room, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_no_field, setup, teardown),
		cmocka_unit_test_setup_teardown(no_two_at_one_place, setup, teardown),
		cmocka_unit_test_setup_teardown(as_many_as_there_may_be, setup, teardown),
		cmocka_unit_test_setup_teardown(a_room_that_is_not_aligned, setup, teardown),
	};

	return cmocka_run_group_tests_name("typed_fields", tests, NULL, NULL);
}
