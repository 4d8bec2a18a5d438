// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* udp_message: datagrams sent and received, one event each.
 *
 * The system calls that can name the other end are watched: the socket is looked up when
 * the call starts, the rest is read when it ends, since only then is an address received
 * and a local port chosen. sendmmsg(2) and recvmmsg(2) give an event for each message;
 * glibc's resolver sends its questions that way. */
#include "net.bpf.h"

#define MESSAGES_MAX 32 /* of one sendmmsg(2) or recvmmsg(2) */

enum udp_direction {
	UDP_SENT = 1,
	UDP_RECEIVED = 2,
};

struct udp_message_event {
	struct event_context context;
	struct ip_address saddr FIELD("local address; all zero when not bound to one");
	struct ip_address daddr FIELD("remote address; all zero when it was not asked for");
	__u16 sport FIELD("local port");
	__u16 dport FIELD("remote port; 0: not known");
	__u32 ip_version FIELD("4 or 6: family of the socket");
	enum udp_direction direction FIELD("sent or received");
	error_number error FIELD("0, or why the call failed (with failed = 1)");
	__u64 bytes FIELD("length of the message");
	__u64 latency_ns FIELD("time in the system call; receiving includes the wait");
};
PROBE(udp_message, "One event per UDP datagram a process sends or receives.",
      "write(2), read(2) and their kin on a connected socket; io_uring; 32-bit programs; the "
      "kernel's own tunnels; datagrams nobody receives. A UDP_SEGMENT send or UDP_GRO "
      "receive is one event. Of one sendmmsg or recvmmsg the first 32 messages are reported "
      "and the others counted as lost.");

const volatile __u32 failed KNOB("1 also reports calls that failed, EAGAIN among them") = 0;

/* A call that is running, by thread. The descriptor may be closed under it, so the socket
 * is only read in ways that cannot fault. */
struct udp_call {
	__u64 start_ns;
	struct sock *sk;
	const void *argument; /* user memory: struct sockaddr, msghdr or mmsghdr; may be NULL */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, __u32);
	__type(value, struct udp_call);
} calls SEC(".maps");

/* What user space passes, 64-bit layout. */
struct user_address {
	__u16 family;
	__be16 port;
	__be32 ipv4; /* of an IPv6 address: the flow label; the address follows it */
};

struct user_message {
	const void *name;
	__u32 name_bytes;
	__u32 hole;
	__u64 other[5];
};

struct user_batch_entry {
	struct user_message message;
	__u32 bytes;
	__u32 hole;
};

#define MSG_PEEK 0x2
#define MSG_ERRQUEUE 0x2000

static __always_inline int enter(__u32 fd, unsigned long argument, unsigned long flags)
{
	struct udp_call call = {.argument = (const void *)argument};
	__u32 tid = current_tid();
	struct sock *sk;
	__u16 family;

	/* A peek leaves the message to be received; an error is no message. */
	if (flags & (MSG_PEEK | MSG_ERRQUEUE) || !process_wanted(current_pid()))
		return 0;
	sk = socket_of_fd(fd);
	if (!sk || BPF_CORE_READ(sk, sk_protocol) != IPPROTO_UDP)
		return 0;
	family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if (family != AF_INET && family != AF_INET6)
		return 0;
	call.sk = sk;
	call.start_ns = bpf_ktime_get_ns();
	if (bpf_map_update_elem(&calls, &tid, &call, BPF_ANY))
		count_lost_map();
	return 0;
}

/* What all messages of a call have in common, and the user memory that tells them apart. */
struct udp_done {
	const struct sock *sk;
	__u64 now;
	__u64 argument;
	__u64 dport; /* of messages that bear no address */
};

/* Fills what is early and the same for all messages; false when there is nothing to tell. */
static __always_inline bool leave(struct udp_message_event *event, struct udp_done *done,
				  enum udp_direction direction, long result)
{
	__u32 tid = current_tid();
	struct udp_call *call = bpf_map_lookup_elem(&calls, &tid);

	if (!call)
		return false;
	done->now = bpf_ktime_get_ns();
	event->latency_ns = done->now - call->start_ns;
	done->argument = (__u64)call->argument;
	done->sk = call->sk;
	bpf_map_delete_elem(&calls, &tid);
	if (result < 0) {
		if (!failed)
			return false;
		event->error = -result;
	}
	context_of_current(&event->context);
	event->direction = direction;
	socket_ports(done->sk, &event->sport, &event->dport);
	done->dport = event->dport;
	event->ip_version = socket_version(&done->sk->__sk_common);
	return event->ip_version != 0;
}

/* `name`: user address of the peer's, or 0. This function and the next are not static: the
 * verifier looks at such once, and not in each turn of a loop that calls them (where Linux 6.1
 * takes a jump within a function it calls for an infinite loop). */
__noinline int report(struct udp_message_event *event, const struct udp_done *done, __u64 name)
{
	struct user_address peer = {};

	if (!event || !done)
		return 0;
	if (name)
		bpf_probe_read_user(&peer, sizeof(peer), (const void *)name);
	if (peer.family == AF_INET || peer.family == AF_INET6)
		event->dport = bpf_ntohs(peer.port);
	if (!stage_early(event))
		return 0;
	late_of_current(&event->context, done->now);
	late_addresses(&done->sk->__sk_common, event->ip_version, &event->saddr, &event->daddr);
	if (want_daddr && peer.family == AF_INET)
		address_from_ipv4(&event->daddr, peer.ipv4);
	else if (want_daddr && peer.family == AF_INET6)
		bpf_probe_read_user(&event->daddr, sizeof(event->daddr),
				    (const void *)name + sizeof(peer));
	event_send(&event->context.header, sizeof(*event), stage_late(event));
	return 0;
}

/* One of a batch; done->argument is the next one then. */
__noinline int report_entry(struct udp_message_event *event, struct udp_done *done)
{
	struct user_batch_entry entry;

	if (!event || !done)
		return 0;
	bpf_probe_read_user(&entry, sizeof(entry), (const void *)done->argument);
	done->argument += sizeof(entry);
	event->context.header.stamp = 0; /* the stages' own */
	event->dport = done->dport;
	event->bytes = event->error ? 0 : entry.bytes;
	return report(event, done, entry.message.name_bytes ? (__u64)entry.message.name : 0);
}

static __always_inline int leave_named(enum udp_direction direction, long result)
{
	struct udp_message_event event = {};
	struct udp_done done;

	if (!leave(&event, &done, direction, result))
		return 0;
	event.bytes = result < 0 ? 0 : result;
	report(&event, &done, done.argument);
	return 0;
}

static __always_inline int leave_message(enum udp_direction direction, long result)
{
	struct udp_message_event event = {};
	struct user_message message = {};
	struct udp_done done;

	if (!leave(&event, &done, direction, result))
		return 0;
	event.bytes = result < 0 ? 0 : result;
	bpf_probe_read_user(&message, sizeof(message), (const void *)done.argument);
	report(&event, &done, message.name_bytes ? (__u64)message.name : 0);
	return 0;
}

static __always_inline int leave_batch(enum udp_direction direction, long result)
{
	struct udp_message_event event = {};
	struct event_counters *count;
	struct udp_done done;
	__u64 messages;

	if (!leave(&event, &done, direction, result))
		return 0;
	messages = result < 0 ? 1 : result; /* the first one is the one that failed */
	if (messages > MESSAGES_MAX) {
		count = counters_here();
		if (count)
			__sync_fetch_and_add(&count->lost_map, messages - MESSAGES_MAX);
		messages = MESSAGES_MAX;
	}
	/* One block of code: Linux 6.1 knows a loop by its last instruction jumping back. */
	for (__u64 i = 0; i < messages; i++)
		report_entry(&event, &done);
	return 0;
}

SEC("tp/syscalls/sys_enter_sendto")
int on_enter_sendto(struct trace_event_raw_sys_enter *call)
{
	return enter(call->args[0], call->args[4], call->args[3]);
}

SEC("tp/syscalls/sys_exit_sendto")
int on_exit_sendto(struct trace_event_raw_sys_exit *call)
{
	return leave_named(UDP_SENT, call->ret);
}

SEC("tp/syscalls/sys_enter_recvfrom")
int on_enter_recvfrom(struct trace_event_raw_sys_enter *call)
{
	return enter(call->args[0], call->args[4], call->args[3]);
}

SEC("tp/syscalls/sys_exit_recvfrom")
int on_exit_recvfrom(struct trace_event_raw_sys_exit *call)
{
	return leave_named(UDP_RECEIVED, call->ret);
}

SEC("tp/syscalls/sys_enter_sendmsg")
int on_enter_sendmsg(struct trace_event_raw_sys_enter *call)
{
	return enter(call->args[0], call->args[1], call->args[2]);
}

SEC("tp/syscalls/sys_exit_sendmsg")
int on_exit_sendmsg(struct trace_event_raw_sys_exit *call)
{
	return leave_message(UDP_SENT, call->ret);
}

SEC("tp/syscalls/sys_enter_recvmsg")
int on_enter_recvmsg(struct trace_event_raw_sys_enter *call)
{
	return enter(call->args[0], call->args[1], call->args[2]);
}

SEC("tp/syscalls/sys_exit_recvmsg")
int on_exit_recvmsg(struct trace_event_raw_sys_exit *call)
{
	return leave_message(UDP_RECEIVED, call->ret);
}

SEC("tp/syscalls/sys_enter_sendmmsg")
int on_enter_sendmmsg(struct trace_event_raw_sys_enter *call)
{
	return enter(call->args[0], call->args[1], call->args[3]);
}

SEC("tp/syscalls/sys_exit_sendmmsg")
int on_exit_sendmmsg(struct trace_event_raw_sys_exit *call)
{
	return leave_batch(UDP_SENT, call->ret);
}

SEC("tp/syscalls/sys_enter_recvmmsg")
int on_enter_recvmmsg(struct trace_event_raw_sys_enter *call)
{
	return enter(call->args[0], call->args[1], call->args[3]);
}

SEC("tp/syscalls/sys_exit_recvmmsg")
int on_exit_recvmmsg(struct trace_event_raw_sys_exit *call)
{
	return leave_batch(UDP_RECEIVED, call->ret);
}
