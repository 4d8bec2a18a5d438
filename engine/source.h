/* SPDX-License-Identifier: Apache-2.0 */
/* Source: the text of a script, in memory: what runs does not change when its file does. */
#ifndef MOONPROBE_SOURCE_H
#define MOONPROBE_SOURCE_H

#include "error.h"
#include "script_options.h"

/* A descriptor of a copy of what the options say now, or -errno with the reason. */
int source_open(const struct script_options *options, struct error *error);

#endif
