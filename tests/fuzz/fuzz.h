/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* For libFuzzer's targets: what must hold ends the program otherwise */
#ifndef KVMEXIT_TESTS_FUZZ_H
#define KVMEXIT_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(cond)                                                                                \
	do {                                                                                      \
		if (!(cond)) {                                                                    \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #cond); \
			abort();                                                                  \
		}                                                                                 \
	} while (0)

/* A copy of its own, ended by 0: to be freed, and no byte to be read beyond */
static inline char *fuzz__text(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	memcpy(text, data, size);
	text[size] = 0;
	return text;
}

/* Valid UTF-8 (RFC 3629); the number of characters, or -1. Not utf8.c's own. */
static inline long fuzz__utf8(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	long n = 0;

	for (; *p; n++) {
		int more = *p < 0x80 ? 0 : *p < 0xc2 ? -1 : *p < 0xe0 ? 1 : *p < 0xf0 ? 2 : 3;
		uint32_t code;

		if (more < 0 || *p > 0xf4)
			return -1;
		code = more ? *p & (0x3f >> more) : *p;
		p++;
		for (int i = 0; i < more; i++, p++) {
			if ((*p & 0xc0) != 0x80)
				return -1;
			code = code << 6 | (*p & 0x3f);
		}
		if ((more == 2 && code < 0x800) || (more == 3 && code < 0x10000) ||
		    code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
			return -1;
	}
	return n;
}

#endif /* KVMEXIT_TESTS_FUZZ_H */
