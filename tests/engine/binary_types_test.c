// SPDX-License-Identifier: Apache-2.0
#include "binary_types.h"

#include "binary.h"
#include "binary_functions.h"
#include "test.h"

#include <bpf/btf.h>
#include <errno.h>
#include <stdbool.h>

static struct binary *binary;
static struct binary_types types;
static struct error error;

static int teardown(void **state)
{
	(void)state;
	binary_types_free(&types);
	binary_close(binary);
	binary = NULL;
	return 0;
}

static int find(const char *target, const char *name)
{
	teardown(NULL);
	error.text[0] = 0;
	assert_int_equal(binary_open(&binary, target_path(target), 0, &error), 0);
	return binary_types_find(binary, name, &types, &error);
}

static const struct btf_type *type_of(uint32_t id)
{
	const struct btf_type *type = btf__type_by_id(types.btf, id);

	while (btf_is_mod(type) || btf_is_typedef(type))
		type = btf__type_by_id(types.btf, type->type);
	return type;
}

static const char *name_of(const struct btf_type *type)
{
	return btf__name_by_offset(types.btf, type->name_off);
}

static const struct btf_type *prototype(void)
{
	const struct btf_type *function = btf__type_by_id(types.btf, types.function);

	assert_true(btf_is_func(function));
	return btf__type_by_id(types.btf, function->type);
}

static const struct btf_type *parameter(int i, const char *name)
{
	const struct btf_param *param = &btf_params(prototype())[i];

	assert_true(i < btf_vlen(prototype()));
	assert_string_equal(btf__name_by_offset(types.btf, param->name_off), name);
	return type_of(param->type);
}

/* The type of a member, whose offset and size in bits are as given. */
static const struct btf_type *member(const struct btf_type *type, const char *name, uint32_t offset,
				     uint32_t bits)
{
	assert_true(btf_is_composite(type));
	for (int i = 0; i < btf_vlen(type); i++) {
		const struct btf_member *member = &btf_members(type)[i];

		if (strcmp(btf__name_by_offset(types.btf, member->name_off), name))
			continue;
		assert_int_equal(btf_member_bit_offset(type, i), offset);
		assert_int_equal(btf_member_bitfield_size(type, i), bits);
		return type_of(member->type);
	}
	fail_msg("no member %s", name);
	return NULL;
}

static const struct btf_type *behind(const struct btf_type *type)
{
	assert_true(btf_is_ptr(type));
	return type_of(type->type);
}

/* As tests/targets/types.c has it. */
static void check_config(const struct btf_type *config, bool gcc_wrote_it)
{
	const struct btf_type *type;

	assert_string_equal(name_of(config), "config");
	assert_ptr_equal(behind(member(config, "next", 0, 0)), config);
	assert_string_equal(name_of(behind(member(config, "name", 64, 0))), "char");
	assert_int_equal(type_of(0)->info, 0);
	assert_true(btf_is_int(member(config, "low", 128, 3)));
	assert_true(btf_is_int(member(config, "high", 131, 7)));
	type = member(config, "byte", 144, 0);
	assert_int_equal(type->size, 1);
	assert_true(btf_int_encoding(type) & BTF_INT_SIGNED);
	type = member(config, "numbers", 192, 0);
	assert_true(btf_is_array(type));
	assert_int_equal(btf_array(type)->nelems, 4);
	assert_int_equal(type_of(btf_array(type)->type)->size, 8);
	type = member(config, "grid", 448, 0);
	/* The BTF of gcc 12 has the dimensions in the other order. */
	assert_true(btf_array(type)->nelems == 2 || gcc_wrote_it);
	type = type_of(btf_array(type)->type);
	assert_true(btf_array(type)->nelems == 3 || gcc_wrote_it);
	assert_string_equal(name_of(type_of(btf_array(type)->type)), "int");
	type = member(config, "color", 640, 0);
	assert_true(btf_is_enum(type));
	assert_int_equal(btf_vlen(type), 3);
	assert_int_equal(btf_enum(type)[1].val, 7);
	assert_int_equal(btf_enum(type)[2].val, -3);
	type = member(config, "", 672, 0); /* the union */
	assert_true(btf_is_union(type));
	assert_true(btf_is_float(member(type, "fraction", 0, 0)));
	type = member(config, "named", 704, 0);
	assert_int_equal(member(type, "inner", 0, 0)->size, 2);
	type = behind(member(config, "call", 768, 0));
	assert_true(btf_is_func_proto(type));
	assert_int_equal(btf_vlen(type), 2);
	assert_ptr_equal(behind(type_of(btf_params(type)[0].type)), config);
	type = behind(member(config, "hidden", 832, 0));
	assert_true(btf_is_fwd(type));
	assert_string_equal(name_of(type), "hidden");
	assert_int_equal(member(config, "yes", 896, 0)->size, 1);
	assert_string_equal(name_of(member(config, "count", 928, 0)), "int");
	type = member(config, "wide", 960, 0);
	assert_int_equal(type->size, 8);
	type = member(config, "rest", 1024, 0);
	assert_int_equal(btf_array(type)->nelems, 0);
	assert_int_equal(config->size, 128);
}

static void every_kind_of_type(void **state)
{
	static const char *const targets[] = {"types_dwarf-5", "types_dwarf-4", "types_dwarf-2",
					      "types_z", "types_btf"};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(targets); i++) {
		if (find(targets[i], "types_all"))
			fail_msg("%s: %s", targets[i], error.text);
		print_message("# %s: %u types\n", targets[i], btf__type_cnt(types.btf));
		assert_string_equal(name_of(btf__type_by_id(types.btf, types.function)),
				    "types_all");
		assert_int_equal(btf_vlen(prototype()), 3);
		check_config(behind(parameter(0, "config")), strstr(targets[i], "_btf"));
		assert_string_equal(name_of(behind(parameter(1, "text"))), "char");
		assert_int_equal(parameter(2, "byte")->size, 1);
		assert_string_equal(name_of(behind(type_of(prototype()->type))), "char");
		assert_int_equal(btf__pointer_size(types.btf), sizeof(void *));
		assert_int_equal(btf__resolve_size(types.btf, prototype()->type), sizeof(void *));
	}
}

static void values_of_wide_enums(void **state)
{
	const struct btf_type *type;

	(void)state;
	assert_int_equal(find("types_dwarf-5", "types_all"), 0);
	type = member(behind(parameter(0, "config")), "wide", 960, 0);
	assert_true(btf_is_enum64(type));
	assert_int_equal(btf_enum64_value(&btf_enum64(type)[1]), 0x100000000);
}

static void what_is_in_no_integer_register(void **state)
{
	(void)state;
	assert_int_equal(find("types_dwarf-5", "types_float"), 0);
	assert_true(btf_is_float(parameter(0, "value")));
	assert_int_equal(parameter(0, "value")->size, 8);
	assert_true(btf_is_float(parameter(1, "small")));
	assert_true(btf_is_struct(parameter(2, "pair")));
	assert_true(btf_is_int(parameter(3, "after")));
	assert_true(btf_is_float(type_of(prototype()->type)));
	assert_int_equal(find("types_dwarf-5", "types_pair"), 0);
	assert_true(btf_is_struct(type_of(prototype()->type)));
	assert_int_equal(btf_vlen(prototype()), 0);
}

static void parameters_without_end(void **state)
{
	(void)state;
	assert_int_equal(find("types_dwarf-5", "types_many"), 0);
	assert_int_equal(btf_vlen(prototype()), 2);
	parameter(0, "format");
	assert_int_equal(btf_params(prototype())[1].type, 0);
	assert_int_equal(btf_params(prototype())[1].name_off, 0);
	assert_int_equal(prototype()->type, 0); /* void */
}

static void what_is_not_there(void **state)
{
	(void)state;
	assert_int_equal(find("types_dwarf-5", "types_inlined"), -ENOENT);
	assert_non_null(strstr(error.text, "only inlined copies of types_inlined"));
	assert_int_equal(find("types_dwarf-5", "types_al"), -ENOENT);
	assert_non_null(strstr(error.text, "did you mean types_all?"));
	assert_int_equal(find("types_0", "types_all"), -ENODATA);
	assert_non_null(strstr(error.text, "no debug information"));
	assert_int_equal(find("types_btf", "types_no"), -ENOENT);
	assert_int_equal(find("types_btf", "_init"), -ENODATA);
	assert_int_equal(find("types_dwarf-5", "_init"), -ENOENT);
	assert_non_null(strstr(error.text, "does not have _init"));
	assert_int_equal(find("program", "target_chosen"), -EOPNOTSUPP);
	assert_null(types.btf);
}

static void copies_with_other_parameters(void **state)
{
	struct binary_functions copies;
	int err;

	(void)state;
	assert_int_equal(find("types_dwarf-5", "types_all"), 0);
	binary_types_free(&types);
	err = binary_match(binary, "types_local.*", &copies, &error);
	for (size_t i = 0; i < copies.count; i++) {
		assert_int_equal(binary_types_find(binary, copies.list[i].name, &types, &error),
				 -EOPNOTSUPP);
		assert_non_null(strstr(error.text, "has changed the parameters of types_local."));
	}
	binary_functions_free(&copies);
	if (err)
		SKIP("this compiler makes none");
}

static void a_local_function_and_an_alias(void **state)
{
	(void)state;
	assert_int_equal(find("program", "target_local"), 0);
	assert_string_equal(name_of(behind(parameter(0, "text"))), "char");
	assert_int_equal(find("program", "target_alias"), 0); /* by its address */
	parameter(1, "b");
	assert_int_equal(find("program", "main"), 0);
	assert_true(btf_is_ptr(behind(parameter(1, "argv"))));
}

/* BTF that goes in circles or points nowhere. */
static void broken_btf(void **state)
{
	static char long_name[5000];
	struct btf *btf;
	int id;

	(void)state;
	btf = btf__new_empty();
	btf__add_typedef(btf, "a", 2);
	btf__add_typedef(btf, "b", 1);
	assert_int_equal(binary_types_check(btf), -EINVAL);
	btf__free(btf);

	btf = btf__new_empty();
	btf__add_array(btf, 2, 1, 4); /* of itself */
	btf__add_int(btf, "int", 4, BTF_INT_SIGNED);
	assert_int_equal(binary_types_check(btf), -EINVAL);
	btf__free(btf);

	btf = btf__new_empty();
	id = btf__add_struct(btf, "in_itself", 8);
	btf__add_field(btf, NULL, id, 0, 0);
	assert_int_equal(binary_types_check(btf), -EINVAL);
	btf__free(btf);

	btf = btf__new_empty();
	btf__add_ptr(btf, 77);
	assert_int_equal(binary_types_check(btf), -EINVAL);
	btf__free(btf);

	btf = btf__new_empty();
	id = btf__add_struct(btf, "list", 8); /* through a pointer is fine */
	btf__add_field(btf, "next", 2, 0, 0);
	btf__add_ptr(btf, id);
	assert_int_equal(binary_types_check(btf), 0);
	memset(long_name, 'a', sizeof(long_name) - 1);
	btf__add_typedef(btf, long_name, id);
	assert_int_equal(binary_types_check(btf), -EINVAL);
	btf__free(btf);
}

/* Files with bytes changed in what describes types. Nothing may crash, and what comes out can be
 * walked. */
static void broken_files(void **state)
{
	static const char *const targets[] = {"types_dwarf-5", "types_dwarf-2", "types_btf",
					      "types_z"};
	static unsigned char good[1 << 20], bad[1 << 20];
	unsigned int random = 1;
	char folder[64];

	(void)state;
	scratch_make(folder);
	for (int round = 0; round < 1200; round++) {
		static const char *const sections[] = {".debug_info", ".debug_abbrev", ".debug_str",
						       ".BTF"};
		int fd = open(target_path(targets[round % 4]), O_RDONLY | O_CLOEXEC);
		ssize_t size = read(fd, good, sizeof(good));
		struct binary *broken;

		assert_true(size > 0);
		close(fd);
		memcpy(bad, good, size);
		assert_int_equal(binary_open(&broken, target_path(targets[round % 4]), 0, &error),
				 0);
		for (size_t i = 0; i < COUNT_OF(sections); i++) {
			uint64_t address;
			size_t bytes = 0;
			const void *data =
				binary_section(broken, sections[i], sizeof(good), &bytes, &address);
			unsigned char *there = data ? memmem(bad, size, data, bytes) : NULL;

			for (int j = 0; there && bytes && j < 1 + round % 7; j++) {
				random = random * 1103515245 + 12345;
				there[(random >> 8) % bytes] = random >> 16;
			}
		}
		binary_close(broken);
		fd = open(scratch_path(folder, "bad"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
			  0644);
		assert_int_equal(write(fd, bad, size), size);
		close(fd);
		if (binary_open(&broken, scratch_path(folder, "bad"), 0, &error))
			continue;
		if (!binary_types_find(broken, "types_all", &types, &error))
			assert_int_equal(binary_types_check(types.btf), 0);
		binary_types_free(&types);
		binary_close(broken);
	}
	scratch_remove(folder);
}

/* Types whose names all go on to the end of the section have none. */
static void names_without_end(void **state)
{
	static unsigned char file[1 << 20];
	unsigned char *names;
	const void *section;
	uint64_t address;
	char folder[64];
	ssize_t size;
	size_t bytes;
	int fd;

	(void)state;
	fd = open(target_path("types_dwarf-4"), O_RDONLY | O_CLOEXEC);
	size = read(fd, file, sizeof(file));
	close(fd);
	assert_int_equal(binary_open(&binary, target_path("types_dwarf-4"), 0, &error), 0);
	section = binary_section(binary, ".debug_str", sizeof(file), &bytes, &address);
	assert_non_null(section);
	names = memmem(file, size, section, bytes);
	assert_non_null(names);
	for (size_t i = 0; i < bytes - 1; i++)
		names[i] = names[i] ? names[i] : 'a';
	binary_close(binary);
	binary = NULL;
	scratch_make(folder);
	fd = open(scratch_path(folder, "long"), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_int_equal(write(fd, file, size), size);
	close(fd);
	assert_int_equal(binary_open(&binary, scratch_path(folder, "long"), 0, &error), 0);
	if (binary_types_find(binary, "types_all", &types, &error))
		fail_msg("%s", error.text);
	scratch_remove(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(every_kind_of_type, teardown),
		cmocka_unit_test_teardown(names_without_end, teardown),
		cmocka_unit_test_teardown(values_of_wide_enums, teardown),
		cmocka_unit_test_teardown(what_is_in_no_integer_register, teardown),
		cmocka_unit_test_teardown(parameters_without_end, teardown),
		cmocka_unit_test_teardown(what_is_not_there, teardown),
		cmocka_unit_test_teardown(copies_with_other_parameters, teardown),
		cmocka_unit_test_teardown(a_local_function_and_an_alias, teardown),
		cmocka_unit_test(broken_btf),
		cmocka_unit_test(broken_files),
	};

	return cmocka_run_group_tests_name("binary_types", tests, NULL, NULL);
}
