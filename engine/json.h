/* SPDX-License-Identifier: Apache-2.0 */
/* JSON: writes text as a JSON string (RFC 8259), the one thing printf cannot. Bytes that are
 * not UTF-8 become U+FFFD. */
#ifndef MOONPROBE_JSON_H
#define MOONPROBE_JSON_H

#include <stdio.h>

void json_text(FILE *out, const char *text); /* with the quotes */

#endif
