/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * User space's side of a table of details (kvmexit.h): what was behind a vCPU thread's
 * exits since the last report.
 */
#ifndef DETAILING_H
#define DETAILING_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "../kvmexit.h"
#include "times.h"

/* Exits behind which there was the same */
struct behind {
	__u64 key; /* as in struct detail_entry; of those that found none: with DETAIL_OTHER */
	__u64 seen; /* exits when last read */
	__u64 reported;
	/* With clocks: ns of their spans, once they are over, when last read and reported */
	__u64 ns[NR_PARTS];
	__u64 ns_reported[NR_PARTS];
	struct times *times; /* since the last report; NULL: none yet; owned */
};

/* All 0: nothing read yet */
struct detailing {
	struct behind *list; /* in the order of their keys, so a reason's are together */
	size_t nr;
	size_t room;
	__u32 pending; /* one more than the counter's index of the exit that waits; 0: none */
	__u64 open; /* the key of the last exit's detail; 0: it has none */
	bool crowded; /* exits have found no room in this table */
};

void detailing__free(struct detailing *d); /* what is in it */

/*
 * Reads a table. To be called before the counters are read: then there are no more
 * details than exits. 0 or -ENOMEM.
 */
int detailing__read(struct detailing *d, const struct details *table);

/* The next table counts from 0; what is still to be reported stays the difference */
void detailing__from_zero(struct detailing *d);

/* So many exits of a reason are to be reported of which nothing is known. 0 or -ENOMEM. */
int detailing__add_unknown(struct detailing *d, __u32 index, __u64 count);

/*
 * Shares the time of a reason's exits since the last report among its details, by what
 * the table says of each. What is left is of a span that is open, or of exits that found no
 * room: the last exit's detail has it, the others, or what is not known; and what is kept of
 * reasons only. 0 or -ENOMEM.
 */
int detailing__share(struct detailing *d, __u32 index, const struct times *times);

/* Those of a reason, by its counter's index: the first, and in *@n how many */
struct behind *detailing__of(struct detailing *d, __u32 index, size_t *n);

#endif
