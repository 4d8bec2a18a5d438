/* SPDX-License-Identifier: Apache-2.0 */
/* Duration and size as people write them: 500ms, 5s, 2m, 1h; 64K, 4M, 1G. */
#ifndef MOONPROBE_DURATION_H
#define MOONPROBE_DURATION_H

#include <stddef.h>
#include <stdint.h>

int duration_parse(const char *text, uint64_t *ns); /* 0 or -EINVAL; needs a unit */
int size_parse(const char *text, size_t *bytes);    /* 0 or -EINVAL; K, M, G are binary */

#endif
