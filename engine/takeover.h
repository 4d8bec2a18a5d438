/* SPDX-License-Identifier: Apache-2.0 */
/* Takeover: the candidate takes over from the active version.
 *
 *   begin --bodies in the slots--> yielding --yielded--> switched: the candidate is active
 *     |                              |
 *     '----------- refuse -----------'-- undo: the active one's bodies are back
 *
 * Without an active version it starts at once. */
#ifndef MOONPROBE_TAKEOVER_H
#define MOONPROBE_TAKEOVER_H

struct script;
struct version;
struct version_handover;

void takeover_begin(struct script *script, struct version *version); /* that is ready */
void takeover_yielded(struct script *script, struct version *version,
		      const struct version_handover *handover);
void takeover_without_state(struct script *script); /* the active one has died over it */

/* The candidate's bodies are in the slots, and it cannot have them. */
void takeover_undo(struct script *script);

/* The candidate cannot take over. Without a running version that is the end. */
void takeover_refuse(struct script *script, const char *why);

/* `version`, which had yielded, goes on where the ring is. */
void takeover_resume(struct script *script, struct version *version);

#endif
