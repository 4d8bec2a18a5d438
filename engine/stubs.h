/* SPDX-License-Identifier: Apache-2.0 */
/* Stubs: LuaCATS declarations of all that scripts can use, as files.
 *
 *   BTF of the objects, docstrings of the stdlib --worker: stdlib/types--> FOLDER/NAME.lua
 *
 * The worker, which may write no file, prints them one after the other; we write them. */
#ifndef MOONPROBE_STUBS_H
#define MOONPROBE_STUBS_H

#include "asset.h"
#include "error.h"

#define STUBS_FOLDER ".moonprobe" /* where the editor files of `moonprobe new` expect them */

/* Writes them below `folder`, which is made when it is not there, over older ones. How many
 * there are, or -errno with the reason; faults of docstrings have been printed. */
int stubs_write(const struct search_path *path, const char *folder, struct error *error);

#endif
