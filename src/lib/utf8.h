/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Text from elsewhere, names above all, for JSON and for terminals */
#ifndef UTF8_H
#define UTF8_H

#include <stddef.h>

/*
 * Copies @in as text that can be shown anywhere: valid UTF-8 with at most @max characters
 * (and so at most 4 * @max bytes when written as JSON), each of which can be seen. Bytes that
 * are not valid, control characters, line separators, characters of no width and those that
 * change the direction of text become U+FFFD. Whatever comes from outside passes here once,
 * where it is read: outputs rely on it.
 */
void utf8__clean(char *out, size_t size, const char *in, size_t len, size_t max);

/* The character at *@text, which is valid UTF-8; *@text is moved behind it */
unsigned int utf8__next(const char **text);

#endif
