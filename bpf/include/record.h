/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Record: what kernel side, host and worker agree on, byte for byte.
 *
 * BPF programs and the engine include this file; the worker gives its text to
 * ffi.cdef. So: plain structs, no includes, no macros in between.
 *
 *   ring:  | ring_record | event_header | fields of the probe ... |  (repeated)
 */
#ifndef MOONPROBE_RECORD_H
#define MOONPROBE_RECORD_H

/* What the kernel puts before every record (kernel/bpf/ringbuf.c, struct bpf_ringbuf_hdr). */
struct ring_record {
	__u32 length; /* of what follows; bit 31: still being written, bit 30: discarded */
	__u32 page_offset;
};

/* First bytes of every event. */
struct event_header {
	__u32 stamp; /* bits 0-23: low bits of event_counters.events of this probe on this CPU;
		      * bits 24-31: the verdict of its stages */
	__u16 cpu;
	__u8 slot;	 /* of the probe in its script */
	__u8 generation; /* of the body that made it: whose stages have judged it */
};

/* First instruction of each stage of a probe as it was compiled: r0 = magic. The engine knows
 * a stage by it and puts a script's filter where it is called. Left as they are they let everything
 * pass: the low byte is the verdict 0xff. */
enum stage_magic {
	STAGE_EARLY_MAGIC = 0x454152ff,
	STAGE_LATE_MAGIC = 0x4c4154ff,
	TYPED_EARLY_MAGIC = 0x545045ff, /* of generic probes: what a script reads by type */
	TYPED_LATE_MAGIC = 0x54504cff,
	SLOTS_MAGIC = 0x534c54ff, /* where the target says its arguments are */
};

/* A verdict; 0: the event is not sent. Bits 0 to 6: for which of the script's handlers of this
 * probe it is. */
enum stage_verdict {
	VERDICT_JUDGE = 0x80, /* not decided in the kernel: the worker asks their filters */
};

/* One per probe and CPU, in a mapped array: nothing is lost without being counted here.
 * The kernel side writes the first cache line, the worker the second. After a drain
 *   events == received + lost_ring
 * proves that every event has been handled exactly once. */
struct event_counters {
	__u64 events;	 /* offered to the ring; numbers the records */
	__u64 lost_ring; /* not written: the ring was full */
	__u64 lost_map;	 /* starts not remembered: a map of the probe was full */
	__u64 refused;	 /* not offered: their process had used up its quota */
	__u64 kernel_spare[4];
	__u64 received; /* read from the ring by a worker */
	__u64 failed;	/* received, but the script's handler raised an error */
	__u64 worker_spare[6];
};

/* One per probe and process that had a quota or lost events: a flood tells its name. */
struct event_sender {
	__u64 second_ns; /* when the second that is counted began */
	__u64 used;	 /* events in it */
	__u64 refused;
	__u64 lost_ring;
	char comm[16];
};

/* One per script. Changed while programs run, so it is a map and not rodata. */
struct script_settings {
	__u32 own_pids[4]; /* host and workers: never traced, or output would cause output */
};

/* Value of a `targets` entry, keyed by process id. */
enum target_state {
	TARGET_PENDING = 0, /* the command before its exec: not traced yet */
	TARGET_TRACED = 1,
};

#endif
