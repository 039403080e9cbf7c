// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "lib/util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Messages that were held back, as many as fit */
static struct {
	bool holding;
	size_t used;
	char text[4096];
} held;

static void hold_back(const char *line)
{
	size_t room = sizeof(held.text) - held.used;

	if ((size_t)snprintf(held.text + held.used, room, "%s", line) < room)
		held.used += strlen(held.text + held.used);
	else
		held.text[held.used] = 0;
}

void complain__hold(void)
{
	held.holding = isatty(STDERR_FILENO);
}

void complain__release(void)
{
	held.holding = false;
	if (held.used)
		fputs(held.text, stderr);
	held.used = 0;
	held.text[0] = 0;
}

void complain(const char *fmt, ...)
{
	char text[1024], line[sizeof(text) + sizeof("kvmexit: \n")];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* One write, so that a line is written as a whole or not at all */
	snprintf(line, sizeof(line), "kvmexit: %s\n", text);
	if (held.holding)
		hold_back(line);
	else
		fputs(line, stderr);
}

/* The digits at *@text as a number, *@text moved behind them */
static int parse_digits(const char **text, __u64 max, __u64 *out)
{
	const char *p = *text;
	__u64 n = 0;
	bool over = false;

	if (*p < '0' || *p > '9')
		return -EINVAL;
	for (; *p >= '0' && *p <= '9'; p++) {
		__u64 digit = *p - '0';

		if (n > (max - digit) / 10 || digit > max)
			over = true;
		else
			n = n * 10 + digit;
	}
	*text = p;
	if (over)
		return -ERANGE;
	*out = n;
	return 0;
}

int parse_uint(const char *text, __u64 min, __u64 max, __u64 *out)
{
	__u64 n = 0;
	int err = parse_digits(&text, max, &n);

	if (err == -EINVAL || *text)
		return -EINVAL;
	if (err || n < min)
		return -ERANGE;
	*out = n;
	return 0;
}

/* Digits with up to nine decimals; ".5" has none in front. @frac is in 1e-9. */
static int parse_decimal(const char **text, __u64 max, __u64 *whole, __u64 *frac)
{
	__u64 unit = NSEC_PER_SEC / 10;
	int err = parse_digits(text, max, whole);
	const char *p = *text;

	*frac = 0;
	if (err == -EINVAL && *p != '.')
		return err;
	if (err == -EINVAL)
		err = 0;
	if (*p == '.') {
		p++;
		if (*p < '0' || *p > '9')
			return -EINVAL;
		for (; *p >= '0' && *p <= '9'; p++) {
			if (!unit && *p != '0')
				return -EINVAL;
			*frac += (*p - '0') * unit;
			unit /= 10;
		}
	}
	*text = p;
	return err;
}

/* From the longest to the shortest: @times seconds, or a @part of one */
static const struct unit {
	const char *names[5];
	__u64 times, part;
} units[] = {
	{ { "d", "day", "days" }, 24 * 3600, 1 },
	{ { "h", "hour", "hours" }, 3600, 1 },
	{ { "m", "min", "mins", "minute", "minutes" }, 60, 1 },
	{ { "s", "sec", "secs", "second", "seconds" }, 1, 1 },
	{ { "ms" }, 1, 1000 },
};

/* The unit that *@text begins with, *@text moved behind it; seconds where nothing follows */
static const struct unit *parse_unit(const char **text, bool alone)
{
	size_t len = strspn(*text, "abcdefghijklmnopqrstuvwxyz"), i, k;
	const char *name = *text;

	if (!len && !*name && alone)
		return &units[3];
	for (i = 0; i < ARRAY_SIZE(units); i++)
		for (k = 0; k < ARRAY_SIZE(units[i].names) && units[i].names[k]; k++)
			if (strlen(units[i].names[k]) == len &&
			    !memcmp(units[i].names[k], name, len)) {
				*text += len;
				return &units[i];
			}
	return NULL;
}

int parse_duration(const char *text, __u64 *ns)
{
	const __u64 longest = 100ull * 366 * 24 * 3600;
	const struct unit *last = NULL, *unit;
	__u64 sum = 0, whole, frac;
	bool over = false;
	int err;

	do {
		whole = 0;
		err = parse_decimal(&text, longest, &whole, &frac);
		if (err == -EINVAL)
			return err;
		unit = parse_unit(&text, !last);
		/* Each unit once, the longest first: 1h30m */
		if (!unit || (last && unit <= last) || frac % unit->part)
			return -EINVAL;
		last = unit;
		over |= err || whole > longest / unit->times;
		if (!over)
			sum += (whole * NSEC_PER_SEC + frac) * unit->times / unit->part;
		over |= sum > longest * NSEC_PER_SEC;
	} while (*text);
	if (over || !sum)
		return -ERANGE;
	*ns = sum;
	return 0;
}

const char *plural(__u64 n, const char *noun)
{
	static char texts[8][64];
	static unsigned int next;
	char *text = texts[next++ % ARRAY_SIZE(texts)];
	size_t len = strlen(noun);
	const char *end = "s";

	if (n == 1)
		end = "";
	else if (noun[len - 1] == 's')
		end = "es";
	else if (noun[len - 1] == 'y')
		end = "ies";
	snprintf(text, sizeof(texts[0]), "%llu %.*s%s", n, (int)len - (*end == 'i'), noun, end);
	return text;
}

void *array_grow(void *array, size_t *room, size_t used, size_t size)
{
	size_t want = *room ? *room * 2 : 8;

	if (used < *room)
		return array;
	array = reallocarray(array, want, size);
	if (array)
		*room = want;
	return array;
}

int read_file(const char *path, char *buf, size_t size)
{
	size_t used = 0;
	ssize_t n = 0;
	int err, fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	while (used < size - 1 && (n = read(fd, buf + used, size - 1 - used)) > 0)
		used += n;
	err = n < 0 ? -errno : 0;
	close(fd);
	if (err)
		return err;
	buf[used] = 0;
	return used;
}

static __u64 clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

__u64 now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

__u64 realtime_ns(void)
{
	return clock_ns(CLOCK_REALTIME);
}
