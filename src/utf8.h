/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Text from elsewhere, names above all, for JSON and for terminals */
#ifndef UTF8_H
#define UTF8_H

#include <stddef.h>

/*
 * @in as valid UTF-8 of at most @max characters, and 4 * @max bytes as JSON; what is
 * not becomes U+FFFD.
 */
void utf8__clean(char *out, size_t size, const char *in, size_t len, size_t max);

/* For terminals: control characters, of C0 and C1, become question marks */
void utf8__printable(char *text);

#endif
