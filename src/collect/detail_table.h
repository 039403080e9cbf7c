/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * User space's side of struct details (kvmexit.h): what was behind a vCPU thread's
 * exits since the last report.
 */
#ifndef DETAIL_TABLE_H
#define DETAIL_TABLE_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "kvmexit.h"
#include "snapshot/times.h"

#define MOST_BEHIND 1024 /* details of a thread, in the tables before the one in use */

/* All exits with the same detail */
struct behind {
	__u64 key; /* as in struct detail_entry; with DETAIL_OTHER for exits that found no entry */
	__u64 seen; /* exits when last read */
	__u64 reported;
	/* With clocks: ns of their spans that are over, when last read and when last reported */
	__u64 ns[NR_PARTS];
	__u64 ns_reported[NR_PARTS];
	struct times *times; /* since the last report; NULL: none yet; owned */
};

/* All 0: nothing read yet */
struct detailing {
	struct behind *list; /* in the order of their keys, so a reason's are together */
	size_t nr;
	size_t room;
	__u32 pending; /* index + 1 of the counter of the exit whose detail is pending; 0: none */
	__u64 last; /* what the pending exit's detail is if nothing else tells it; a key, or 0 */
	__u64 open; /* the key of the last exit's detail; 0: it has none */
	bool crowded; /* exits have found no room in this table */
};

void detailing__free(struct detailing *d); /* frees what is in it, not @d */

/*
 * Reads a table. Call it before the counters are read, so that there are never more
 * details than exits. 0 or -ENOMEM.
 */
int detailing__read(struct detailing *d, const struct details *table);

/*
 * The next table will count from 0. What is not reported yet is kept; if that are many
 * details, those with few exits become `other`.
 */
void detailing__from_zero(struct detailing *d);

/*
 * Adds @count exits of a reason whose detail has not come to the report. That of the pending
 * one may be known all the same. 0 or -ENOMEM.
 */
int detailing__add_unknown(struct detailing *d, __u32 index, __u64 count);

/*
 * Splits the time of a reason's exits since the last report among its details, by what
 * the table says of each. The rest belongs to an open span, or to exits that found no room.
 * It goes to the detail of the last exit, else to `other`, else to `unknown`; so does what is
 * kept for reasons only. 0 or -ENOMEM.
 */
int detailing__share(struct detailing *d, __u32 index, const struct times *times);

/* The details of a reason, by its counter's index: the first, and in *@n how many */
struct behind *detailing__of(struct detailing *d, __u32 index, size_t *n);

#endif
