// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* tcp_connect: attempts to open a TCP connection, and how they ended.
 *
 * An attempt starts when the socket enters SYN_SENT, in the thread that connects, and ends
 * in softirq when it is ESTABLISHED or CLOSEd; the thread is remembered by socket. A
 * non-blocking connect(2) is one attempt too: what counts is the handshake, not the call. */
#include "net.bpf.h"

struct tcp_connect_event {
	struct event_context context;
	__u32 uid FIELD("real user id");
	struct ip_address saddr FIELD("local address");
	struct ip_address daddr FIELD("remote address");
	__u16 sport FIELD("local port");
	__u16 dport FIELD("remote port");
	__u32 ip_version FIELD("4 or 6: family of the socket");
	__u64 latency_ns FIELD("from sending the first SYN to the answer, or to giving up");
	error_number error FIELD("0, or why it failed; ECANCELED: closed before an answer came");
	__u32 retransmits FIELD("SYNs sent again");
};
PROBE(tcp_connect, "One event per finished attempt to open a TCP connection.",
      "Attempts begun before the probe; MPTCP connections as such (their subflows are seen).");

struct attempt {
	struct owner owner;
	__u32 uid;
	__u32 hole;
	__u64 start_ns;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, __u64); /* struct sock * */
	__type(value, struct attempt);
} attempts SEC(".maps");

static __always_inline int begin(__u64 key)
{
	struct attempt attempt = {};

	if (!process_wanted(current_pid()))
		return 0;
	owner_from_current(&attempt.owner);
	attempt.uid = (__u32)bpf_get_current_uid_gid();
	attempt.start_ns = bpf_ktime_get_ns();
	if (bpf_map_update_elem(&attempts, &key, &attempt, BPF_ANY))
		count_lost_map();
	return 0;
}

/* The kernel sets sk_err before it closes a socket for a reason from the network. With
 * none set it was closed here: without a local port (set by the time a SYN goes out)
 * because there was none left, else by its process. */
static __always_inline error_number reason_of(const struct sock *sk, __u16 sport)
{
	if (sk->sk_err)
		return sk->sk_err;
	return sport ? 125 /* ECANCELED */ : 99 /* EADDRNOTAVAIL */;
}

static __always_inline int report(const struct sock *sk, const struct attempt *attempt, bool failed)
{
	struct tcp_sock *tcp = bpf_skc_to_tcp_sock((void *)sk);
	struct tcp_connect_event event = {};
	__u64 now = bpf_ktime_get_ns();

	context_of_owner(&event.context, &attempt->owner);
	event.uid = attempt->uid;
	event.latency_ns = now - attempt->start_ns;
	if (tcp)
		event.retransmits = tcp->total_retrans;
	event.ip_version = socket_version(&sk->__sk_common);
	socket_ports(sk, &event.sport, &event.dport);
	if (failed)
		event.error = reason_of(sk, event.sport);
	if (!stage_early(&event))
		return 0;
	late_of_owner(&event.context, &attempt->owner, now);
	late_addresses(&sk->__sk_common, event.ip_version, &event.saddr, &event.daddr);
	event_send(&event.context.header, sizeof(event), stage_late(&event));
	return 0;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(on_state, const struct sock *sk, int old_state, int new_state)
{
	struct attempt *found, attempt;
	__u64 key = (__u64)sk;

	if (sk->sk_protocol != IPPROTO_TCP)
		return 0;
	if (new_state == TCP_SYN_SENT)
		return begin(key);
	if (new_state != TCP_ESTABLISHED && new_state != TCP_CLOSE)
		return 0;
	/* SYN_RECV: both ends have connected to each other at once. */
	if (old_state != TCP_SYN_SENT && old_state != TCP_SYN_RECV)
		return 0;
	found = bpf_map_lookup_elem(&attempts, &key);
	if (!found)
		return 0;
	attempt = *found;
	bpf_map_delete_elem(&attempts, &key);
	return report(sk, &attempt, new_state == TCP_CLOSE);
}
