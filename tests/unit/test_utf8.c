// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Text made fit to be shown: cases, lengths, and all there is beside a reference */
#include <stdlib.h>

#include "check.h"
#include "lib/utf8.h"
#include "lib/util.h"

#define FFFD "\xef\xbf\xbd"

static void test_clean(void)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "", "" },
		{ "plain", "plain" },
		/* What nobody sees, and what moves that which is seen */
		{ "\x01\x1f\x7f", FFFD FFFD FFFD },
		{ "web1\r\n", "web1" FFFD FFFD },
		{ "\x1b[31m", FFFD "[31m" },
		{ " ~", " ~" },
		{ "\xc2\x80\xc2\x9f", FFFD FFFD }, /* C1 */
		{ "\xc2\xa0\xc2\xad\xc2\xae", "\xc2\xa0" FFFD "\xc2\xae" }, /* soft hyphen */
		{ "web1\xe2\x80\x8b", "web1" FFFD }, /* U+200B, no width */
		{ "\xe2\x80\x8a\xe2\x80\x8f", "\xe2\x80\x8a" FFFD }, /* RLM */
		{ "a\xe2\x80\xa8z\xe2\x80\xa9", "a" FFFD "z" FFFD }, /* U+2028, U+2029 */
		{ "\xe2\x80\xae"
		  "1bew",
		  FFFD "1bew" }, /* U+202E: from right to left */
		{ "\xd8\x9c\xe2\x81\xa6\xe2\x81\xa9", FFFD FFFD FFFD }, /* ALM, isolates */
		{ "\xef\xbb\xbfweb1", FFFD "web1" }, /* U+FEFF */
		{ "\xe3\x85\xa4\xef\xb8\x8f", FFFD FFFD }, /* Hangul filler, a variation selector */
		{ "\xf3\xa0\x80\x81\xf3\xa0\xbf\xbf", FFFD FFFD }, /* tags */
		{ "e\xcc\x81\xf0\x9f\x90\xa7", "e\xcc\x81\xf0\x9f\x90\xa7" },
		/* First and last of each length */
		{ "\xc2\xa1\xdf\xbf", "\xc2\xa1\xdf\xbf" },
		{ "\xe0\xa0\x80\xef\xbf\xbf", "\xe0\xa0\x80\xef\xbf\xbf" },
		{ "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf" },
		/* Around the surrogates */
		{ "\xed\x9f\xbf\xee\x80\x80", "\xed\x9f\xbf\xee\x80\x80" },
		{ "\xed\xa0\x80", FFFD FFFD FFFD },
		{ "\xed\xbf\xbf", FFFD FFFD FFFD },
		/* Overlong, too large, never valid */
		{ "\xc0\x80", FFFD FFFD },
		{ "\xc1\xbf", FFFD FFFD },
		{ "\xe0\x9f\xbf", FFFD FFFD FFFD },
		{ "\xf0\x8f\xbf\xbf", FFFD FFFD FFFD FFFD },
		{ "\xf4\x90\x80\x80", FFFD FFFD FFFD FFFD },
		{ "\xf5\x80\x80\x80", FFFD FFFD FFFD FFFD },
		{ "\xff\xfe", FFFD FFFD },
		/* Continuation alone, lead alone, cut in the middle */
		{ "\x80", FFFD },
		{ "a\xbfz", "a" FFFD "z" },
		{ "\xc3", FFFD },
		{ "\xc3z", FFFD "z" },
		{ "\xe2\x82", FFFD FFFD },
		{ "\xe2\x82z", FFFD FFFD "z" },
		{ "\xf0\x9f\x92", FFFD FFFD FFFD },
		{ "\xf0\x9f\x92z", FFFD FFFD FFFD "z" },
		/* A valid one right behind a broken one */
		{ "\xe2\xc3\xbc", FFFD "\xc3\xbc" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t len = strlen(cases[i].in);
		char *in = malloc(len + 1), out[64];

		memcpy(in, cases[i].in, len); /* no 0 behind it */
		in[len] = 0xbf;
		utf8__clean(out, sizeof(out), in, len, 20);
		if (!CHECK_STR(out, cases[i].out))
			fprintf(stderr, "\tin case %zu\n", i);
		free(in);
	}
}

/* At most so many characters and so many bytes, never half a character */
static void test_clean_limits(void)
{
	static const struct {
		const char *in;
		size_t size, max;
		const char *out;
	} cases[] = {
		{ "abc", 64, 3, "abc" },
		{ "abc", 64, 2, "ab" },
		{ "abc", 64, 0, "" },
		{ "abc", 4, 9, "abc" },
		{ "abc", 3, 9, "ab" },
		{ "abc", 1, 9, "" },
		{ "\xc3\xbc\xc3\xbc", 64, 1, "\xc3\xbc" },
		{ "\xc3\xbc\xc3\xbc", 5, 9, "\xc3\xbc\xc3\xbc" },
		{ "\xc3\xbc\xc3\xbc", 4, 9, "\xc3\xbc" },
		{ "\xc3\xbc\xc3\xbc", 3, 9, "\xc3\xbc" },
		{ "\xc3\xbc\xc3\xbc", 2, 9, "" },
		{ "\xf0\x9f\x92\xbb", 5, 9, "\xf0\x9f\x92\xbb" },
		{ "\xf0\x9f\x92\xbb", 4, 9, "" },
		{ "\xff", 4, 9, FFFD },
		{ "\xff", 3, 9, "" },
		{ "\xff\xff\xff", 64, 2, FFFD FFFD },
		{ "a\xe2\x82\xac"
		  "b",
		  4, 9, "a" },
		{ "a\xe2\x82\xac"
		  "b",
		  5, 9, "a\xe2\x82\xac" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		char out[65];

		memset(out, '#', sizeof(out));
		utf8__clean(out, cases[i].size, cases[i].in, strlen(cases[i].in), cases[i].max);
		if (!CHECK_STR(out, cases[i].out) || !CHECK(out[cases[i].size] == '#'))
			fprintf(stderr, "\tin case %zu\n", i);
	}
}

/* The characters that become U+FFFD, each written out: Unicode 15's Default_Ignorable and others */
static bool is_unseen(unsigned int c)
{
	switch (c) {
	case 0 ... 0x1f: /* Cc */
	case 0x7f ... 0x9f:
	case 0x2028: /* Zl, Zp */
	case 0x2029:
	case 0x202a ... 0x202e: /* Bidi_Control */
	case 0x2066 ... 0x2069:
	case 0x200e:
	case 0x200f:
	case 0x61c:
	case 0xfff9 ... 0xfffb: /* interlinear annotation */
	case 0xad: /* the rest of Default_Ignorable_Code_Point */
	case 0x34f:
	case 0x115f:
	case 0x1160:
	case 0x17b4:
	case 0x17b5:
	case 0x180b ... 0x180f:
	case 0x200b ... 0x200d:
	case 0x2060 ... 0x2065:
	case 0x206a ... 0x206f:
	case 0x3164:
	case 0xfe00 ... 0xfe0f:
	case 0xfeff:
	case 0xffa0:
	case 0xfff0 ... 0xfff8:
	case 0x1bca0 ... 0x1bca3:
	case 0x1d173 ... 0x1d17a:
	case 0xe0000 ... 0xe0fff:
		return true;
	}
	return false;
}

/* Every code point, one after the other */
static void test_clean_characters(void)
{
	unsigned int c, wrong = 0;

	for (c = 0; c <= 0x10ffff; c++) {
		const char in[] = { 0xf0 | c >> 18, 0x80 | (c >> 12 & 0x3f), 0x80 | (c >> 6 & 0x3f),
				    0x80 | (c & 0x3f) };
		const char three[] = { 0xe0 | c >> 12, in[2], in[3] };
		const char two[] = { 0xc0 | c >> 6, in[3] }, one[] = { c };
		const size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
		const char *text = len == 1 ? one : len == 2 ? two : len == 3 ? three : in;
		char out[8];

		if (c >= 0xd800 && c <= 0xdfff)
			continue;
		utf8__clean(out, sizeof(out), text, len, 1);
		wrong += is_unseen(c) ? strcmp(out, FFFD) != 0
				      : strlen(out) != len || memcmp(out, text, len) != 0;
	}
	CHECK_INT(wrong, 0);
}

/*
 * The reference: decodes the way the RFC describes it, by number and not by
 * tables of bytes. Bytes of the character at @p, 0: none. @seen: whether it stays.
 */
static size_t reference_length(const unsigned char *p, size_t len, bool *seen)
{
	static const unsigned int least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = *p < 0x80 ? 1 : (*p & 0xe0) == 0xc0 ? 2 : (*p & 0xf0) == 0xe0 ? 3 : 4;
	unsigned int c = n == 1 ? *p : *p & (0x7f >> n);
	size_t i;

	if (n > len || (n == 4 && (*p & 0xf8) != 0xf0))
		return 0;
	for (i = 1; i < n; i++) {
		if (p[i] >> 6 != 2)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	*seen = !is_unseen(c);
	return c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) ? 0 : n;
}

static bool as_reference(const unsigned char *in, size_t len)
{
	char out[32], want[32];
	size_t used = 0, n, i;
	bool seen;

	for (i = 0; i < len; i += n ? n : 1) {
		n = reference_length(in + i, len - i, &seen);
		seen &= n != 0;
		memcpy(want + used, seen ? (const char *)in + i : FFFD, seen ? n : 3);
		used += seen ? n : 3;
	}
	want[used] = 0;
	utf8__clean(out, sizeof(out), (const char *)in, len, 99);
	return !memcmp(out, want, used + 1);
}

static void test_clean_all(void)
{
	unsigned int wrong[3] = { 0 }, i, k, state = 1;
	unsigned char in[4];

	for (i = 0; i < 256; i++) {
		in[0] = i;
		wrong[0] += !as_reference(in, 1);
		for (k = 0; k < 256; k++) {
			in[1] = k;
			wrong[1] += !as_reference(in, 2);
		}
	}
	for (i = 0; i < 1000000; i++) {
		for (k = 0; k < 4; k++) {
			state = state * 1664525 + 1013904223;
			/* Mostly bytes with the high bit, or few would be long */
			in[k] = state >> 24 | (state & 0x30000 ? 0x80 : 0);
			if (k && state & 0xc0000)
				in[k] &= 0xbf;
		}
		wrong[2] += !as_reference(in, 4);
	}
	CHECK_INT(wrong[0], 0);
	CHECK_INT(wrong[1], 0);
	CHECK_INT(wrong[2], 0);
}

int main(void)
{
	test_clean();
	test_clean_limits();
	test_clean_characters();
	test_clean_all();
	return check__report("utf8");
}
