// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* tcp_close: TCP connections that ended, with how long they lived and what they carried.
 *
 * Most of a connection's states change in softirq, where the current task says nothing, so
 * the owner is remembered by socket: the process that connected it, else the first that
 * shut it down or closed it. The end is the socket's: TIME_WAIT comes after it. Attempts
 * that never became a connection are tcp_connect's. */
#include "net.bpf.h"

enum connection_side {
	SIDE_UNKNOWN = 0,
	SIDE_CLIENT = 1,
	SIDE_SERVER = 2,
};

struct tcp_close_event {
	struct event_context context;
	struct ip_address saddr FIELD("local address");
	struct ip_address daddr FIELD("remote address");
	__u16 sport FIELD("local port");
	__u16 dport FIELD("remote port");
	__u32 ip_version FIELD("4 or 6: family of the socket");
	enum connection_side direction FIELD(
		"client: connected from here; server: accepted here; unknown: older "
		"than the probe");
	error_number error FIELD("0, or what ended it, as ECONNRESET or ETIMEDOUT");
	__u64 duration_ns FIELD("since the handshake; 0: older than the probe");
	__u64 sent_bytes FIELD("payload sent, each byte once however often it was repeated");
	__u64 received_bytes FIELD("payload received");
	__u32 rtt_us FIELD("smoothed round trip at the end");
	__u32 retransmits FIELD("segments sent again");
};
PROBE(tcp_close, "One event per TCP connection that ended.",
      "The owner (pid is then 0) of a server's connection that the peer reset before the "
      "server closed or, with readers = 1, read it: such are left out when processes are "
      "picked. Bytes that come after the last close(2).");

const volatile __u32 readers KNOB(
	"1 also takes the first process that reads for the owner, at a map look-up a read") = 0;

struct connection {
	struct owner owner;
	__u64 established_ns;
	enum connection_side direction;
	__u32 hole;
};

/* LRU: a close that goes unseen (a program does not interrupt itself) must not fill it. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64); /* struct sock * */
	__type(value, struct connection);
} connections SEC(".maps");

static __always_inline int connecting(__u64 key)
{
	struct connection fresh = {.direction = SIDE_CLIENT};

	owner_from_current(&fresh.owner);
	bpf_map_update_elem(&connections, &key, &fresh, BPF_ANY);
	return 0;
}

static __always_inline int established(__u64 key, int old_state)
{
	struct connection *known = bpf_map_lookup_elem(&connections, &key);
	struct connection fresh = {.direction = SIDE_SERVER};

	/* One with a time is left over from an earlier socket at this address. */
	if (known && !known->established_ns) {
		known->established_ns = bpf_ktime_get_ns();
		return 0;
	}
	if (old_state != TCP_SYN_RECV)
		return 0;
	fresh.established_ns = bpf_ktime_get_ns();
	bpf_map_update_elem(&connections, &key, &fresh, BPF_ANY);
	return 0;
}

/* Takes the current process for the owner of a connection that has none yet. */
static __always_inline int learn_owner(const struct sock *sk, __u64 key)
{
	struct connection *known = bpf_map_lookup_elem(&connections, &key);
	struct connection older = {};

	if ((known && known->owner.pid) || !user_acts(sk))
		return 0;
	if (known) {
		owner_from_current(&known->owner);
		return 0;
	}
	owner_from_current(&older.owner);
	bpf_map_update_elem(&connections, &key, &older, BPF_ANY);
	return 0;
}

static __always_inline void measure(struct tcp_close_event *event, const struct sock *sk)
{
	struct tcp_sock *tcp = bpf_skc_to_tcp_sock((void *)sk);
	__u64 sent, again;

	if (!tcp)
		return;
	/* bytes_acked would count SYN and FIN as a byte each, bytes_received counts FIN. */
	sent = tcp->bytes_sent;
	again = tcp->bytes_retrans;
	event->sent_bytes = sent > again ? sent - again : 0;
	event->received_bytes = tcp->bytes_received;
	if (event->received_bytes && (sk->__sk_common.skc_flags & 1UL << SOCK_DONE))
		event->received_bytes--;
	event->rtt_us = tcp->srtt_us >> 3;
	event->retransmits = tcp->total_retrans;
}

static __always_inline int closed(const struct sock *sk, __u64 key)
{
	struct connection *known = bpf_map_lookup_elem(&connections, &key);
	struct tcp_close_event event = {};
	struct owner owner = {};
	__u64 now = 0;

	if (known) {
		owner = known->owner;
		event.direction = known->direction;
		if (known->established_ns) {
			now = bpf_ktime_get_ns();
			event.duration_ns = now - known->established_ns;
		}
		bpf_map_delete_elem(&connections, &key);
	}
	if (!owner.pid && user_acts(sk))
		owner_from_current(&owner);
	if (!owner_wanted(&owner))
		return 0;
	context_of_owner(&event.context, &owner);
	event.ip_version = socket_version(&sk->__sk_common);
	socket_ports(sk, &event.sport, &event.dport);
	event.error = sk->sk_err;
	measure(&event, sk);
	if (!stage_early(&event))
		return 0;
	late_of_owner(&event.context, &owner, now);
	late_addresses(&sk->__sk_common, event.ip_version, &event.saddr, &event.daddr);
	event_send(&event.context.header, sizeof(event), stage_late(&event));
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
		return connecting(key);
	case TCP_ESTABLISHED:
		return established(key, old_state);
	case TCP_FIN_WAIT1: /* these two only a close(2) or shutdown(2) leads to */
	case TCP_LAST_ACK:
		return learn_owner(sk, key);
	case TCP_CLOSE:
		if (old_state == TCP_LISTEN || old_state == TCP_CLOSE)
			return 0;
		if (old_state != TCP_SYN_SENT && old_state != TCP_SYN_RECV)
			return closed(sk, key);
		bpf_map_delete_elem(&connections, &key);
	}
	return 0;
}

SEC("?tp_btf/tcp_rcv_space_adjust")
ONLY_WITH(readers) int BPF_PROG(on_read, struct sock *sk)
{
	return learn_owner(sk, (__u64)sk);
}
