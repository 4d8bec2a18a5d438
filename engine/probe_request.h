/* SPDX-License-Identifier: Apache-2.0 */
/* Probe request: what a script asks of a probe. */
#ifndef MOONPROBE_PROBE_REQUEST_H
#define MOONPROBE_PROBE_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#define PROBE_NAME 256
#define PROBE_KNOBS 32
#define PROBE_FIELDS 64
#define PROBE_TYPED 64

struct probe_request {
	char name[PROBE_NAME]; /* of a generic probe with its target: "kprobe:tcp_connect" */
	struct {
		char name[64];
		bool is_text;
		double number;
		char text[128];
	} knobs[PROBE_KNOBS];
	int knob_count;
	char fields[PROBE_FIELDS][64]; /* those read by anybody */
	int field_count;
	struct {
		char path[192];	 /* "args.sk.__sk_common.skc_dport" */
		uint32_t offset; /* where it goes, from the start of the event */
		bool late;	 /* not asked by the early stage */
	} typed[PROBE_TYPED];
	int typed_count;
	bool insists; /* on its plan: without it the script is not to run */
};

bool probe_request_has_stacks(const struct probe_request *request); /* it captures some */
bool probe_request_has_field(const struct probe_request *request, const char *field);
void probe_request_add_fields(struct probe_request *request, const struct probe_request *also);

/* The same probe, the same knobs, the same typed fields at the same places? */
bool probe_request_is_alike(const struct probe_request *one, const struct probe_request *other);

#endif
