// SPDX-License-Identifier: Apache-2.0
#include "json.h"

/* Length of the well-formed UTF-8 sequence at `at`, or 0 (Unicode 15, table 3-7). Text ends in
 * a zero byte, which is in no range, so nothing behind it is read. */
static int sequence_length(const unsigned char *at)
{
	unsigned char low = 0x80, high = 0xbf;
	int length;

	if (*at < 0x80)
		return 1;
	if (*at < 0xc2 || *at > 0xf4)
		return 0;
	length = *at < 0xe0 ? 2 : *at < 0xf0 ? 3 : 4;
	if (*at == 0xe0)
		low = 0xa0;
	else if (*at == 0xed)
		high = 0x9f;
	else if (*at == 0xf0)
		low = 0x90;
	else if (*at == 0xf4)
		high = 0x8f;
	if (at[1] < low || at[1] > high)
		return 0;
	for (int i = 2; i < length; i++)
		if (at[i] < 0x80 || at[i] > 0xbf)
			return 0;
	return length;
}

void json_text(FILE *out, const char *text)
{
	int length;

	fputc('"', out);
	for (const unsigned char *at = (const unsigned char *)text; *at;
	     at += length ? length : 1) {
		length = sequence_length(at);
		if (!length)
			fputs("\357\277\275", out); /* U+FFFD */
		else if (*at == '"' || *at == '\\')
			fprintf(out, "\\%c", *at);
		else if (*at < 0x20)
			fprintf(out, "\\u%04x", *at);
		else
			fwrite(at, 1, length, out);
	}
	fputc('"', out);
}
