// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What a text takes of a terminal's columns, and where it is cut */
#include "lib/width.h"

#include <stdio.h>
#include <string.h>

#include "check.h"
#include "lib/util.h"

#define PENGUIN "\xf0\x9f\x90\xa7"
#define KARI "\xe4\xbb\xae" /* an ideograph, two columns wide */
#define DOTS "\xe2\x80\xa6"

static void test_width(void)
{
	static const struct {
		const char *text;
		int width;
	} cases[] = {
		{ "", 0 },
		{ "web1", 4 },
		{ "B\xc3\xbcro", 4 },
		{ KARI "\xe6\x83\xb3", 4 },
		{ "vm-" PENGUIN, 5 },
		{ "e\xcc\x81", 1 }, /* a combining accent */
		{ "\xef\xbf\xbd", 1 }, /* U+FFFD */
		{ "\xf4\x8f\xbf\xbf", 1 }, /* the last one */
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		CHECK_INT(text__width(cases[i].text), cases[i].width);
}

static void test_cut(void)
{
	static const struct {
		const char *text;
		int width;
		const char *want;
	} cases[] = {
		{ "web1", 4, "web1" },
		{ "web10", 4, "web" DOTS },
		{ "web10", 1, DOTS },
		{ "web10", 0, "" },
		{ KARI KARI, 4, KARI KARI },
		{ KARI KARI, 3, KARI DOTS },
		{ KARI KARI, 2, DOTS }, /* half a character there is not */
		{ "e\xcc\x81"
		  "abc",
		  3,
		  "e\xcc\x81"
		  "a" DOTS },
	};
	char text[64];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		snprintf(text, sizeof(text), "%s", cases[i].text);
		text__cut(text, sizeof(text), cases[i].width);
		CHECK_STR(text, cases[i].want);
	}
	/* No more room than for the text itself */
	snprintf(text, 6, "web10");
	text__cut(text, 6, 4);
	CHECK_STR(text, "we" DOTS);
}

int main(void)
{
	test_width();
	test_cut();
	return check__report("width");
}
