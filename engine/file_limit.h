/* SPDX-License-Identifier: Apache-2.0 */
/* File limit: how many descriptors this process may have (RLIMIT_NOFILE).
 *
 * A link is a descriptor: 1,000 breakpoints at once are more than the 1,024 that a shell allows.
 * They are the host's need only: workers and commands get what the host was started with, for
 * programs that use select(2) or close all they could have rely on it. */
#ifndef MOONPROBE_FILE_LIMIT_H
#define MOONPROBE_FILE_LIMIT_H

void file_limit_raise(void);	 /* to what the administrator allows; again: nothing */
void file_limit_give_back(void); /* in a child, before exec: async-signal-safe */

#endif
