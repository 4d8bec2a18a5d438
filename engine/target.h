/* SPDX-License-Identifier: Apache-2.0 */
/* Target: what a generic probe is attached to: the part of its name behind the colon.
 *
 *   kprobe:tcp_*   uprobe:/bin/bash:readline   tracepoint:sched:sched_switch   profile:99
 *
 *   name --target_open()--> places, one or many; types of what can be read there
 *
 * Which kind of target a probe takes its file says: TARGET(kind) in bpf/probes/NAME.bpf.c. A kind
 * is one file here, target_KIND.c. */
#ifndef MOONPROBE_TARGET_H
#define MOONPROBE_TARGET_H

#include "binary_types.h"
#include "error.h"
#include "tracepoint_format.h"
#include "typed.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define TARGET_NAME 256

struct binary;

/* One place of many. Which of these mean something depends on the kind of hook. */
struct target_place {
	char *name;	    /* as the user is told */
	char *symbol;	    /* kernel function; file of a user function; "CATEGORY/NAME" */
	uint64_t offset;    /* in bytes, from the function's start, or in the file */
	uint64_t semaphore; /* where in the file the counter is of those who look; 0: none */
	uint32_t perf_type; /* perf_event_attr */
	uint64_t perf_config, period;
	bool by_frequency; /* period is per second */
	int cpu;	   /* -1: all */
};

struct target {
	char name[TARGET_NAME]; /* whole, as in the script */
	const char *text;	/* behind the first colon, in name */
	struct target_place *places;
	int place_count;
	bool is_wildcard;
	uint32_t btf_id;	/* of its function, 0: unknown */
	int btf_fd;		/* of the module's types that btf_id is in; 0: the kernel's */
	char module[64];	/* that its function is in, "": the kernel itself */
	struct btf *module_btf; /* that module's types; NULL: not looked at */
	int arguments;		/* how many it has, -1: unknown */
	struct binary *binary;	/* of a user's target, else NULL */
	char file[32];		/* a path of it for the kernel, while binary is open */
	struct typed_source types;
	bool keeps_kernel_btf;		  /* whose types they are */
	struct tracepoint_format format;  /* of a tracepoint's record: `types` has names of it */
	struct binary_types binary_types; /* what these are of, in a user's binary */
	struct bpf_insn
		*slots; /* what fetches its arguments (SPLICE_SLOTS); NULL: the probe knows */
	int slots_count;
	struct bpf_insn *more_slots; /* the same of more than TYPED_ARGS; NULL: it has no more */
	int more_slots_count;
};

struct target_setting {
	pid_t pid; /* the traced process, 0: any; its files are seen with its eyes */
};

/* `kind` is the probe's (schema.h), `name` has a colon. 0 or -errno with the reason. */
int target_open(struct target **target, const char *kind, const char *name,
		const struct target_setting *setting, struct error *error);
void target_close(struct target *target); /* NULL is fine */

/* Nothing more will be resolved: they may be much memory. */
void target_forget_types(struct target *target);

/* For the files of the kinds. */

struct target_kind {
	const char *name;
	int (*open)(struct target *target, const struct target_setting *setting,
		    struct error *error);
};

extern const struct target_kind target_kernel_function, target_raw_tracepoint, target_tracepoint,
	target_user_function, target_profile, target_interval;
extern const struct target_kind target_kernel_function, target_kernel_return, target_raw_tracepoint,
	target_user_function, target_user_return, target_usdt, target_lsm_hook, target_iterator,
	target_software_event, target_hardware_event, target_profile, target_interval;

/* Opens the file of "FILE:REST". */
int target_open_binary(struct target *target, const struct target_setting *setting,
		       const char **rest, struct error *error);

/* The kernel's types, which stay until the target's are forgotten. NULL and errno. */
struct btf *target_kernel_btf(struct target *target);

/* -ENOENT: the kernel has no `what` of the target's name. Its names in the BTF, of `kind`, start
 * with `prefix`: the nearest is told. */
int target_not_found(const struct target *target, const struct btf *kernel, const char *what,
		     const char *prefix, int kind, struct error *error);

/* Adds a place; the strings are copied. NULL: no memory. */
struct target_place *target_add_place(struct target *target, const char *name, const char *symbol);

/* Adds a place like this for each CPU that is there. 0 or -errno with the reason. */
int target_add_cpus(struct target *target, const struct target_place *like, struct error *error);

#endif
