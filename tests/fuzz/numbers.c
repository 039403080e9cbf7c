// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* parse_uint() and parse_duration(): what they take is what is written there */
#include <errno.h>

#include "fuzz.h"
#include "lib/util.h"

static void check_uint(const char *text)
{
	static const __u64 limits[][2] = { { 0, 0 }, { 1, 9 }, { 0, 4294967295 }, { 3, ~0ull } };
	char again[32];

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		__u64 n = 12345;
		int err = parse_uint(text, limits[i][0], limits[i][1], &n);

		MUST(err == 0 || err == -EINVAL || err == -ERANGE);
		if (err) {
			MUST(n == 12345);
			continue;
		}
		MUST(n >= limits[i][0] && n <= limits[i][1]);
		snprintf(again, sizeof(again), "%llu", n);
		text += strspn(text, "0");
		MUST(!strcmp(n ? again : "", text));
	}
}

/* How many of them a unit is, by its first letter and that of ms */
static double seconds(const char *unit, size_t len)
{
	if (len == 2 && !memcmp(unit, "ms", 2))
		return 0.001;
	return !len || *unit == 's' ? 1 : *unit == 'm' ? 60 : *unit == 'h' ? 3600 : 24 * 3600;
}

static void check_seconds(const char *text)
{
	__u64 ns = 12345;
	int err = parse_duration(text, &ns);
	double value = 0, part;
	char *end;

	MUST(err == 0 || err == -EINVAL || err == -ERANGE);
	if (err) {
		MUST(ns == 12345);
		return;
	}
	do {
		part = strtod(text, &end) * 1e9;
		MUST(strspn(text, "0123456789.") == (size_t)(end - text));
		text = end + strspn(end, "abcdefghijklmnopqrstuvwxyz");
		MUST(text > end || !*text);
		value += part * seconds(end, text - end);
	} while (*text);
	MUST(ns > 0 && value - ns < 4e3 && ns - value < 4e3);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz__text(data, size);

	check_uint(text);
	check_seconds(text);
	free(text);
	return 0;
}
