/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * User space's side of a clock (kvmexit.h): where a vCPU thread's time went since
 * the last report. A span that is still open is reported with its time so far, so that
 * every interval adds up by itself. How this time was spent is a guess; the next reports
 * correct it, until the span has ended.
 */
#ifndef TIMES_H
#define TIMES_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "kvmexit.h"

enum part {
	PART_GUEST, /* in the guest: no exit's time */
	PART_KVM,
	PART_USER,
	PART_WAIT,
	PART_POLL,
	PART_IDLE,
	NR_PARTS,
};

/* Where time went: the time of a reason's exits, or all of a vCPU thread's time; ns */
struct times {
	__u64 part[NR_PARTS];
	__u64 max; /* of a span that ended, without idle; of a reason's exits only */
	__u64 untimed; /* exits whose span's end was not seen */
	__u64 buckets[NR_BUCKETS]; /* as in struct spans; of a reason's exits only */
	/* Of threads only */
	__u64 wall; /* all of it by the clock */
	__u64 unseen; /* entries into the guest without an exit before them */
	__u64 crowded; /* exits whose time is only in the thread's: it had too many reasons */
};

__u64 times__sum(const struct times *t); /* of all parts */
__u64 times__service(const struct times *t); /* all parts except guest and idle */
__u64 times__caused(const struct times *t); /* kvm and user: what the exits themselves took */
/* The share of a part in tenths of a per cent, rounded so that all add up to 1000 */
__u64 times__share(const struct times *t, enum part part);
__u64 times__spans(const struct times *t); /* how many spans have ended */
void times__add(struct times *to, const struct times *from);

/*
 * The time, without idle, that @percent of the spans that ended did not exceed:
 * within 20 %. 0: none ended.
 */
__u64 times__quantile(const struct times *t, unsigned int percent);

struct timing;

struct timing *timing__new(void); /* NULL: no memory */
void timing__free(struct timing *t);

/*
 * Reads a clock at the time @now. @gone: its thread has ended, and with it the open span.
 * 0 or -ENOMEM.
 */
int timing__read(struct timing *t, struct clock *clock, __u32 isa, __u64 now, bool gone);

/* Reads a clock for the last time: a span that is open ends untimed */
int timing__finish(struct timing *t, struct clock *clock, __u32 isa, __u64 now, bool gone);

/*
 * The reasons that have had time so far, in the order in which they were seen. The first,
 * NR_COUNTERS, stands for all reasons without a row.
 */
size_t timing__nr_reasons(const struct timing *t);
__u32 timing__index(const struct timing *t, size_t i);

/* All of the thread's time since the last report; valid until the clock is read again */
struct times *timing__report(struct timing *t);

/*
 * To be called after timing__report(): the time of one reason, that of the counter @index,
 * of which @count exits were counted since the last report. Valid as long. NULL: no memory.
 */
struct times *timing__reason(struct timing *t, __u32 index, __u64 count);

#endif
