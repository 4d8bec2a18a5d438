/* SPDX-License-Identifier: Apache-2.0 */
/* Module BTF: the types of a kernel module, and the kernel's own object of them, by which a
 * program is told which function it is for (attach_btf_obj_fd, since 5.11).
 *
 * Names of functions are no names across modules: what is attached to has to be the number of the
 * function in the object it was looked up in. */
#ifndef MOONPROBE_MODULE_BTF_H
#define MOONPROBE_MODULE_BTF_H

struct btf;

/* On top of `kernel`, which outlives it. NULL and errno. `fd` is the caller's to close; 0: who runs
 * this may read the types, but not have their object (CAP_SYS_ADMIN). The object stays, and a
 * module of that name that is loaded later has another: the kernel then refuses the program. */
struct btf *module_btf_load(const char *module, struct btf *kernel, int *fd);

#endif
