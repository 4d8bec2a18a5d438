/* SPDX-License-Identifier: Apache-2.0 */
/* Deterministic: programs that this process starts run the same every time. */
#ifndef MOONPROBE_DETERMINISTIC_H
#define MOONPROBE_DETERMINISTIC_H

#include <stdbool.h>

void deterministic_children(void);

#endif
