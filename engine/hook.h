/* SPDX-License-Identifier: Apache-2.0 */
/* Hook: a place a program can be attached to, written as a libbpf section.
 *
 *   "tp_btf/NAME"      raw tracepoint, typed arguments      hook_tracepoint.c
 *   "raw_tp/NAME"      raw tracepoint
 *   "tp/CATEGORY/NAME" tracepoint through perf
 *   "fentry" "fexit"   entry, return of a kernel function   hook_trampoline.c
 *   "lsm"              where security modules are asked
 *   "kprobe" "kretprobe" and both with ".multi"             hook_kprobe.c
 *   "uprobe" "uretprobe" and both with ".multi"              hook_uprobe.c
 *   "perf_event"       a clock or a counter                 hook_perf.c
 *   "iter"             all there is of something, once      hook_iter.c
 *
 * A section without a name behind the slash is attached to what the probe's target says
 * (target.h), which may be many places. What is attached is always a dispatcher: five
 * instructions that tail-call the body in a program array of one. The body can be replaced while
 * the links stay. */
#ifndef MOONPROBE_HOOK_H
#define MOONPROBE_HOOK_H

#include "error.h"

#include <stdbool.h>
#include <sys/types.h>

struct bpf_program;
struct target;
struct template_program;

struct hook {
	const char *section;
	const struct target
		*target; /* NULL: the section says all; or none yet, see hook_exists() */
	pid_t pid;	 /* only this process where the hook can tell, 0: all */
};

/* What keeps a dispatcher attached: closing detaches. */
struct hook_links {
	int *fds;
	int count;
	bool is_slow; /* each takes the kernel a while to detach */
};

/* Opens tracefs: where it is mounted, else as a mount only we can see. A directory
 * descriptor or -errno. */
int tracefs_open(void);

/* 0 when this kernel has the hook and allows it, -ENOENT or another -errno with the reason. Without
 * a target: whether it has the kind of hook. */
int hook_exists(const struct hook *hook, struct error *error);

/* Before its object is loaded. 0 or -errno with the reason. */
int hook_prepare(const struct hook *hook, struct bpf_program *program, struct error *error);

/* Loads a dispatcher for bodies made of `body`; it calls what is in the program array
 * `slot_fd`. A program descriptor or -errno. */
int hook_dispatcher(const struct template_program *body, int slot_fd, struct error *error);

/* Is attaching all there is of it, so that its body has to be there before? */
bool hook_is_walk(const struct hook *hook);

/* Attaches at every place of the hook, or at none. 0 or -errno with the reason. */
int hook_attach(const struct hook *hook, int program_fd, struct hook_links *links,
		struct error *error);
void hook_detach(struct hook_links *links);

/* For the files named above. */

struct hook_kind {
	const char *section; /* its first word */
	int (*exists)(const struct hook *hook, const char *name, struct error *error);
	int (*prepare)(const struct hook *hook, struct bpf_program *program, struct error *error);
	int (*attach)(const struct hook *hook, const char *name, int program_fd,
		      struct hook_links *links, struct error *error);
};

extern const struct hook_kind hook_tp_btf, hook_raw_tp, hook_tp, hook_fentry, hook_fexit,
	hook_kprobe, hook_kretprobe, hook_kprobe_multi, hook_kretprobe_multi, hook_uprobe,
	hook_uprobe_multi, hook_uretprobe, hook_uretprobe_multi, hook_perf_event, hook_lsm,
	hook_iter;

struct perf_event_attr;

/* Opens the event (perf_event_open(2)), links the program to it and turns it on. What the program
 * gets from bpf_get_attach_cookie() is `cookie`. A link or -errno. */
int hook_perf_link(struct perf_event_attr *attr, pid_t pid, int cpu, int program_fd,
		   unsigned long long cookie);

/* Is that an error of the place, so that others may do without it? Of many some cannot be had: on
 * the kernel's blacklist, not an instruction's start, an instruction that cannot be single-stepped.
 * Not when what is scarce is gone. */
bool hook_is_refusal(int err);

/* Links places `from` to before `to` at once. A link or -errno. */
typedef int hook_link_range(const struct hook *hook, int program_fd, int from, int to);

/* One link for all places. When the kernel refuses that since some cannot be had, several, without
 * those; a target that is no wildcard needs all. 0 or -errno: also when there are none left. */
int hook_add_many(const struct hook *hook, int program_fd, hook_link_range *link,
		  struct hook_links *links);

/* Adds a link; a negative one is returned as it is, else 0 or -errno. */
int hook_add_link(struct hook_links *links, int link);

#endif
