/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Kernel: the kernel's own structs, only the members our probes read. CO-RE finds where
 * they are on the running kernel, so order and size here mean nothing. Where a member
 * moved or changed between the supported kernels (6.1 and later), the accessor below
 * cites the commit. */
#ifndef MOONPROBE_KERNEL_BPF_H
#define MOONPROBE_KERNEL_BPF_H

#include <linux/types.h>
#include <stdbool.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	int counter;
} atomic_t;

typedef struct {
	__u32 val;
} kuid_t;

struct cred {
	kuid_t uid;
};

struct signal_struct {
	atomic_t live;
	int group_exit_code;
	unsigned int flags;
};

struct mm_struct {
	unsigned long arg_start;
	unsigned long arg_end;
};

struct super_block {
	unsigned int s_dev;
};

struct inode {
	unsigned short i_mode;
	unsigned long i_ino;
	struct super_block *i_sb;
};

struct qstr {
	const unsigned char *name;
};

struct dentry {
	struct qstr d_name;
};

struct path {
	struct dentry *dentry;
};

struct file {
	struct inode *f_inode;
	struct path f_path;
	__s64 f_pos;
	void *private_data;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct ns_common {
	unsigned int inum;
};

struct mnt_namespace {
	struct ns_common ns;
};

struct nsproxy {
	struct mnt_namespace *mnt_ns;
};

struct task_struct {
	unsigned int flags;
	int pid;
	int tgid;
	char comm[16];
	unsigned int __state;
	int exit_code;
	int prio;
	__u64 start_time;
	struct task_struct *group_leader;
	struct task_struct *real_parent;
	const struct cred *cred;
	struct signal_struct *signal;
	struct mm_struct *mm;
	struct files_struct *files;
	struct nsproxy *nsproxy;
};

struct linux_binprm {
	const char *filename;
};

struct kernel_siginfo {
	int si_code;
};

/* Registers under the kernel's names, with a suffix CO-RE ignores: struct pt_regs itself
 * stays free for the user-space view that PT_REGS_PARM1() and the like expect. */
#if defined(__TARGET_ARCH_x86)
struct pt_regs___kernel {
	unsigned long di;
	unsigned long si;
	unsigned long dx;
	unsigned long r10;
	unsigned long r8;
	unsigned long r9;
	unsigned long ip;
};
#elif defined(__TARGET_ARCH_arm64)
struct pt_regs___kernel {
	__u64 regs[31];
	__u64 pc;
	__u64 orig_x0;
};
#endif

/* Context of a perf tracepoint under events/syscalls. */
struct trace_event_raw_sys_enter {
	long id;
	unsigned long args[6];
};

struct trace_event_raw_sys_exit {
	long id;
	long ret;
};

/* Before v6.9 only `pid`: the rest came with 72ba14deb40a ("mm: update mark_victim
 * tracepoints fields"), which stable kernels down to 6.1 took over. Sizes are in KiB. */
struct trace_event_raw_mark_victim {
	int pid;
	__u32 __data_loc_comm;
	unsigned long total_vm;
	unsigned long anon_rss;
	unsigned long file_rss;
	unsigned long shmem_rss;
	__u32 uid;
	unsigned long pgtables;
	short oom_score_adj;
};

struct gendisk {
	int major;
	int first_minor;
};

struct request_queue {
	struct gendisk *disk;
};

struct request {
	struct request_queue *q;
	unsigned int cmd_flags; /* low 8 bits: the operation, enum req_op */
	unsigned int __data_len;
	__u64 __sector;
};

#pragma clang attribute pop

#define PF_KTHREAD 0x00200000	     /* include/linux/sched.h */
#define SIGNAL_GROUP_EXIT 0x00000004 /* include/linux/sched/signal.h */

/* Bits of task_struct.__state (include/linux/sched.h); TASK_FROZEN since v6.1. */
#define TASK_INTERRUPTIBLE 0x0001
#define TASK_UNINTERRUPTIBLE 0x0002
#define TASK_STOPPED 0x0004
#define TASK_TRACED 0x0008
#define TASK_PARKED 0x0040
#define TASK_DEAD 0x0080
#define TASK_NOLOAD 0x0400
#define TASK_RTLOCK_WAIT 0x1000
#define TASK_FROZEN 0x8000

/* A task that leaves the CPU and still wants it. `preempt` says so whatever the state is. Else
 * __state decides and not the tracepoint's prev_state, which keeps the old value when a
 * pending signal turned the sleep into none (__schedule() in kernel/sched/core.c). */
static __always_inline bool still_runnable(struct task_struct *prev, bool preempt)
{
	return preempt || !prev->__state;
}

/* The arguments of a system call, from the registers saved at its entry. */
static __always_inline void syscall_arguments(__u64 *args, struct pt_regs___kernel *registers)
{
#if defined(__TARGET_ARCH_x86)
	args[0] = registers->di;
	args[1] = registers->si;
	args[2] = registers->dx;
	args[3] = registers->r10;
	args[4] = registers->r8;
	args[5] = registers->r9;
#elif defined(__TARGET_ARCH_arm64)
	args[0] = registers->orig_x0; /* x0 holds the result already */
	args[1] = registers->regs[1];
	args[2] = registers->regs[2];
	args[3] = registers->regs[3];
	args[4] = registers->regs[4];
	args[5] = registers->regs[5];
#else
#error "where are the arguments of a system call on this architecture?"
#endif
}

#endif
