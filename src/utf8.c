// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "utf8.h"

#include <stdbool.h>
#include <string.h>

#include "util.h"

/* The bytes of the UTF-8 character at @p; 0: there is no valid one (RFC 3629) */
static size_t utf8_length(const unsigned char *p, size_t len)
{
	static const struct {
		unsigned char first, last, second_min, second_max, length;
	} forms[] = {
		{ 0x00, 0x7f, 0, 0, 1 },       { 0xc2, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 }, { 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};
	size_t i, k;

	for (i = 0; i < ARRAY_SIZE(forms); i++) {
		if (*p < forms[i].first || *p > forms[i].last)
			continue;
		if (len < forms[i].length)
			return 0;
		if (forms[i].length > 1 &&
		    (p[1] < forms[i].second_min || p[1] > forms[i].second_max))
			return 0;
		for (k = 2; k < forms[i].length; k++)
			if ((p[k] & 0xc0) != 0x80)
				return 0;
		return forms[i].length;
	}
	return 0;
}

void utf8__clean(char *out, size_t size, const char *in, size_t len, size_t max)
{
	static const char replacement[] = "\xef\xbf\xbd";
	size_t used = 0, n, as_json, budget = 4 * max;

	for (; len && max; max--, budget -= as_json) {
		n = utf8_length((const unsigned char *)in, len);
		/* JSON has control characters as \u0001, quotes and backslashes as two */
		as_json = (unsigned char)*in < 0x20 ? 6 : strchr("\"\\", *in) ? 2 : n ? n : 3;
		if (used + (n ? n : 3) >= size || as_json > budget)
			break;
		memcpy(out + used, n ? in : replacement, n ? n : 3);
		used += n ? n : 3;
		in += n ? n : 1;
		len -= n ? n : 1;
	}
	out[used] = 0;
}

void utf8__printable(char *text)
{
	unsigned char *p = (unsigned char *)text;

	for (; *p; p++) {
		if (*p < 0x20 || *p == 0x7f)
			*p = '?';
		else if (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0)
			p[0] = p[1] = '?';
	}
}
