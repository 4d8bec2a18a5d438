// SPDX-License-Identifier: Apache-2.0
/* Reads the objects under $BUILD/probes, and some that are compiled here when clang is there. */
#include "schema.h"

#include "asset.h"
#include "record.h"
#include "test.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <gelf.h>
#include <glob.h>
#include <linux/bpf.h>

struct bytes {
	unsigned char *bytes;
	size_t size;
};

static struct bytes read_file(const char *path)
{
	struct bytes file = {0};
	struct stat status;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &status), 0);
	file.size = status.st_size;
	file.bytes = malloc(file.size);
	assert_non_null(file.bytes);
	assert_int_equal(read(fd, file.bytes, file.size), file.size);
	close(fd);
	return file;
}

static glob_t objects;

static int setup(void **state)
{
	const char *build = getenv("BUILD");
	char pattern[PATH_MAX];

	(void)state;
	libbpf_set_print(NULL);
	snprintf(pattern, sizeof(pattern), "%s/probes/*.bpf.o", build ? build : "build");
	return glob(pattern, 0, NULL, &objects);
}

static int teardown(void **state)
{
	(void)state;
	globfree(&objects);
	return 0;
}

static void probe_name_of(const char *path, char name[64])
{
	const char *file = strrchr(path, '/') + 1;

	snprintf(name, 64, "%.*s", (int)strcspn(file, "."), file);
}

static void check_fields(const struct schema *schema)
{
	uint32_t end = 0;

	assert_true(schema->field_count > 4);
	assert_string_equal(schema->fields[0].name, "stamp");
	assert_string_equal(schema->fields[1].name, "cpu");
	assert_string_equal(schema->fields[2].name, "slot");
	assert_string_equal(schema->fields[3].name, "generation");
	for (int i = 0; i < schema->field_count; i++) {
		const struct schema_field *field = &schema->fields[i];

		if (i > 3 && !*field->doc)
			fail_msg("%s.%s has no doc", schema->name, field->name);
		assert_non_null(field->type);
		assert_non_null(strchr("uibcs", field->kind));
		assert_true(field->offset >= end); /* ascending, none over another */
		assert_true(field->bytes > 0);
		end = field->offset + field->bytes;
		assert_true(end <= schema->event_bytes);
		if (field->elements)
			assert_int_equal(field->bytes, field->elements * field->element_bytes);
		if (field->kind == SCHEMA_UNSIGNED || field->kind == SCHEMA_SIGNED)
			assert_non_null(strchr("\1\2\4\10", field->element_bytes));
		for (int j = 0; j < field->value_count; j++)
			assert_true(*field->values[j].name);
		assert_ptr_equal(schema_field(schema, field->name), field); /* names are distinct */
	}
	assert_true(schema->event_bytes < end + 8); /* nothing but padding follows */
}

static void check_knobs(const struct schema *schema)
{
	for (int i = 0; i < schema->knob_count; i++) {
		const struct schema_knob *knob = &schema->knobs[i];

		assert_true(*knob->doc);
		assert_int_not_equal(knob->kind, SCHEMA_STRUCT);
		assert_int_equal(knob->kind == SCHEMA_TEXT, knob->preset_text != NULL);
		if (knob->kind == SCHEMA_TEXT)
			assert_true(strnlen(knob->preset_text, knob->bytes) < knob->bytes);
		assert_ptr_equal(schema_knob(schema, knob->name), knob);
	}
}

static void check_programs(const struct schema *schema)
{
	assert_true(schema->program_count > 0);
	for (int i = 0; i < schema->program_count; i++) {
		const struct schema_program *program = &schema->programs[i];

		assert_true(*program->name);
		/* Where it is attached, or one of several ways to what the target says. */
		assert_true(strchr(program->section, '/') ||
			    (schema->target && program->choice > 0 && program->optional));
		assert_int_not_equal(program->section[0], '?');
		if (program->only_with) {
			assert_true(program->optional);
			assert_non_null(schema_knob(schema, program->only_with));
		}
	}
}

static void every_probe_can_be_read(void **state)
{
	(void)state;
	assert_true(objects.gl_pathc > 0);
	for (size_t i = 0; i < objects.gl_pathc; i++) {
		struct bytes file = read_file(objects.gl_pathv[i]);
		struct schema *schema;
		struct error error;
		char name[64];

		probe_name_of(objects.gl_pathv[i], name);
		if (schema_open(&schema, name, file.bytes, file.size, &error))
			fail_msg("%s", error.text);
		free(file.bytes); /* what was read does not point into it */
		assert_string_equal(schema->name, name);
		assert_true(*schema->about);
		assert_true(*schema->blind);
		check_fields(schema);
		check_knobs(schema);
		check_programs(schema);
		assert_null(schema_field(schema, "no_such_field"));
		assert_null(schema_knob(schema, "no_such_knob"));
		schema_close(schema);
	}
}

/* Where in its section a function starts, or -1. */
static long function_offset(Elf *elf, const char *name, size_t *section)
{
	Elf_Scn *one = NULL;
	GElf_Shdr header;

	while ((one = elf_nextscn(elf, one)) && gelf_getshdr(one, &header)) {
		Elf_Data *data = elf_getdata(one, NULL);
		GElf_Sym symbol;

		if (header.sh_type != SHT_SYMTAB)
			continue;
		for (int i = 0; gelf_getsym(data, i, &symbol); i++) {
			if (strcmp(elf_strptr(elf, header.sh_link, symbol.st_name), name))
				continue;
			*section = symbol.st_shndx;
			return symbol.st_value;
		}
	}
	return -1;
}

/* Instructions `r0 = magic` in all of the object's code. */
static int magic_count(Elf *elf, const struct bpf_insn *wanted)
{
	Elf_Scn *one = NULL;
	GElf_Shdr header;
	int found = 0;

	while ((one = elf_nextscn(elf, one)) && gelf_getshdr(one, &header)) {
		Elf_Data *data = elf_getdata(one, NULL);

		if (header.sh_type != SHT_PROGBITS || !(header.sh_flags & SHF_EXECINSTR))
			continue;
		for (size_t at = 0; at + sizeof(*wanted) <= data->d_size; at += sizeof(*wanted))
			found += !memcmp((char *)data->d_buf + at, wanted, sizeof(*wanted));
	}
	return found;
}

static void stages_can_be_found(void **state)
{
	static const struct {
		const char *name;
		int32_t magic;
	} stages[] = {{"stage_early", STAGE_EARLY_MAGIC}, {"stage_late", STAGE_LATE_MAGIC}};

	(void)state;
	elf_version(EV_CURRENT);
	for (size_t i = 0; i < objects.gl_pathc; i++) {
		struct bytes file = read_file(objects.gl_pathv[i]);
		Elf *elf = elf_memory((char *)file.bytes, file.size);

		assert_non_null(elf);
		for (size_t j = 0; j < COUNT_OF(stages); j++) {
			struct bpf_insn stub[2] = {
				{BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, stages[j].magic},
				{BPF_JMP | BPF_EXIT},
			};
			size_t section = 0;
			long offset = function_offset(elf, stages[j].name, &section);
			Elf_Data *code = elf_getdata(elf_getscn(elf, section), NULL);

			assert_true(offset >= 0);
			assert_memory_equal((char *)code->d_buf + offset, stub, sizeof(stub));
			assert_int_equal(magic_count(elf, stub), 1);
		}
		elf_end(elf);
		free(file.bytes);
	}
}

static void the_context_is_flat(void **state)
{
	const struct asset *file = asset_embedded("probes/process_exec.bpf.o");
	const struct schema_field *field;
	struct schema *schema;
	struct error error;

	(void)state;
	assert_int_equal(schema_open(&schema, "process_exec", file->bytes, file->size, &error), 0);
	field = schema_field(schema, "time_ns");
	assert_int_equal(field->kind, SCHEMA_UNSIGNED);
	assert_int_equal(field->offset, 8);
	assert_int_equal(field->bytes, 8);
	assert_true(field->switchable);
	assert_true(field->late);
	field = schema_field(schema, "pid");
	assert_int_equal(field->offset, 16);
	assert_int_equal(field->bytes, 4);
	assert_false(field->switchable);
	assert_false(field->late);
	field = schema_field(schema, "comm");
	assert_int_equal(field->kind, SCHEMA_TEXT);
	assert_int_equal(field->offset, 24);
	assert_int_equal(field->bytes, 16);
	assert_int_equal(field->elements, 0);
	assert_null(schema_field(schema, "context"));
	assert_null(schema_field(schema, "header"));
	schema_close(schema);
}

static void garbage_is_refused(void **state)
{
	static unsigned char garbage[4096];
	struct schema *schema = NULL;
	struct error error = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(garbage); i++)
		garbage[i] = i * 2654435761u >> 13;
	assert_true(schema_open(&schema, "broken", garbage, sizeof(garbage), &error) < 0);
	assert_non_null(strstr(error.text, "probe broken: not a BPF object: "));
	assert_null(strstr(error.text, "Unknown error")); /* libbpf has numbers of its own */
	assert_true(schema_open(&schema, "broken", garbage, 0, &error) < 0);
	assert_true(schema_open(&schema, "broken", "", 1, &error) < 0);
	assert_true(schema_open(&schema, "broken", "\177ELF", 4, &error) < 0);
	assert_null(schema);
}

static void a_truncated_object_is_refused(void **state)
{
	struct bytes file = read_file(objects.gl_pathv[0]);

	(void)state;
	for (size_t size = 0; size < file.size; size += size < 64 ? 1 : 37) {
		unsigned char *part = malloc(size ? size : 1); /* for the address sanitizer */
		struct schema *schema = NULL;
		struct error error = {0};

		memcpy(part, file.bytes, size);
		/* The section table is at the end, so no part can do. */
		assert_true(schema_open(&schema, "broken", part, size, &error) < 0);
		assert_null(schema);
		assert_non_null(strstr(error.text, "probe broken: "));
		free(part);
	}
	free(file.bytes);
}

static void another_object_is_refused(void **state)
{
	struct bytes file = read_file("/proc/self/exe");
	struct schema *schema = NULL;
	struct error error;

	(void)state;
	assert_true(schema_open(&schema, "broken", file.bytes, file.size, &error) < 0);
	assert_non_null(strstr(error.text, "probe broken: "));
	assert_null(schema);
	free(file.bytes);
}

static void units_are_in_names(void **state)
{
	(void)state;
	assert_string_equal(schema_unit("latency_ns"), "ns");
	assert_string_equal(schema_unit("sent_bytes"), "bytes");
	assert_string_equal(schema_unit("srtt_us"), "us");
	assert_string_equal(schema_unit("age_ms"), "ms");
	assert_string_equal(schema_unit("a_b_ns"), "ns");
	assert_string_equal(schema_unit("bytes"), "");
	assert_string_equal(schema_unit("ns"), "");
	assert_string_equal(schema_unit("columns"), "");
	assert_string_equal(schema_unit("latency_nsx"), "");
	assert_string_equal(schema_unit("ns_latency"), "");
	assert_string_equal(schema_unit(""), "");
}

/* Compiles a probe and opens it. -ENOEXEC when there is no clang. */
static int open_source(const char *source, struct schema **schema, struct error *error)
{
	char folder[64], command[PATH_MAX];
	struct bytes file;
	int err;

	scratch_make(folder);
	scratch_write(folder, "tried.bpf.c", source);
	snprintf(command, sizeof(command),
		 "${CLANG:-clang} -g -O2 -target bpf -mcpu=v3 -D__TARGET_ARCH_x86 -Ibpf/include "
		 "-isystem /usr/include/x86_64-linux-gnu -c -o %s/tried.o %s/tried.bpf.c",
		 folder, folder);
	if (system("${CLANG:-clang} --version >/dev/null 2>&1") || system(command)) {
		scratch_remove(folder);
		return -ENOEXEC;
	}
	file = read_file(scratch_path(folder, "tried.o"));
	*schema = NULL;
	err = schema_open(schema, "tried", file.bytes, file.size, error);
	free(file.bytes);
	scratch_remove(folder);
	return err;
}

#define NO_CLANG "needs clang, to compile a probe"
#define BODY                                                                                       \
	"SEC(\"tp_btf/sched_switch\") int on_switch(void *args)\n"                                 \
	"{ struct tried_event event = {};\n"                                                       \
	"  if (!stage_early(&event)) return 0;\n"                                                  \
	"  event_send(&event.context.header, sizeof(event), stage_late(&event)); return 0; }\n"
#define START "#include \"moonprobe.bpf.h\"\nstruct tried_event { struct event_context context;\n"
#define END "};\nPROBE(tried, \"Tries.\", \"Nothing.\");\n"

static void every_kind_of_field(void **state)
{
	const struct schema_field *field;
	struct schema *schema;
	struct error error;
	int err = open_source(
		"#include \"moonprobe.bpf.h\"\n"
		"enum colour { COLOUR_RED = 1, COLOUR_BLUE = 7 };\n"
		"struct tried_event { struct event_context context;\n"
		"__s64 signed_64 FIELD(\"a\"); __u8 small FIELD(\"b\");\n"
		"bool flag FIELD(\"c\"); __s16 signed_16 FIELD(\"d\");\n"
		"enum colour colour FIELD(\"e\");\n"
		"__u64 three[3] FIELD(\"f\"); __u8 raw[8] FIELD(\"g\");\n"
		"char text[24] FIELD(\"h\"); struct ip_address where FIELD(\"i\");\n"
		"error_number error FIELD(\"j\");" END
		"const volatile enum colour only KNOB(\"k\") = COLOUR_BLUE;\n"
		"const volatile __s32 level KNOB(\"l\") = -3;\n"
		"const volatile char word[8] KNOB(\"m\") = \"preset\";\n"
		"const volatile bool on KNOB(\"n\") = true;\n"
		"FIELD_SWITCH(small);\nFIELD_LATE(text);\n" BODY
		"SEC(\"?tp_btf/sched_wakeup\") ONLY_WITH(on) int on_wakeup(void *args)\n"
		"{ return only + level + word[0] + want_small + want_text; }\n",
		&schema, &error);

	(void)state;
	if (err == -ENOEXEC)
		SKIP(NO_CLANG);
	if (err)
		fail_msg("%s", error.text);
	check_fields(schema);
	check_knobs(schema);
	check_programs(schema);
	assert_int_equal(schema_field(schema, "signed_64")->kind, SCHEMA_SIGNED);
	assert_int_equal(schema_field(schema, "signed_64")->element_bytes, 8);
	assert_int_equal(schema_field(schema, "small")->kind, SCHEMA_UNSIGNED);
	assert_true(schema_field(schema, "small")->switchable);
	assert_false(schema_field(schema, "small")->late);
	assert_int_equal(schema_field(schema, "flag")->kind, SCHEMA_BOOL);
	assert_int_equal(schema_field(schema, "signed_16")->kind, SCHEMA_SIGNED);
	field = schema_field(schema, "colour");
	assert_int_equal(field->kind, SCHEMA_UNSIGNED);
	assert_string_equal(field->type, "colour");
	assert_int_equal(field->value_count, 2);
	/* The knob `only` has values too; those of the field must not have moved away. */
	assert_string_equal(field->values[0].name, "COLOUR_RED");
	assert_int_equal(field->values[0].value, 1);
	assert_string_equal(field->values[1].name, "COLOUR_BLUE");
	assert_int_equal(field->values[1].value, 7);
	field = schema_field(schema, "three");
	assert_int_equal(field->elements, 3);
	assert_int_equal(field->bytes, 24);
	field = schema_field(schema, "raw");
	assert_int_equal(field->kind, SCHEMA_UNSIGNED);
	assert_int_equal(field->elements, 8);
	field = schema_field(schema, "text");
	assert_int_equal(field->kind, SCHEMA_TEXT);
	assert_int_equal(field->bytes, 24);
	assert_true(field->late);
	assert_true(field->switchable);
	field = schema_field(schema, "where");
	assert_int_equal(field->kind, SCHEMA_STRUCT);
	assert_string_equal(field->type, "ip_address");
	assert_string_equal(schema_field(schema, "error")->type, "error_number");
	assert_string_equal(schema_field(schema, "error")->doc, "j");

	assert_true(schema->knob_count >= 4); /* and those every probe has */
	assert_true(schema_knob(schema, "only")->preset == 7);
	assert_true(schema_knob(schema, "level")->preset == -3);
	assert_string_equal(schema_knob(schema, "word")->preset_text, "preset");
	assert_int_equal(schema_knob(schema, "on")->kind, SCHEMA_BOOL);
	assert_int_equal(schema->program_count, 2);
	assert_int_equal(schema->programs[0].optional + schema->programs[1].optional, 1);
	schema_close(schema);
}

static void probes_that_keep_no_rule(void **state)
{
	static const struct {
		const char *source, *message;
	} cases[] = {
		{START "__u32 bits : 3 FIELD(\"a\");" END BODY,
		 "probe tried: field bits: only integers, enums, text and structs can be fields"},
		{START "void *pointer FIELD(\"a\");" END BODY,
		 "probe tried: field pointer: only integers, enums, text and structs can be "
		 "fields"},
		{"#include \"moonprobe.bpf.h\"\nSEC(\"tp_btf/x\") int f(void *a) { return 0; }\n",
		 "probe tried: declares no event"},
		{START END "int helper(struct tried_event *event) { return stage_early(event); }\n",
		 "probe tried: has no SEC() program"},
		{START END BODY "SEC(\"?tp_btf/y\") ONLY_WITH(none) int f(void *a) { return 0; }\n",
		 "probe tried: program f: no knob named none"},
		{START END "const volatile __u32 many[3] KNOB(\"a\") = { 1 };\n" BODY
			   "SEC(\"tp_btf/y\") int f(void *a) { return many[1]; }\n",
		 "probe tried: knob many: only integers and text can be knobs"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct schema *schema;
		struct error error;
		int err = open_source(cases[i].source, &schema, &error);

		if (err == -ENOEXEC)
			SKIP(NO_CLANG);
		if (!err)
			fail_msg("opened: %s", cases[i].source);
		assert_int_equal(err, -EINVAL);
		assert_null(schema);
		if (!strstr(error.text, cases[i].message))
			fail_msg("'%s' is not '%s'", error.text, cases[i].message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_probe_can_be_read),
		cmocka_unit_test(stages_can_be_found),
		cmocka_unit_test(the_context_is_flat),
		cmocka_unit_test(garbage_is_refused),
		cmocka_unit_test(a_truncated_object_is_refused),
		cmocka_unit_test(another_object_is_refused),
		cmocka_unit_test(units_are_in_names),
		cmocka_unit_test(every_kind_of_field),
		cmocka_unit_test(probes_that_keep_no_rule),
	};

	return cmocka_run_group_tests_name("schema", tests, setup, teardown);
}
