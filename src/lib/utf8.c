// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "lib/utf8.h"

#include <stdbool.h>
#include <string.h>

#include "lib/util.h"

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

unsigned int utf8__next(const char **text)
{
	unsigned char lead = *(*text)++;
	int more = lead < 0xc0 ? 0 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
	unsigned int c = more ? lead & (0x3f >> more) : lead;

	while (more-- && (**text & 0xc0) == 0x80)
		c = c << 6 | (*(*text)++ & 0x3f);
	return c;
}

/*
 * Not Unicode's control characters, line and paragraph separators, interlinear annotation, nor
 * what has the property Default_Ignorable_Code_Point (DerivedCoreProperties.txt): all that
 * moves other text, ends a line, or makes two names look the same
 */
static bool is_seen(const char *text)
{
	static const struct {
		unsigned int first, last;
	} ranges[] = {
		{ 0x00, 0x1f },	      { 0x7f, 0x9f },	    { 0xad, 0xad },
		{ 0x34f, 0x34f },     { 0x61c, 0x61c },	    { 0x115f, 0x1160 },
		{ 0x17b4, 0x17b5 },   { 0x180b, 0x180f },   { 0x200b, 0x200f },
		{ 0x2028, 0x202e },   { 0x2060, 0x206f },   { 0x3164, 0x3164 },
		{ 0xfe00, 0xfe0f },   { 0xfeff, 0xfeff },   { 0xffa0, 0xffa0 },
		{ 0xfff0, 0xfffb },   { 0x1bca0, 0x1bca3 }, { 0x1d173, 0x1d17a },
		{ 0xe0000, 0xe0fff },
	};
	const unsigned int c = utf8__next(&text);
	size_t i = 0;

	while (i < ARRAY_SIZE(ranges) && c > ranges[i].last)
		i++;
	return i == ARRAY_SIZE(ranges) || c < ranges[i].first;
}

void utf8__clean(char *out, size_t size, const char *in, size_t len, size_t max)
{
	static const char replacement[] = "\xef\xbf\xbd";
	size_t used = 0, n, put;
	const char *p;

	for (; len && max; max--, in += n ? n : 1, len -= n ? n : 1) {
		n = utf8_length((const unsigned char *)in, len);
		p = n && is_seen(in) ? in : replacement;
		put = p == in ? n : strlen(replacement);
		if (used + put >= size)
			break;
		memcpy(out + used, p, put);
		used += put;
	}
	out[used] = 0;
}
