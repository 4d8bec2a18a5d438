/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Peer: what somebody who knows BPF would write by hand instead of a script of one line.
 *
 * Each of these programs is tied to one question, so it has no ring, no dispatcher and no
 * switches, and remembers nothing but the cells it counts in. They take the hooks Moonprobe's
 * probes have. A cell belongs to one CPU and its hook is not entered twice there at the same
 * time, so a plain addition is enough: an atomic one costs more. ../peer.c loads them. */
#ifndef PEER_BPF_H
#define PEER_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "kernel.bpf.h"
#include "peer.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile struct peer_settings wanted = {};

static __always_inline bool is_wanted(const struct task_struct *task)
{
	return task->tgid == wanted.pid;
}

/* A whole comm, which the kernel fills up with zeros. bpf_get_current_comm() takes 70 ns more. */
struct comm {
	__u64 words[2];
};

static __always_inline struct comm comm_of(const struct task_struct *task)
{
	const __u64 *words = (const __u64 *)task->comm;

	return (struct comm){{words[0], words[1]}};
}

#endif
