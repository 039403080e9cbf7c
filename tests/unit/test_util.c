// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The number parsers, the growing array, reading a file. */
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "lib/util.h"

#define UNTOUCHED 0xdeadbeefcafef00dull

static void test_parse_uint(void)
{
	static const struct {
		const char *text;
		__u64 min, max;
		int err;
		__u64 value;
	} cases[] = {
		{ "0", 0, 10, 0, 0 },
		{ "10", 0, 10, 0, 10 },
		{ "1", 1, 1, 0, 1 },
		{ "007", 0, 10, 0, 7 },
		{ "00000000000000000000000000000000009", 0, 10, 0, 9 },
		{ "18446744073709551615", 0, ULLONG_MAX, 0, ULLONG_MAX },
		{ "4294967295", 0, UINT_MAX, 0, UINT_MAX },
		{ "2147483647", 1, INT_MAX, 0, INT_MAX },

		{ "0", 1, 10, -ERANGE, 0 },
		{ "11", 0, 10, -ERANGE, 0 },
		{ "100", 0, 10, -ERANGE, 0 },
		{ "7", 0, 5, -ERANGE, 0 },
		{ "71", 0, 5, -ERANGE, 0 },
		{ "1", 0, 0, -ERANGE, 0 },
		{ "2147483648", 1, INT_MAX, -ERANGE, 0 },
		{ "4294967296", 0, UINT_MAX, -ERANGE, 0 },
		{ "18446744073709551616", 0, ULLONG_MAX, -ERANGE, 0 },
		{ "99999999999999999999999999", 0, ULLONG_MAX, -ERANGE, 0 },
		/* 2^64 + 1: 1 to who does not look out */
		{ "18446744073709551617", 0, 10, -ERANGE, 0 },

		{ "", 0, 10, -EINVAL, 0 },
		{ " ", 0, 10, -EINVAL, 0 },
		{ "+1", 0, 10, -EINVAL, 0 },
		{ "-1", 0, 10, -EINVAL, 0 },
		{ "-0", 0, 10, -EINVAL, 0 },
		{ " 1", 0, 10, -EINVAL, 0 },
		{ "1 ", 0, 10, -EINVAL, 0 },
		{ "1\n", 0, 10, -EINVAL, 0 },
		{ "\t1", 0, 10, -EINVAL, 0 },
		{ "1x", 0, 10, -EINVAL, 0 },
		{ "x", 0, 10, -EINVAL, 0 },
		{ "0x10", 0, 100, -EINVAL, 0 },
		{ "1.0", 0, 10, -EINVAL, 0 },
		{ "1e1", 0, 10, -EINVAL, 0 },
		{ "1,2", 0, 10, -EINVAL, 0 },
		{ "\xd9\xa1", 0, 10, -EINVAL, 0 }, /* an Arabic 1 */
		/* Not a number, however large */
		{ "99999999999999999999999999x", 0, 10, -EINVAL, 0 },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		__u64 out = UNTOUCHED;
		int err = parse_uint(cases[i].text, cases[i].min, cases[i].max, &out);
		bool ok = CHECK_INT(err, cases[i].err);

		ok &= CHECK_INT(out, cases[i].err ? UNTOUCHED : cases[i].value);
		if (!ok)
			fprintf(stderr, "\tin \"%s\"\n", cases[i].text);
	}
}

static void test_parse_duration(void)
{
	static const struct {
		const char *text;
		int err;
		__u64 ns;
	} cases[] = {
		{ "1", 0, 1000000000 },
		{ "5", 0, 5000000000 },
		{ "1.5", 0, 1500000000 },
		{ "0.2", 0, 200000000 },
		{ "1.05", 0, 1050000000 },
		{ "01.50", 0, 1500000000 },
		{ "0.000000001", 0, 1 },
		{ "1.000000001", 0, 1000000001 },
		{ "0.123456789", 0, 123456789 },
		{ "0.999999999", 0, 999999999 },
		{ "99999999", 0, 99999999000000000 },
		{ "3150000000", 0, 3150000000000000000 }, /* 99.8 years */

		{ "0", -ERANGE, 0 },
		{ "0.0", -ERANGE, 0 },
		{ "0.000000000", -ERANGE, 0 },
		{ "3200000000", -ERANGE, 0 }, /* 101.4 years */
		{ "18446744074", -ERANGE, 0 }, /* more than 2^64 ns */
		{ "18446744073709551617", -ERANGE, 0 },
		{ "99999999999999999999999999", -ERANGE, 0 },
		{ "99999999999999999999999999.5", -ERANGE, 0 },

		{ "", -EINVAL, 0 },
		{ ".", -EINVAL, 0 },
		{ ".5", 0, 500000000 },
		{ ".5m", 0, 30000000000 },
		{ ".0", -ERANGE, 0 },
		{ "5.", -EINVAL, 0 },
		{ "-5", -EINVAL, 0 },
		{ "+5", -EINVAL, 0 },
		{ " 5", -EINVAL, 0 },
		{ "5 ", -EINVAL, 0 },
		{ "x", -EINVAL, 0 },
		{ "1.5x", -EINVAL, 0 },
		{ "1.x", -EINVAL, 0 },
		{ "1.-5", -EINVAL, 0 },
		{ "1. 5", -EINVAL, 0 },
		{ "1.5.5", -EINVAL, 0 },
		{ "1,5", -EINVAL, 0 },
		{ "1e3", -EINVAL, 0 },
		{ "0x10", -EINVAL, 0 },
		{ "inf", -EINVAL, 0 },
		{ "nan", -EINVAL, 0 },
		{ "0.0000000001", -EINVAL, 0 }, /* ten decimals */
		{ "1.1234567891", -EINVAL, 0 },
		{ "99999999999999999999999999x", -EINVAL, 0 },
		{ "10s", 0, 10 * NSEC_PER_SEC },
		{ "0.5s", 0, NSEC_PER_SEC / 2 },
		{ "500ms", 0, NSEC_PER_SEC / 2 },
		{ "0.000001ms", 0, 1 },
		{ "1.5ms", 0, 1500000 },
		{ "5m", 0, 300 * NSEC_PER_SEC },
		{ "0.25m", 0, 15 * NSEC_PER_SEC },
		{ "3162240000ms", 0, 3162240 * NSEC_PER_SEC },
		{ "52704000m", 0, 3162240000 * NSEC_PER_SEC },
		{ "52704001m", -ERANGE, 0 },
		{ "99999999999999999999m", -ERANGE, 0 },
		{ "0ms", -ERANGE, 0 },
		{ "0m", -ERANGE, 0 },
		{ "0.0000001ms", -EINVAL, 0 }, /* less than a nanosecond */
		{ "ms", -EINVAL, 0 },
		{ "1 s", -EINVAL, 0 },
		{ "1S", -EINVAL, 0 },
		{ "1sm", -EINVAL, 0 },
		{ "1h", 0, 3600 * NSEC_PER_SEC },
		{ "1.5h", 0, 5400 * NSEC_PER_SEC },
		{ "1min", 0, 60 * NSEC_PER_SEC },
		{ "2mins", 0, 120 * NSEC_PER_SEC },
		{ "1minute", 0, 60 * NSEC_PER_SEC },
		{ "3minutes", 0, 180 * NSEC_PER_SEC },
		{ "30sec", 0, 30 * NSEC_PER_SEC },
		{ "30secs", 0, 30 * NSEC_PER_SEC },
		{ "1second", 0, NSEC_PER_SEC },
		{ "2seconds", 0, 2 * NSEC_PER_SEC },
		{ "2hours", 0, 7200 * NSEC_PER_SEC },
		{ "1d", 0, 86400 * NSEC_PER_SEC },
		{ "2days", 0, 2 * 86400 * NSEC_PER_SEC },
		{ "1h30m", 0, 5400 * NSEC_PER_SEC },
		{ "1m30s", 0, 90 * NSEC_PER_SEC },
		{ "1s500ms", 0, 1500 * NSEC_PER_MSEC },
		{ "1d2h3m4s5ms", 0, 93784 * NSEC_PER_SEC + 5 * NSEC_PER_MSEC },
		{ "0h5m", 0, 300 * NSEC_PER_SEC },
		{ "0h0m", -ERANGE, 0 },
		{ "36600d", 0, 3162240000 * NSEC_PER_SEC },
		{ "36600d1ms", -ERANGE, 0 },
		{ "36600d52704000m3162240000s", -ERANGE, 0 },
		{ "99999999999999999999d1h", -ERANGE, 0 },
		{ "30m1h", -EINVAL, 0 },
		{ "1h1hour", -EINVAL, 0 },
		{ "1h30", -EINVAL, 0 },
		{ "1h 30m", -EINVAL, 0 },
		{ "1h-30m", -EINVAL, 0 },
		{ "1H", -EINVAL, 0 },
		{ "1M", -EINVAL, 0 },
		{ "1w", -EINVAL, 0 },
		{ "1us", -EINVAL, 0 },
		{ "1hou", -EINVAL, 0 },
		{ "h", -EINVAL, 0 },
		{ "1:30", -EINVAL, 0 },
		{ "1.m", -EINVAL, 0 },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		__u64 ns = UNTOUCHED;
		int err = parse_duration(cases[i].text, &ns);
		bool ok = CHECK_INT(err, cases[i].err);

		ok &= CHECK_INT(ns, cases[i].err ? UNTOUCHED : cases[i].ns);
		if (!ok)
			fprintf(stderr, "\tin \"%s\"\n", cases[i].text);
	}
}

static void test_plural(void)
{
	static const struct {
		__u64 n;
		const char *noun, *want;
	} cases[] = {
		{ 0, "VM", "0 VMs" },
		{ 1, "VM", "1 VM" },
		{ 2, "VM", "2 VMs" },
		{ ~0ull, "exit", "18446744073709551615 exits" },
		{ 1, "process", "1 process" },
		{ 5, "process", "5 processes" },
		{ 1, "entry", "1 entry" },
		{ 3, "entry", "3 entries" },
		{ 2, "more row", "2 more rows" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		CHECK_STR(plural(cases[i].n, cases[i].noun), cases[i].want);
	/* Several in one message */
	CHECK(strcmp(plural(1, "VM"), plural(2, "vCPU")));
}

static void test_array_grow(void)
{
	size_t room = 0, huge = SIZE_MAX / 4, used, i;
	int *array = NULL, *grown;

	for (used = 0; used < 1000; used++) {
		size_t before = room;

		grown = array_grow(array, &room, used, sizeof(*array));
		if (!CHECK(grown) || !CHECK(room > used))
			break;
		/* No copying where there is room */
		if (used < before)
			CHECK(grown == array && room == before);
		array = grown;
		array[used] = used * 3;
	}
	for (i = 0; i < used && array[i] == (int)i * 3; i++)
		;
	CHECK_INT(i, 1000);
	/* More bytes than there are addresses */
	CHECK(!array_grow(array, &huge, huge, 16));
	CHECK(huge == SIZE_MAX / 4);
	CHECK(array[999] == 999 * 3);
	free(array);
}

static void test_read_file(void)
{
	char path[] = "/tmp/kvmexit-test-XXXXXX", buf[16];
	int fd = mkstemp(path);

	if (!CHECK(fd >= 0))
		return;
	memset(buf, 'x', sizeof(buf));
	CHECK_INT(read_file(path, buf, sizeof(buf)), 0);
	CHECK_STR(buf, "");
	CHECK_INT(write(fd, "0123456789", 10), 10);
	CHECK_INT(read_file(path, buf, sizeof(buf)), 10);
	CHECK_STR(buf, "0123456789");
	/* Exactly full, one too long, no room but for the end */
	memset(buf, 'x', sizeof(buf));
	CHECK_INT(read_file(path, buf, 11), 10);
	CHECK_STR(buf, "0123456789");
	memset(buf, 'x', sizeof(buf));
	CHECK_INT(read_file(path, buf, 10), 9);
	CHECK_STR(buf, "012345678");
	CHECK(buf[10] == 'x');
	CHECK_INT(read_file(path, buf, 1), 0);
	CHECK_STR(buf, "");
	close(fd);
	unlink(path);
	CHECK_INT(read_file(path, buf, sizeof(buf)), -ENOENT);
	CHECK_INT(read_file("/", buf, sizeof(buf)), -EISDIR);
	/* A file that says it has no size */
	CHECK(read_file("/proc/self/stat", buf, sizeof(buf)) == 15);
}

static void test_now(void)
{
	__u64 before = now_ns(), after;

	usleep(2000);
	after = now_ns();
	CHECK(after - before >= 2000000);
	CHECK(after - before < 10 * NSEC_PER_SEC);
}

int main(void)
{
	test_parse_uint();
	test_parse_duration();
	test_plural();
	test_array_grow();
	test_read_file();
	test_now();
	return check__report("util");
}
