/* SPDX-License-Identifier: Apache-2.0 */
/* Kernel BTF: the running kernel's types, parsed once and let go when probes are loaded.
 *
 * libbpf parses /sys/kernel/btf/vmlinux anew for every object it loads: about 10 ms and
 * 13 MB each. The linker's --wrap gives it ours instead, so a script with many probes pays
 * once, and kernel_btf_load() can be called while a worker is starting on another CPU. */
#ifndef MOONPROBE_KERNEL_BTF_H
#define MOONPROBE_KERNEL_BTF_H

struct btf;

struct btf *kernel_btf_load(void); /* NULL and errno; stays ours: do not free */
void kernel_btf_release(void);	   /* the next load parses again */

/* For who looks into it for longer: as kernel_btf_load(), but a release waits until it is let go as
 * often as it was kept. Scripts load and run independently of each other. */
struct btf *kernel_btf_keep(void);
void kernel_btf_let_go(void);

#endif
