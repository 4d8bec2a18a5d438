// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* tcp_retransmit: TCP segments sent again because no acknowledgement came.
 *
 * It happens in timers and softirq, so the owner is remembered by socket: the process that
 * connected it, else the first that read, shut down or closed it. `readers = 0` saves the
 * hook on reads; a server's connections then have no owner until it closes them. */
#include "net.bpf.h"

struct tcp_retransmit_event {
	struct event_context context;
	struct ip_address saddr FIELD("local address");
	struct ip_address daddr FIELD("remote address");
	__u16 sport FIELD("local port");
	__u16 dport FIELD("remote port");
	__u32 ip_version FIELD("4 or 6: family of the socket");
	enum tcp_state state FIELD("state of the connection; new_syn_recv: a SYN-ACK");
	__u32 bytes FIELD(
		"payload sent again, of several segments when they were sent as one; 0: a "
		"SYN, SYN-ACK or FIN");
};
PROBE(tcp_retransmit, "One event per TCP segment that was sent again.",
      "The owner (pid is then 0) of connections older than the probe, or accepted but not "
      "yet read, and of SYN-ACKs: such are left out when processes are picked.");

const volatile __u32
	readers KNOB("0 does not learn owners from reads, and saves a map look-up a read") = 1;

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64); /* struct sock * */
	__type(value, struct owner);
} owners SEC(".maps");

static __always_inline int remember(__u64 key)
{
	struct owner owner = {};

	owner_from_current(&owner);
	bpf_map_update_elem(&owners, &key, &owner, BPF_ANY);
	return 0;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(on_state, const struct sock *sk, int old_state, int new_state)
{
	__u64 key = (__u64)sk;

	if (sk->sk_protocol != IPPROTO_TCP)
		return 0;
	switch (new_state) {
	case TCP_SYN_SENT:
		return remember(key);
	case TCP_FIN_WAIT1: /* these two only a close(2) or shutdown(2) leads to */
	case TCP_LAST_ACK:
		if (!bpf_map_lookup_elem(&owners, &key) && user_acts(sk))
			return remember(key);
		return 0;
	case TCP_SYN_RECV: /* a new socket: what its address once meant is over */
	case TCP_CLOSE:
		bpf_map_delete_elem(&owners, &key);
	}
	return 0;
}

SEC("?tp_btf/tcp_rcv_space_adjust")
ONLY_WITH(readers) int BPF_PROG(on_read, struct sock *sk)
{
	__u64 key = (__u64)sk;

	if (!bpf_map_lookup_elem(&owners, &key) && user_acts(sk))
		return remember(key);
	return 0;
}

static __always_inline int report(struct tcp_retransmit_event *event, const struct owner *owner,
				  const struct sock_common *common)
{
	context_of_owner(&event->context, owner);
	event->ip_version = socket_version(common);
	if (!stage_early(event))
		return 0;
	late_of_owner(&event->context, owner, 0);
	late_addresses(common, event->ip_version, &event->saddr, &event->daddr);
	event_send(&event->context.header, sizeof(*event), stage_late(event));
	return 0;
}

/* Since 6.17 the hook also reports segments that could not be sent, and why, in a third
 * argument; the record of the perf tracepoint tells whether this kernel has it. */
struct trace_event_raw_tcp_retransmit_skb {
	int err;
} __attribute__((preserve_access_index));

static __always_inline bool was_sent(unsigned long long *ctx)
{
	struct trace_event_raw_tcp_retransmit_skb *record = NULL;

	return !bpf_core_field_exists(record->err) || (int)ctx[2] == 0;
}

SEC("tp_btf/tcp_retransmit_skb")
int BPF_PROG(on_retransmit, const struct sock *sk, const struct sk_buff *skb)
{
	struct tcp_retransmit_event event = {};
	struct owner owner = {};
	struct owner *known;
	__u64 key = (__u64)sk;

	if (!was_sent(ctx))
		return 0;
	known = bpf_map_lookup_elem(&owners, &key);
	if (known)
		owner = *known;
	if (!owner_wanted(&owner))
		return 0;
	socket_ports(sk, &event.sport, &event.dport);
	event.state = sk->__sk_common.skc_state;
	event.bytes = skb->len;
	return report(&event, &owner, &sk->__sk_common);
}

SEC("?tp_btf/tcp_retransmit_synack")
int BPF_PROG(on_retransmit_synack, const struct sock *sk, const struct request_sock *request)
{
	const struct sock_common *common = &request->__req_common;
	struct tcp_retransmit_event event = {};
	struct owner nobody = {};

	if (!owner_wanted(&nobody))
		return 0;
	event.sport = common->skc_num;
	event.dport = bpf_ntohs(common->skc_dport);
	event.state = TCP_NEW_SYN_RECV;
	return report(&event, &nobody, common);
}
