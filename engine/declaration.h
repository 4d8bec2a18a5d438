/* SPDX-License-Identifier: Apache-2.0 */
/* Declaration: one probe that a version uses: what its worker asks for, and who serves it.
 *
 *   declare: PROBE (kernel | knob NAME VALUE | field NAME)*, a plan perhaps
 *   restage: (field NAME)*, a plan                     later; the knobs stay
 *
 * What a worker says is hostile until parsed. A plan that cannot be used is no breach of the
 * protocol, though: the worker can judge by itself. */
#ifndef MOONPROBE_DECLARATION_H
#define MOONPROBE_DECLARATION_H

#include "error.h"
#include "probe.h"

#include <stdbool.h>

struct message;

struct declaration {
	struct probe_request request;
	struct plan *plan; /* NULL: none, or one that cannot be used */
	bool planned;	   /* it came with a plan: the worker is told what became of it */
	int refusal;	   /* -errno: why the plan cannot be used, in words: */
	struct error refused;
	struct probe *probe; /* who serves it; NULL: nobody yet */
	struct body *body;   /* NULL: none yet */
};

/* Reads what is left of a message into `one`, which is all zero. False: it is malformed. */
bool declaration_parse(struct declaration *one, struct message *message);

/* The fields that it reads from now on. False: malformed, and nothing has changed. */
bool declaration_parse_fields(struct declaration *one, struct message *message);

/* The message's plan takes the place of the one before. */
void declaration_take_plan(struct declaration *one, struct message *message);

/* No plan from now on: what came was not looked at. */
void declaration_withhold_plan(struct declaration *one, const char *why);

void declaration_close(struct declaration *one); /* gives its body back */

#endif
