/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Text from elsewhere, names above all, for JSON and for terminals */
#ifndef UTF8_H
#define UTF8_H

#include <stddef.h>

/*
 * Copies @in as valid UTF-8, with at most @max characters, and at most 4 * @max bytes when
 * written as JSON. Bytes that are not valid become U+FFFD.
 */
void utf8__clean(char *out, size_t size, const char *in, size_t len, size_t max);

/* For terminals: replaces control characters (C0 and C1) by question marks */
void utf8__printable(char *text);

#endif
