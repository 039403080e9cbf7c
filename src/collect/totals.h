/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The exits of a vCPU since the start, by reason and detail. A guest can make as many
 * details as it likes, so only some are kept: those seen last. The exits of the others are
 * added to `other` of their reason; one that comes again begins at 0.
 */
#ifndef TOTALS_H
#define TOTALS_H

#include <linux/types.h>
#include <stddef.h>

#define MOST_TOTALS 1024 /* between two reports; then the older half is given up */

struct total {
	__u32 isa;
	__u32 code;
	__u64 detail;
	__u64 count;
	__u64 report; /* the number of the last report that had it */
	size_t sample; /* its index in that report */
};

/* All 0: none yet */
struct totals {
	struct total *list;
	size_t nr;
	size_t room;
	__u32 *index; /* hash table of 1 + the place in the list; 0: free */
	size_t size; /* of it: a power of two, more than twice the totals; or 0 */
	__u64 report; /* the number of the last report */
};

void totals__free(struct totals *t); /* frees what is in it, not @t */

/* The total of a reason and detail, for the report with this number; NULL: no memory */
struct total *totals__get(struct totals *t, __u64 report, __u32 isa, __u32 code, __u64 detail);

#endif
