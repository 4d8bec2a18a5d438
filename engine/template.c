// SPDX-License-Identifier: Apache-2.0
#include "template.h"

#include "schema.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What ld --wrap makes of libbpf's calls, and of the function itself. */
int __real_bpf_prog_load(enum bpf_prog_type type, const char *name, const char *license,
			 const struct bpf_insn *code, size_t count,
			 const struct bpf_prog_load_opts *options);
int __wrap_bpf_prog_load(enum bpf_prog_type type, const char *name, const char *license,
			 const struct bpf_insn *code, size_t count,
			 const struct bpf_prog_load_opts *options);

/* The object that is being loaded. */
static struct bpf_object *source;
static struct template *target;

/* A program that does nothing: libbpf wants a descriptor. */
static int load_stand_in(const char *license)
{
	const struct bpf_insn nothing[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};

	return __real_bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, "stand_in", license, nothing,
				    sizeof(nothing) / sizeof(*nothing), NULL);
}

static int keep_functions(struct template_program *program,
			  const struct bpf_prog_load_opts *options)
{
	const char *record = options->func_info;

	if (!record || !options->prog_btf_fd)
		return 0;
	program->functions = calloc(options->func_info_cnt, sizeof(*program->functions));
	if (!program->functions)
		return -ENOMEM;
	for (uint32_t i = 0; i < options->func_info_cnt; i++)
		memcpy(&program->functions[i], record + i * options->func_info_rec_size,
		       sizeof(*program->functions));
	program->function_count = options->func_info_cnt;
	if (!target->btf_fd)
		target->btf_fd = fcntl(options->prog_btf_fd, F_DUPFD_CLOEXEC, 3);
	return target->btf_fd < 0 ? -errno : 0;
}

static int keep(struct template_program *program, const struct bpf_insn *code, size_t count,
		const struct bpf_prog_load_opts *options)
{
	program->attach_type = options->expected_attach_type;
	program->attach_btf_id = options->attach_btf_id;
	program->flags = options->prog_flags;
	if (options->attach_btf_obj_fd) { /* libbpf will close it */
		program->attach_btf_fd = fcntl(options->attach_btf_obj_fd, F_DUPFD_CLOEXEC, 3);
		if (program->attach_btf_fd < 0)
			return -errno;
	}
	program->code = malloc(count * sizeof(*code));
	if (!program->code)
		return -ENOMEM;
	memcpy(program->code, code, count * sizeof(*code));
	program->count = count;
	return keep_functions(program, options);
}

/* The one whose instructions these are; NULL: it is none of the object's. */
static struct template_program *find_program(const struct bpf_insn *code)
{
	struct bpf_program *program = NULL;

	if (!source)
		return NULL;
	for (int i = 0; (program = bpf_object__next_program(source, program)); i++)
		if (bpf_program__insns(program) == code)
			return &target->programs[i];
	return NULL;
}

int __wrap_bpf_prog_load(enum bpf_prog_type type, const char *name, const char *license,
			 const struct bpf_insn *code, size_t count,
			 const struct bpf_prog_load_opts *options)
{
	struct template_program *program = find_program(code);
	int err;

	if (!program) /* what libbpf tries out to learn about the kernel, and what others load */
		return __real_bpf_prog_load(type, name, license, code, count, options);
	program->type = type;
	snprintf(target->license, sizeof(target->license), "%s", license);
	err = keep(program, code, count, options);
	return err ? err : load_stand_in(license);
}

static int keep_rodata(struct template *template, struct bpf_map *map)
{
	const void *initial = bpf_map__initial_value(map, &template->rodata_bytes);

	if (!initial)
		return -EINVAL;
	template->rodata = malloc(template->rodata_bytes);
	if (!template->rodata)
		return -ENOMEM;
	memcpy(template->rodata, initial, template->rodata_bytes);
	return 0;
}

int template_open(struct template **out, struct bpf_object *object)
{
	struct template *template = calloc(1, sizeof(*template));
	struct bpf_map *rodata = schema_rodata_map(object);
	struct bpf_program *program;
	int err = 0;

	if (!template)
		return -ENOMEM;
	bpf_object__for_each_program(program, object)
	{
		template->program_count++;
	}
	template->programs = calloc(template->program_count, sizeof(*template->programs));
	if (!template->programs)
		err = -ENOMEM;
	if (!err)
		err = rodata ? keep_rodata(template, rodata) : -EINVAL;
	if (!err) {
		int i = 0;

		bpf_object__for_each_program(program, object)
		{
			template->programs[i++].name = bpf_program__name(program);
		}
		source = object;
		target = template;
		err = bpf_object__load(object);
		source = NULL;
		target = NULL;
	}
	if (!err)
		template->rodata_fd = bpf_map__fd(rodata);
	if (err)
		template_close(template);
	else
		*out = template;
	return err;
}

int template_aim(struct template *template, uint32_t btf_id, int btf_fd)
{
	for (int i = 0; i < template->program_count; i++) {
		struct template_program *program = &template->programs[i];

		if (!program->attach_btf_id)
			continue;
		if (program->attach_btf_fd > 0)
			close(program->attach_btf_fd);
		program->attach_btf_id = btf_id;
		program->attach_btf_fd = fcntl(btf_fd, F_DUPFD_CLOEXEC, 3);
		if (program->attach_btf_fd < 0)
			return -errno;
	}
	return 0;
}

void template_close(struct template *template)
{
	if (!template)
		return;
	for (int i = 0; template->programs && i < template->program_count; i++) {
		if (template->programs[i].attach_btf_fd > 0)
			close(template->programs[i].attach_btf_fd);
		free(template->programs[i].functions);
		free(template->programs[i].code);
	}
	if (template->btf_fd > 0)
		close(template->btf_fd);
	free(template->programs);
	free(template->rodata);
	free(template);
}
