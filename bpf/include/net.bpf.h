/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Net: the kernel's sockets, their addresses, and when the current task is theirs.
 *
 *   fd --socket_of_fd()--> sock --socket_ports()--> sport, dport
 *                               --socket_version()--> ip_version
 *                               --late_addresses()--> saddr, daddr
 *
 * Much of TCP runs in softirq, so its probes remember a socket's owner (owner.bpf.h) at a
 * moment user_acts() vouches for. */
#ifndef MOONPROBE_NET_BPF_H
#define MOONPROBE_NET_BPF_H

#include "owner.bpf.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct in6_addr {
	union {
		__u8 u6_addr8[16];
	} in6_u;
};

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num; /* local port, host order; 0 again once the port is given back */
	unsigned short skc_family;
	volatile unsigned char skc_state;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	unsigned long skc_flags; /* bit numbers: enum sock_flags */
};

typedef struct {
	int owned; /* by a task; softirq takes the spinlock beside it */
} socket_lock_t;

struct sock {
	struct sock_common __sk_common;
	socket_lock_t sk_lock;
	__u16 sk_protocol;
	int sk_err;
};

struct request_sock {
	struct sock_common __req_common;
};

struct inet_sock {
	struct sock sk;
	__be16 inet_sport; /* stays when a closed socket gives its port back */
};

struct inet_connection_sock {
	struct inet_sock icsk_inet;
};

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	__u64 bytes_sent;
	__u64 bytes_retrans;
	__u64 bytes_received;
	__u32 total_retrans;
	__u32 srtt_us; /* eight times the smoothed round trip */
};

struct sk_buff {
	unsigned int len;
};

struct socket {
	struct sock *sk;
};

#pragma clang attribute pop

#define AF_INET 2
#define AF_INET6 10
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define SOCK_DONE 1 /* enum sock_flags: the peer's FIN has come */

enum tcp_state { /* include/net/tcp_states.h */
		 TCP_UNKNOWN = 0,
		 TCP_ESTABLISHED = 1,
		 TCP_SYN_SENT = 2,
		 TCP_SYN_RECV = 3,
		 TCP_FIN_WAIT1 = 4,
		 TCP_FIN_WAIT2 = 5,
		 TCP_TIME_WAIT = 6,
		 TCP_CLOSE = 7,
		 TCP_CLOSE_WAIT = 8,
		 TCP_LAST_ACK = 9,
		 TCP_LISTEN = 10,
		 TCP_CLOSING = 11,
		 TCP_NEW_SYN_RECV = 12,
};

/* Does the current task act on this socket by a call of its own? A task holds the socket's
 * lock during its calls; packets and timers go on without, or wait until it is released and
 * are then handled in the name of that task. So a state that changes while the lock is
 * held is changed by its holder. Kernel threads are left out: they act for others. */
static __always_inline bool user_acts(const struct sock *sk)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return sk->sk_lock.owned && !(task->flags & PF_KTHREAD);
}

/* RFC 4291 2.5.5.2. Copied by a helper: written as constants, the verifier would follow the
 * two families separately through all that comes after, and through loops again and again. */
static const __u8 ipv4_mapped[12] = {[10] = 0xff, [11] = 0xff};

static __always_inline void address_from_ipv4(struct ip_address *address, __be32 ipv4)
{
	bpf_probe_read_kernel(address->bytes, sizeof(ipv4_mapped), ipv4_mapped);
	__builtin_memcpy(&address->bytes[12], &ipv4, 4);
}

/* 4 or 6; 0 for any other family. */
static __always_inline __u32 socket_version(const struct sock_common *common)
{
	switch (BPF_CORE_READ(common, skc_family)) {
	case AF_INET:
		return 4;
	case AF_INET6:
		return bpf_core_field_exists(common->skc_v6_daddr) ? 6 : 0; /* CONFIG_IPV6=n */
	}
	return 0;
}

/* All probes with addresses have these two, and they are late. */
FIELD_LATE(saddr);
FIELD_LATE(daddr);

/* Local and remote address of a socket of this version. */
static __always_inline void late_addresses(const struct sock_common *common, __u32 version,
					   struct ip_address *local, struct ip_address *remote)
{
	if (!want_saddr && !want_daddr)
		return;
	if (version == 4) {
		if (want_saddr)
			address_from_ipv4(local, BPF_CORE_READ(common, skc_rcv_saddr));
		if (want_daddr)
			address_from_ipv4(remote, BPF_CORE_READ(common, skc_daddr));
	} else if (version == 6) {
		if (want_saddr)
			bpf_core_read(local, sizeof(*local), &common->skc_v6_rcv_saddr);
		if (want_daddr)
			bpf_core_read(remote, sizeof(*remote), &common->skc_v6_daddr);
	}
}

static __always_inline void socket_ports(const struct sock *sk, __u16 *local, __u16 *remote)
{
	const struct inet_sock *inet = (const struct inet_sock *)sk;

	*local = bpf_ntohs(BPF_CORE_READ(inet, inet_sport));
	*remote = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
}

#define S_IFMT 0170000
#define S_IFSOCK 0140000

/* The socket behind a descriptor of the running process; NULL when it is none. */
static __always_inline struct sock *socket_of_fd(__u32 fd)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct fdtable *table = task->files->fdt;
	struct file *file = NULL;
	struct socket *socket;

	if (fd >= table->max_fds)
		return NULL;
	bpf_probe_read_kernel(&file, sizeof(file), table->fd + fd);
	if (!file || (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return NULL;
	socket = BPF_CORE_READ(file, private_data); /* NULL when opened with O_PATH */
	return socket ? BPF_CORE_READ(socket, sk) : NULL;
}

#endif
