// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Any bytes become valid UTF-8 within the limits; nothing of it moves a cursor */
#include "fuzz.h"
#include "lib/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t room, max;
	char *out, *in, *again;

	if (size < 2)
		return 0;
	room = data[0] + 1;
	max = data[1];
	in = malloc(size - 2 + 1);
	memcpy(in, data + 2, size - 2);
	out = malloc(room);
	utf8__clean(out, room, in, size - 2, max);
	MUST(strlen(out) < room);
	MUST(fuzz__utf8(out) >= 0 && (size_t)fuzz__utf8(out) <= max);
	for (const char *p = out; *p; p++) {
		MUST((unsigned char)*p >= 0x20 && *p != 0x7f);
		MUST((unsigned char)*p != 0xc2 || (unsigned char)p[1] >= 0xa0);
	}
	/* What is clean stays */
	again = malloc(room);
	utf8__clean(again, room, out, strlen(out), max);
	MUST(!strcmp(again, out));
	free(again);
	free(in);
	free(out);
	return 0;
}
