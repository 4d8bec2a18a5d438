// SPDX-License-Identifier: Apache-2.0
#include "body.h"

#include "clock.h"
#include "splice.h"
#include "stage_check.h"
#include "template.h"
#include "verifier_log.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOG_BYTES                                                                                  \
	(16u << 20) /* the kernel writes all of it, and before 6.4 stops when it is full */
#define LD_IMM64 (BPF_LD | BPF_DW | BPF_IMM)

/* What a stage without instructions is: everything passes, the worker judges. */
static const struct bpf_insn trivial[SPLICE_STUBS][2] = {
	[PLAN_EARLY] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = 1},
			{.code = BPF_JMP | BPF_EXIT}},
	[PLAN_LATE] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = 0xff},
		       {.code = BPF_JMP | BPF_EXIT}},
	[SPLICE_TYPED_EARLY] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K},
				{.code = BPF_JMP | BPF_EXIT}},
	[SPLICE_TYPED_LATE] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K}, {.code = BPF_JMP | BPF_EXIT}},
	[SPLICE_SLOTS] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K}, {.code = BPF_JMP | BPF_EXIT}},
};

/* A body being made. */
struct making {
	const struct body_wish *wish;
	struct body *body;
	struct splice_part parts[SPLICE_STUBS];
	struct bpf_insn *owned[PLAN_STAGES]; /* parts with descriptors in them */
	int rodata_fd;
};

static int check_stages(const struct body_wish *wish, struct error *error)
{
	const struct stage_scope scope = {
		.event_bytes = wish->event_bytes,
		.maps = wish->plan->maps,
		.map_count = wish->plan->map_count,
	};

	for (int stage = 0; stage < PLAN_STAGES; stage++) {
		const struct plan_code *code = &wish->plan->stages[stage];
		struct error why;

		if (code->count && stage_check(code->code, code->count, &scope, &why))
			return error_set(error, -EINVAL, "%s stage refused: %s",
					 plan_stage_name(stage), why.text);
	}
	return 0;
}

static int make_maps(struct making *making, struct error *error)
{
	const struct body_wish *wish = making->wish;
	struct plan_maps *maps = &making->body->maps;
	int err = 0;

	if (wish->like) {
		err = plan_maps_share(maps, &wish->like->maps);
		return err ? error_set(error, err, "maps: %s", strerror(-err)) : 0;
	}
	for (uint32_t i = 0; i < wish->plan->map_count && !err; i++) {
		err = -ENOENT;
		for (int from = 0; from < 2 && err == -ENOENT; from++)
			if (wish->before[from])
				err = plan_maps_take(maps, &wish->plan->maps[i],
						     &wish->before[from]->maps);
		if (err == -ENOENT)
			err = plan_maps_make(maps, wish->plan, i, error);
		else if (err)
			error_set(error, err, "maps: %s", strerror(-err));
	}
	return err;
}

/* A stage's instructions with descriptors in place of indices. */
static int make_part(struct making *making, enum plan_stage stage)
{
	const struct plan_code *from = &making->wish->plan->stages[stage];
	struct bpf_insn *code;

	if (!from->count)
		return 0;
	code = malloc(from->count * sizeof(*code));
	if (!code)
		return -ENOMEM;
	memcpy(code, from->code, from->count * sizeof(*code));
	for (uint32_t i = 0; i < from->count; i++)
		if (code[i].code == LD_IMM64 && code[i].src_reg)
			code[i].imm = making->body->maps.fds[code[i].imm];
	making->owned[stage] = code;
	making->parts[stage] = (struct splice_part){.code = code, .count = from->count};
	return 0;
}

/* Frozen: only so does the verifier take the values for constants. */
static int make_rodata(struct making *making)
{
	DECLARE_LIBBPF_OPTS(bpf_map_create_opts, options,
			    .map_flags = BPF_F_RDONLY_PROG | BPF_F_MMAPABLE);
	size_t bytes = making->wish->template->rodata_bytes;
	const uint32_t first = 0;

	making->body->rodata = malloc(bytes);
	if (!making->body->rodata)
		return -ENOMEM;
	memcpy(making->body->rodata, making->wish->rodata, bytes);
	making->rodata_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "rodata", sizeof(first),
					   making->wish->template->rodata_bytes, 1, &options);
	if (making->rodata_fd < 0 ||
	    bpf_map_update_elem(making->rodata_fd, &first, making->wish->rodata, BPF_ANY) ||
	    bpf_map_freeze(making->rodata_fd))
		return -errno;
	return 0;
}

/* Loads it once more for the log, and says what the kernel did not like, and where in the
 * script that comes from. */
static int explain(const struct making *making, const struct template_program *program,
		   const struct splice *splice, struct bpf_prog_load_opts *options, int err,
		   struct error *error)
{
	const struct plan *plan = making->wish->plan;
	char *log = malloc(LOG_BYTES), reason[200] = "";
	int last = -1, fd;

	if (log) {
		*log = 0;
		options->log_buf = log;
		options->log_size = LOG_BYTES;
		options->log_level = 1;
		fd = bpf_prog_load(program->type, program->name, making->wish->template->license,
				   splice->code, splice->count, options);
		if (fd >= 0)
			close(fd);
		last = verifier_log_end(log, reason, sizeof(reason));
		if (making->wish->verbose)
			fputs(log, stderr);
		free(log);
	}
	for (int stage = 0; plan && stage < PLAN_STAGES; stage++) {
		uint32_t at = splice->at[stage], count = plan->stages[stage].count;

		if (at && last >= (int)at && last < (int)(at + count))
			return error_set(error, err,
					 "%s: the kernel refused the %s stage made of it, at "
					 "instruction %d: %s",
					 plan_where(plan, stage, last - at), plan_stage_name(stage),
					 last - (int)at, reason);
	}
	return error_set(error, err,
			 "the kernel refused program %s: %s%s%s; run with -v to see its log, "
			 "moonprobe doctor tells what this kernel allows",
			 program->name, strerror(-err), *reason ? ": " : "", reason);
}

/* Reads it anything that differs from body to body? */
static bool is_same_in_all(const struct making *making, const struct template_program *program)
{
	const struct bpf_insn *code = program->code;

	for (int stage = 0; stage < SPLICE_STUBS; stage++)
		if (splice_has(code, program->count, stage))
			return false;
	for (uint32_t i = 0; i + 1 < program->count; i++)
		if (code[i].code == LD_IMM64 && code[i].src_reg == BPF_PSEUDO_MAP_VALUE &&
		    code[i].imm == making->wish->template->rodata_fd &&
		    code[i + 1].imm == (int32_t)making->wish->generation_at)
			return false;
	return true;
}

static bool has_same_rodata(const struct body_wish *wish, const struct body *body)
{
	uint32_t behind = wish->generation_at + 1;

	return !memcmp(wish->rodata, body->rodata, wish->generation_at) &&
	       !memcmp(wish->rodata + behind, body->rodata + behind,
		       wish->template->rodata_bytes - behind);
}

/* One that would be the same need not be loaded again. True when there is one. */
static bool borrow_program(struct making *making, int index)
{
	struct body_program *program = &making->body->programs[index];

	if (!is_same_in_all(making, &making->wish->template->programs[index]))
		return false;
	for (const struct body *one = making->wish->others; one; one = one->next) {
		if (!has_same_rodata(making->wish, one))
			continue;
		program->number = one->programs[index].number;
		program->fd = fcntl(one->programs[index].fd, F_DUPFD_CLOEXEC, 3);
		return program->fd >= 0;
	}
	return false;
}

/* Where the functions are now, as the kernel wants to know of a program that has global ones.
 * To be freed. */
static struct bpf_func_info *move_functions(const struct template_program *program,
					    const struct splice *splice, uint32_t *count)
{
	struct bpf_func_info *moved = calloc(program->function_count + 1, sizeof(*moved));

	*count = 0;
	for (uint32_t i = 0; moved && i < program->function_count; i++) {
		struct bpf_func_info one = program->functions[i];

		if (one.insn_off >= program->count || splice->moved[one.insn_off] == SPLICE_GONE)
			continue;
		one.insn_off = splice->moved[one.insn_off];
		moved[(*count)++] = one;
	}
	return moved;
}

static int load_program(struct making *making, int index, struct error *error)
{
	const struct template *template = making->wish->template;
	const struct template_program *program = &template->programs[index];
	DECLARE_LIBBPF_OPTS(
		bpf_prog_load_opts, options, .expected_attach_type = program->attach_type,
		.attach_btf_id = program->attach_btf_id,
		.attach_btf_obj_fd = program->attach_btf_fd, .prog_flags = program->flags);
	static uint64_t number;
	struct bpf_func_info *functions;
	struct splice splice;
	int err, fd;

	if (!program->count || borrow_program(making, index))
		return 0;
	err = splice_make(&splice, program->code, program->count, making->parts);
	if (err)
		return error_set(error, err, "program %s: its functions cannot be told apart: %s",
				 program->name, strerror(-err));
	splice_replace_map(splice.code, splice.count, template->rodata_fd, making->rodata_fd);
	functions = move_functions(program, &splice, &options.func_info_cnt);
	if (functions && template->btf_fd) {
		options.prog_btf_fd = template->btf_fd;
		options.func_info = functions;
		options.func_info_rec_size = sizeof(*functions);
	} else {
		options.func_info_cnt = 0;
	}
	fd = bpf_prog_load(program->type, program->name, template->license, splice.code,
			   splice.count, &options);
	if (fd < 0)
		err = explain(making, program, &splice, &options, -errno, error);
	free(functions);
	splice_free(&splice);
	making->body->programs[index] = (struct body_program){fd, ++number};
	return err;
}

static int load_programs(struct making *making, struct error *error)
{
	struct body *body = making->body;
	int count = making->wish->template->program_count, err = 0;

	body->programs = malloc(count * sizeof(*body->programs));
	if (!body->programs)
		return error_set(error, -ENOMEM, "no memory");
	body->program_count = count;
	for (int i = 0; i < body->program_count; i++)
		body->programs[i].fd = -1;
	for (int i = 0; i < body->program_count && !err; i++)
		err = load_program(making, i, error);
	return err;
}

int body_load(struct body **out, const struct body_wish *wish, struct error *error)
{
	struct making making = {.wish = wish, .rodata_fd = -1};
	uint64_t start = clock_now_ns();
	int err = 0;

	if (wish->plan)
		err = check_stages(wish, error);
	if (err)
		return err;
	making.body = calloc(1, sizeof(*making.body));
	if (!making.body)
		return error_set(error, -ENOMEM, "no memory");
	for (int stub = 0; stub < SPLICE_STUBS; stub++)
		making.parts[stub] = (struct splice_part){trivial[stub], 2};
	for (int stub = 0; wish->parts && stub < SPLICE_STUBS; stub++)
		if (wish->parts[stub].count)
			making.parts[stub] = wish->parts[stub];
	if (wish->plan)
		err = make_maps(&making, error);
	for (int stage = 0; wish->plan && !err && stage < PLAN_STAGES; stage++) {
		err = make_part(&making, stage);
		if (err)
			error_set(error, err, "no memory");
	}
	if (!err) {
		err = make_rodata(&making);
		if (err)
			error_set(error, err, "constants: %s", strerror(-err));
	}
	if (!err)
		err = load_programs(&making, error);
	if (making.rodata_fd >= 0)
		close(making.rodata_fd); /* the programs keep it */
	for (int stage = 0; stage < PLAN_STAGES; stage++)
		free(making.owned[stage]);
	if (err) {
		body_close(making.body);
		return err;
	}
	making.body->is_staged = wish->plan != NULL;
	making.body->load_ns = clock_now_ns() - start;
	*out = making.body;
	return 0;
}

void body_close(struct body *body)
{
	if (!body)
		return;
	for (int i = 0; i < body->program_count; i++)
		if (body->programs[i].fd >= 0)
			close(body->programs[i].fd);
	free(body->programs);
	free(body->rodata);
	plan_maps_close(&body->maps);
	free(body);
}
