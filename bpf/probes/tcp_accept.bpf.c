// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* tcp_accept: TCP connections taken by accept(2) or accept4(2).
 *
 * The new descriptor is followed to its socket when the call returns. How long the
 * connection had waited in the listen queue comes from the end of its handshake, seen in
 * softirq and remembered by socket; `queue = 0` saves that hook. */
#include "net.bpf.h"

struct tcp_accept_event {
	struct event_context context;
	struct ip_address saddr FIELD("local address");
	struct ip_address daddr FIELD("address of the peer");
	__u16 sport FIELD("local port");
	__u16 dport FIELD("port of the peer");
	__u32 ip_version FIELD("4 or 6: family of the socket");
	__u64 queue_ns FIELD("from the end of the handshake to accept returning; 0: unknown");
};
PROBE(tcp_accept, "One event per TCP connection accepted.",
      "Connections accepted through io_uring, by 32-bit programs or by the kernel; MPTCP; "
      "the time in the queue of connections established before the probe.");

const volatile __u32 queue KNOB("0 leaves queue_ns out, and the hook it needs") = 1;

/* When a connection nobody has accepted yet was established. Those closed unaccepted are
 * removed; should one be missed, it is the first to be forgotten. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64); /* struct sock * */
	__type(value, __u64);
} established SEC(".maps");

SEC("?tp_btf/inet_sock_set_state")
ONLY_WITH(queue) int BPF_PROG(on_state, const struct sock *sk, int old_state, int new_state)
{
	__u64 key = (__u64)sk;
	__u64 now;

	if (sk->sk_protocol != IPPROTO_TCP)
		return 0;
	if (old_state == TCP_SYN_RECV && new_state == TCP_ESTABLISHED) {
		now = bpf_ktime_get_ns();
		bpf_map_update_elem(&established, &key, &now, BPF_ANY);
	} else if (new_state == TCP_CLOSE && old_state != TCP_SYN_SENT) {
		bpf_map_delete_elem(&established, &key);
	}
	return 0;
}

static __always_inline int accepted(long fd)
{
	struct tcp_accept_event event = {};
	struct sock *sk;
	__u64 *since;
	__u64 now = 0, key;

	if (fd < 0 || !process_wanted(current_pid()))
		return 0;
	sk = socket_of_fd(fd);
	if (!sk || BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP)
		return 0;
	event.ip_version = socket_version(&sk->__sk_common);
	if (!event.ip_version)
		return 0;
	context_of_current(&event.context);
	socket_ports(sk, &event.sport, &event.dport);
	if (queue) {
		key = (__u64)sk;
		since = bpf_map_lookup_elem(&established, &key);
		if (since) {
			now = bpf_ktime_get_ns();
			event.queue_ns = now - *since;
			bpf_map_delete_elem(&established, &key);
		}
	}
	if (!stage_early(&event))
		return 0;
	late_of_current(&event.context, now);
	late_addresses(&sk->__sk_common, event.ip_version, &event.saddr, &event.daddr);
	event_send(&event.context.header, sizeof(event), stage_late(&event));
	return 0;
}

SEC("tp/syscalls/sys_exit_accept4")
int on_accept4(struct trace_event_raw_sys_exit *call)
{
	return accepted(call->ret);
}

SEC("tp/syscalls/sys_exit_accept")
int on_accept(struct trace_event_raw_sys_exit *call)
{
	return accepted(call->ret);
}
