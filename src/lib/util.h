/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Exit codes, messages, the number parsers: what every part may use */
#ifndef UTIL_H
#define UTIL_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

/* sysexits.h's numbers; systemd and log shippers know them by name */
enum exit_code {
	EXIT_OK = 0,
	EXIT_USAGE = 64,
	EXIT_NOTHING = 69, /* no KVM, no tracepoint, no such process or vCPU */
	EXIT_INTERNAL = 70,
	EXIT_CREATE = 73,
	EXIT_WRITE = 74,
	EXIT_PERMISSION = 77,
};

/* On arm64 the tracepoint's arguments and the BPF programs are different */
#ifdef __aarch64__
#define ON_ARM64 true
#else
#define ON_ARM64 false
#endif

#define NSEC_PER_SEC 1000000000ull
#define NSEC_PER_MSEC 1000000ull
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* -1, 0, 1: the body of a comparison function */
#define THREE_WAY(a, b) (((a) > (b)) - ((a) < (b)))

/* One line "kvmexit: ..." on standard error */
void complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * complain__hold(): from now on messages to a terminal are kept, because it shows the live
 * view. complain__release() prints them.
 */
void complain__hold(void);
void complain__release(void);

/*
 * A decimal number from @min to @max and nothing else: no sign, no space, no
 * rest. Returns 0, -EINVAL (not a number) or -ERANGE; @out is set only by 0.
 */
int parse_uint(const char *text, __u64 min, __u64 max, __u64 *out);

/*
 * A time with up to nine decimals, greater than 0 and at most 100 years, in
 * nanoseconds. The unit is seconds, or follows: ms, s, m, h, d, or as words (min); several
 * may follow each other, the longest first (1h30m). Returns as parse_uint().
 */
int parse_duration(const char *text, __u64 *ns);

/*
 * "1 exit", "2 exits", "1 process", "0 processes", "2 entries": at most 30 characters of
 * @noun. The text is valid until the eighth call after this one.
 */
const char *plural(__u64 n, const char *noun);

#define ARE(n) ((n) == 1 ? "is" : "are")

/*
 * Returns @array, grown if needed, so that one more element of @size bytes fits behind
 * @used ones. NULL: no memory, @array is unchanged.
 */
void *array_grow(void *array, size_t *room, size_t used, size_t size);

/* Reads at most @size - 1 bytes of a file and ends them with 0; bytes or -errno */
int read_file(const char *path, char *buf, size_t size);

__u64 now_ns(void); /* CLOCK_MONOTONIC */
__u64 realtime_ns(void); /* CLOCK_REALTIME */

#endif
