/* SPDX-License-Identifier: Apache-2.0 */
/* Check: a script loaded as run would load it, in its worker, and then ended. Nothing is
 * attached; needs no privileges. */
#ifndef MOONPROBE_CHECK_H
#define MOONPROBE_CHECK_H

#include "script_options.h"

/* The script's exit status; what is wrong with it has been printed. options->check is true. */
int check_script(const struct script_options *options);

#endif
