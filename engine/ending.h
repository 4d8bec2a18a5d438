/* SPDX-License-Identifier: Apache-2.0 */
/* Ending: a version's worker has ended; what becomes of the script? `how` is NULL when it exited by
 * itself with `code`, as after a check, a finish, or an error that it has told. */
#ifndef MOONPROBE_ENDING_H
#define MOONPROBE_ENDING_H

struct script;

void ending_of_candidate(struct script *script, int code, const char *how);
void ending_of_active(struct script *script, int code, const char *how);

#endif
