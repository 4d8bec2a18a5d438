// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* block_io: requests to block devices, from issue to completion.
 *
 *   insert (queued) --queue_ns--> issue (given to the driver) --latency_ns--> complete
 *
 * Completion is an interrupt, and a queued request may be issued by any task, so the owner
 * is the task that queued the request, or that issued it when it was never queued. Kernel
 * threads own what they write for others: write-back is a kworker's, journals are jbd2's. */
#include "owner.bpf.h"

enum io_operation {
	IO_READ = 0,
	IO_WRITE = 1,
	IO_FLUSH = 2,
	IO_DISCARD = 3,
	IO_WRITE_ZEROES = 4,
	IO_OTHER = 5,
};

struct block_io_event {
	struct event_context context;
	device_number device FIELD("the whole disk");
	enum io_operation operation FIELD("read, write, flush, discard, write_zeroes or other");
	__u64 sector FIELD("where it starts, in units of 512 bytes");
	__u64 latency_ns FIELD("from issue to completion");
	__u64 queue_ns FIELD("from being queued to issue, retries included; 0: not queued");
	__u32 bytes FIELD("length; 0: a flush");
	error_number error FIELD("0, or why it failed");
};
PROBE(block_io, "One event per completed request to a block device.",
      "Devices without a request queue (brd, zram, device mapper: see the disks below them); "
      "requests issued before the probe; which process caused the work of a kernel thread; "
      "the owners of what was merged into another's request.");

struct request_start {
	struct owner owner;
	__u64 insert_ns; /* 0: never queued */
	__u64 issue_ns;	 /* 0: not yet issued, or taken back */
	__u64 sector;
	__u32 bytes;
	error_number error; /* of a part that has completed */
	bool wanted;	    /* the others are kept to know a queued request from a direct one */
	bool requeued;
	bool described;
	bool hole[5];
};

/* Sized for the deepest queues; a request's memory is reused, so entries do not pile up. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, __u64); /* struct request * */
	__type(value, struct request_start);
} starts SEC(".maps");

static __always_inline void remember(__u64 key, struct request_start *start)
{
	if (bpf_map_update_elem(&starts, &key, start, BPF_ANY))
		count_lost_map();
}

static __always_inline void belongs_to_current(struct request_start *start)
{
	start->wanted = process_wanted(current_pid());
	if (start->wanted)
		owner_from_current(&start->owner);
}

SEC("tp_btf/block_rq_insert")
int BPF_PROG(on_insert, struct request *request)
{
	__u64 key = (__u64)request;
	struct request_start *known = bpf_map_lookup_elem(&starts, &key);
	struct request_start start = {};

	if (known && known->requeued)
		return 0;
	belongs_to_current(&start);
	start.insert_ns = bpf_ktime_get_ns();
	remember(key, &start);
	return 0;
}

static __always_inline void issue(struct request_start *start, struct request *request)
{
	start->issue_ns = bpf_ktime_get_ns();
	start->requeued = false;
	if (start->described)
		return; /* issued again, perhaps for a rest: it stays what it was at first */
	start->described = true;
	start->sector = request->__sector;
	start->bytes = request->__data_len;
}

SEC("tp_btf/block_rq_issue")
int BPF_PROG(on_issue, struct request *request)
{
	__u64 key = (__u64)request;
	struct request_start *known = bpf_map_lookup_elem(&starts, &key);
	struct request_start start = {};

	if (known && !known->issue_ns) {
		if (known->wanted)
			issue(known, request);
		else
			bpf_map_delete_elem(&starts, &key);
		return 0;
	}
	/* Not queued; or its completion went unseen, and this is a new request. */
	belongs_to_current(&start);
	if (start.wanted) {
		issue(&start, request);
		remember(key, &start);
	} else if (known) {
		bpf_map_delete_elem(&starts, &key);
	}
	return 0;
}

/* The driver was busy, or did only a part: whoever issues it next is not its owner. */
SEC("?tp_btf/block_rq_requeue")
int BPF_PROG(on_requeue, struct request *request)
{
	__u64 key = (__u64)request;
	struct request_start *known = bpf_map_lookup_elem(&starts, &key);
	struct request_start unwanted = {.requeued = true};

	if (!known) {
		remember(key, &unwanted);
		return 0;
	}
	if (!known->insert_ns)
		known->insert_ns = known->issue_ns;
	known->issue_ns = 0;
	known->requeued = true;
	return 0;
}

/* A queued request became a part of another one. */
SEC("?tp_btf/block_rq_merge")
int BPF_PROG(on_merge, struct request *request)
{
	__u64 key = (__u64)request;

	bpf_map_delete_elem(&starts, &key);
	return 0;
}

/* blk_status_t, the same numbers up to 13 on all kernels (include/linux/blk_types.h). Those
 * above, for zones and devices being removed, moved in 6.10: they are told as EIO. */
static __always_inline error_number errno_of_status(__u8 status)
{
	switch (status) {
	case 0:
		return 0;
	case 1:		    /* NOTSUPP */
		return 95;  /* EOPNOTSUPP */
	case 2:		    /* TIMEOUT */
		return 110; /* ETIMEDOUT */
	case 3:		    /* NOSPC */
		return 28;  /* ENOSPC */
	case 4:		    /* TRANSPORT */
		return 67;  /* ENOLINK */
	case 5:		    /* TARGET */
		return 121; /* EREMOTEIO */
	case 6:		    /* RESV_CONFLICT */
		return 52;  /* EBADE */
	case 7:		    /* MEDIUM */
		return 61;  /* ENODATA */
	case 8:		    /* PROTECTION */
		return 84;  /* EILSEQ */
	case 9:		    /* RESOURCE */
		return 12;  /* ENOMEM */
	case 12:	    /* AGAIN */
		return 11;  /* EAGAIN */
	case 13:	    /* DEV_RESOURCE */
		return 16;  /* EBUSY */
	}
	return 5; /* EIO */
}

static __always_inline enum io_operation operation_of(const struct request *request)
{
	switch (request->cmd_flags & 0xff) { /* enum req_op */
	case 0:
		return IO_READ;
	case 1:
	case 7: /* ZONE_APPEND */
		return IO_WRITE;
	case 2:
		return IO_FLUSH;
	case 3:
	case 5: /* SECURE_ERASE */
		return IO_DISCARD;
	case 9:
		return IO_WRITE_ZEROES;
	}
	return IO_OTHER;
}

static __always_inline int report(struct request *request, struct request_start *start, __u64 key)
{
	struct gendisk *disk = request->q->disk;
	struct block_io_event event = {};
	__u64 now = bpf_ktime_get_ns();
	struct owner owner = start->owner;

	context_of_owner(&event.context, &owner);
	event.latency_ns = now - start->issue_ns;
	if (start->insert_ns)
		event.queue_ns = start->issue_ns - start->insert_ns;
	event.sector = start->sector;
	event.bytes = start->bytes;
	event.error = start->error;
	bpf_map_delete_elem(&starts, &key);
	event.device = disk->major << 20 | disk->first_minor;
	event.operation = operation_of(request);
	if (!stage_early(&event))
		return 0;
	late_of_owner(&event.context, &owner, now);
	event_send(&event.context.header, sizeof(event), stage_late(&event));
	return 0;
}

SEC("tp_btf/block_rq_complete")
int BPF_PROG(on_complete, struct request *request, __u8 status, unsigned int bytes)
{
	struct request_start *start;
	__u64 key = (__u64)request;

	start = bpf_map_lookup_elem(&starts, &key);
	if (!start)
		return 0;
	if (status)
		start->error = errno_of_status(status);
	if (bytes < request->__data_len)
		return 0; /* a part; __data_len is what was left before it */
	if (start->wanted && start->issue_ns)
		return report(request, start, key);
	bpf_map_delete_elem(&starts, &key);
	return 0;
}
