// SPDX-License-Identifier: Apache-2.0
/* Hooks by a trampoline at a kernel function (fentry, fexit), and at one of those that security
 * modules are asked by (lsm). */
#include "hook.h"
#include "kernel_btf.h"
#include "target.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ANY_FUNCTION "bpf_fentry_test1" /* net/bpf/test_run.c has it for tests */

#define MOST_ARGUMENTS 6 /* bpf/include/slots.bpf.h reads so many */

/* Some kernels refuse to load them, some functions cannot have them, and some arguments cannot be
 * read (a pointer to a pointer, at least until v6.12): a program that reads them and does nothing
 * finds out. */
static int try_load(enum bpf_prog_type kind, enum bpf_attach_type type, uint32_t btf_id, int btf_fd,
		    int arguments)
{
	struct bpf_insn program[MOST_ARGUMENTS + 2];
	DECLARE_LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = type,
			    .attach_btf_id = btf_id, .attach_btf_obj_fd = btf_fd);
	int count = 0, fd;

	while (count < arguments && count < MOST_ARGUMENTS) {
		program[count] = (struct bpf_insn){.code = BPF_LDX | BPF_MEM | BPF_DW,
						   .dst_reg = BPF_REG_0,
						   .src_reg = BPF_REG_1,
						   .off = 8 * count};
		count++;
	}
	program[count++] =
		(struct bpf_insn){.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0};
	program[count++] = (struct bpf_insn){.code = BPF_JMP | BPF_EXIT};
	fd = bpf_prog_load(kind, "try", "Dual BSD/GPL", program, count, &options);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static int exists(const struct hook *hook, enum bpf_attach_type type, struct error *error)
{
	const struct target *target = hook->target;
	struct btf *kernel = target ? NULL : kernel_btf_load();
	int id = kernel ? btf__find_by_name_kind(kernel, ANY_FUNCTION, BTF_KIND_FUNC) : 0;
	int err;

	if (target && (target->place_count != 1 || !target->btf_id || target->places[0].offset))
		return error_set(error, -ENOENT,
				 "%s: a trampoline is for one function that the BTF of the kernel "
				 "or of its module knows",
				 target->text);
	err = target ? try_load(BPF_PROG_TYPE_TRACING, type, target->btf_id, target->btf_fd,
				target->arguments)
		     : try_load(BPF_PROG_TYPE_TRACING, type, id, 0, 0);
	return err ? error_set(error, err, "%s: this kernel allows no trampoline there: %s",
			       target ? target->text : hook->section, strerror(-err))
		   : 0;
}

static int entry_exists(const struct hook *hook, const char *name, struct error *error)
{
	(void)name;
	return exists(hook, BPF_TRACE_FENTRY, error);
}

static int exit_exists(const struct hook *hook, const char *name, struct error *error)
{
	(void)name;
	return exists(hook, BPF_TRACE_FEXIT, error);
}

static int prepare(const struct hook *hook, struct bpf_program *program, struct error *error)
{
	/* libbpf looks for a name, first in the kernel: a module's function is put in later
	 * (template_aim()). */
	const char *name = hook->target->btf_fd ? ANY_FUNCTION : hook->target->places[0].symbol;
	int err = bpf_program__set_attach_target(program, 0, name);

	return err ? error_set(error, err, "%s: %s", name, strerror(-err)) : 0;
}

static int attach(const struct hook *hook, const char *name, int program_fd,
		  struct hook_links *links, struct error *error)
{
	int link = bpf_raw_tracepoint_open(NULL, program_fd);
	int err = hook_add_link(links, link < 0 ? -errno : link);

	(void)name;
	return err ? error_set(error, err, "%s: %s", hook->target->text, strerror(-err)) : 0;
}

/* Security modules are chosen at boot; without bpf among them a program loads and never runs. */
static int lsm_exists(const struct hook *hook, const char *name, struct error *error)
{
	char active[256] = "";
	FILE *from = fopen("/sys/kernel/security/lsm", "re");

	(void)hook;
	(void)name;
	if (from) {
		if (!fgets(active, sizeof(active), from))
			*active = 0;
		fclose(from);
	}
	if (*active && !strstr(active, "bpf"))
		return error_set(error, -ENOENT,
				 "this kernel has no bpf among its security modules (%.*s); boot "
				 "with lsm=...,bpf",
				 (int)strcspn(active, "\n"), active);
	if (hook->target && try_load(BPF_PROG_TYPE_LSM, BPF_LSM_MAC, hook->target->btf_id, 0,
				     hook->target->arguments))
		return error_set(error, -ENOENT, "this kernel allows no lsm program: %s",
				 strerror(errno));
	return 0;
}

const struct hook_kind hook_lsm = {"lsm", lsm_exists, prepare, attach};
const struct hook_kind hook_fentry = {"fentry", entry_exists, prepare, attach};
const struct hook_kind hook_fexit = {"fexit", exit_exists, prepare, attach};
