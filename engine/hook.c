// SPDX-License-Identifier: Apache-2.0
#include "hook.h"

#include "target.h"
#include "template.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define REFUSED_MOST 100 /* of a wildcard; each costs some ten attempts */
#define FEW 4		 /* so many links that are slow to detach are waited for: up to 0.4 s */

static const struct hook_kind *const kinds[] = {
	&hook_tp_btf,	       &hook_raw_tp,	 &hook_tp,	     &hook_fentry,
	&hook_fexit,	       &hook_kprobe,	 &hook_kretprobe,    &hook_kprobe_multi,
	&hook_uprobe,	       &hook_uretprobe,	 &hook_uprobe_multi, &hook_uretprobe_multi,
	&hook_kretprobe_multi, &hook_perf_event, &hook_lsm,	     &hook_iter,
};

/* The kind of a section, and what is behind its slash. */
static const struct hook_kind *kind_of(const char *section, const char **name)
{
	size_t length = strcspn(section, "/");

	*name = section + length + (section[length] == '/');
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (!strncmp(kinds[i]->section, section, length) && !kinds[i]->section[length])
			return kinds[i];
	return NULL;
}

static int unknown(const struct hook *hook, struct error *error)
{
	return error_set(error, -EINVAL, "unknown kind of hook: %s", hook->section);
}

int hook_exists(const struct hook *hook, struct error *error)
{
	const char *name;
	const struct hook_kind *kind = kind_of(hook->section, &name);

	return kind ? kind->exists(hook, name, error) : unknown(hook, error);
}

bool hook_is_walk(const struct hook *hook)
{
	const char *name;

	return kind_of(hook->section, &name) == &hook_iter;
}

int hook_prepare(const struct hook *hook, struct bpf_program *program, struct error *error)
{
	const char *name;
	const struct hook_kind *kind = kind_of(hook->section, &name);

	if (!kind)
		return unknown(hook, error);
	return kind->prepare ? kind->prepare(hook, program, error) : 0;
}

int hook_dispatcher(const struct template_program *body, int slot_fd, struct error *error)
{
	DECLARE_LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = body->attach_type,
			    .attach_btf_id = body->attach_btf_id,
			    .attach_btf_obj_fd = body->attach_btf_fd);
	struct bpf_insn code[] = {
		/* r1 is the context; bpf_tail_call(r1, slot, 0) */
		{.code = BPF_LD | BPF_DW | BPF_IMM,
		 .dst_reg = BPF_REG_2,
		 .src_reg = BPF_PSEUDO_MAP_FD,
		 .imm = slot_fd},
		{0},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3, .imm = 0},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_tail_call},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	int fd;

	fd = bpf_prog_load(body->type, body->name, "Dual BSD/GPL", code,
			   sizeof(code) / sizeof(*code), &options);
	if (fd < 0)
		return error_set(error, -errno, "dispatcher for %s: %s", body->name,
				 strerror(errno));
	return fd;
}

int hook_attach(const struct hook *hook, int program_fd, struct hook_links *links,
		struct error *error)
{
	const char *name;
	const struct hook_kind *kind = kind_of(hook->section, &name);
	int err;

	*links = (struct hook_links){0};
	if (!kind)
		return unknown(hook, error);
	err = kind->attach(hook, name, program_fd, links, error);
	if (err)
		hook_detach(links);
	return err;
}

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* Closes all descriptors but those of the links and, when nobody holds the other end of the pipe
 * any more, ends: the kernel closes the links then. */
static void end_holding(struct hook_links *links, int pipe)
{
	unsigned int from = 0;
	char byte;

	qsort(links->fds, links->count, sizeof(*links->fds), by_number);
	while (read(pipe, &byte, 1) < 0 && errno == EINTR)
		continue;
	for (int i = 0; i < links->count; i++) {
		unsigned int fd = links->fds[i];

		if (fd > from)
			syscall(SYS_close_range, from, fd - 1, 0);
		from = fd + 1;
	}
	syscall(SYS_close_range, from, ~0u, 0);
	_exit(0);
}

static void close_links(struct hook_links *links)
{
	for (int i = 0; i < links->count; i++)
		close(links->fds[i]);
}

/* Detaches hundreds of tracepoints while nobody waits: 26 s for all system calls. A process that
 * nobody has to wait for takes the links along, and is the last to close them. Their programs do
 * nothing meanwhile: the array their dispatchers look into is emptied when we close it. */
static void detach_later(struct hook_links *links)
{
	int ends[2];
	pid_t child;

	if (pipe2(ends, O_CLOEXEC)) {
		close_links(links); /* it takes long, then */
		return;
	}
	child = fork();
	if (!child) {
		setsid(); /* what ends us must not wait for it */
		if (fork())
			_exit(0);
		close(ends[1]);
		end_holding(links, ends[0]);
	}
	while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
		continue;
	close_links(links);
	close(ends[0]);
	close(ends[1]);
}

void hook_detach(struct hook_links *links)
{
	if (links->is_slow && links->count > FEW)
		detach_later(links);
	else
		close_links(links);
	free(links->fds);
	*links = (struct hook_links){0};
}

bool hook_is_refusal(int err)
{
	const int not_supported = 524; /* ENOTSUPP, the kernel's own: include/linux/errno.h */

	return err == -EINVAL || err == -ENOENT || err == -ESRCH || err == -EADDRNOTAVAIL ||
	       err == -EILSEQ || err == -EOPNOTSUPP || err == -EBUSY || err == -EEXIST ||
	       err == -not_supported;
}

/* Halves what is refused until it is known which. */
static int add_range(const struct hook *hook, int program_fd, hook_link_range *link,
		     struct hook_links *links, int from, int to, int *left)
{
	int err = hook_add_link(links, link(hook, program_fd, from, to));
	int middle = from + (to - from) / 2;

	if (!err || !hook_is_refusal(err) || !hook->target->is_wildcard)
		return err;
	if (to - from <= 1) /* too many of them: the reason must be another one */
		return (*left)-- ? 0 : err;
	err = add_range(hook, program_fd, link, links, from, middle, left);
	return err ? err : add_range(hook, program_fd, link, links, middle, to, left);
}

int hook_add_many(const struct hook *hook, int program_fd, hook_link_range *link,
		  struct hook_links *links)
{
	int left = REFUSED_MOST;
	int err = add_range(hook, program_fd, link, links, 0, hook->target->place_count, &left);

	return err || links->count ? err : -ENOENT;
}

int hook_add_link(struct hook_links *links, int link)
{
	int *fds;

	if (link < 0)
		return link;
	fds = reallocarray(links->fds, links->count + 1, sizeof(*fds));
	if (!fds) {
		close(link);
		return -ENOMEM;
	}
	links->fds = fds;
	fds[links->count++] = link;
	return 0;
}
