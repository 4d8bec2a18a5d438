/* SPDX-License-Identifier: Apache-2.0 */
/* Hook: a place in the kernel a program can be attached to, written as a libbpf section.
 *
 *   "tp_btf/NAME"      raw tracepoint, typed arguments
 *   "raw_tp/NAME"      raw tracepoint
 *   "tp/CATEGORY/NAME" tracepoint through perf
 *
 * What is attached is always a dispatcher: five instructions that tail-call the body in a
 * program array of one. The body can be replaced while the link stays. */
#ifndef MOONPROBE_HOOK_H
#define MOONPROBE_HOOK_H

#include "error.h"

struct template_program;

/* Opens tracefs: where it is mounted, else as a mount only we can see. A directory
 * descriptor or -errno. */
int tracefs_open(void);

/* 0 when this kernel has the hook, -ENOENT or another -errno with the reason. */
int hook_exists(const char *section, struct error *error);

/* Loads a dispatcher for bodies made of `body`; it calls what is in the program array
 * `slot_fd`. A program descriptor or -errno. */
int hook_dispatcher(const struct template_program *body, int slot_fd, struct error *error);

/* Attaches; a link descriptor, closing it detaches. -errno with the reason. */
int hook_attach(const char *section, int program_fd, struct error *error);

#endif
