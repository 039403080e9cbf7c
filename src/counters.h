/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * User space's side of the slots: what was counted since the last report, for
 * whom; and slots of ended threads given back.
 */
#ifndef COUNTERS_H
#define COUNTERS_H

#include "snapshot.h"

struct counters;

/* Memory shared with the kernel (kvmexit.h), each array of as many elements */
struct shared {
	struct slot *slots;
	__u64 *taken; /* by slot: whether it has an owner */
	__u64 *ring;
	struct control *control;
};

/* Works on memory for @max slots that outlives it. NULL: no memory. */
struct counters *counters__new(const struct shared *shared, __u32 max);
void counters__free(struct counters *c);

/*
 * @met is called for each thread when it is first seen, while its process most
 * likely lives; @comm is valid during the call.
 */
void counters__on_new(struct counters *c,
		      void (*met)(void *arg, __u32 pid, __u64 start, const char *comm), void *arg);

/*
 * Reads all counters. Where @is_gone (NULL: nothing ever is) says that a
 * thread has ended, its slot is taken from it, and given back by the next call.
 * Returns 0 or -ENOMEM: then the figures are as they were, and nothing is lost.
 */
int counters__collect(struct counters *c, bool (*is_gone)(__u32 pid, __u32 tid));

/*
 * Moves what was collected since the last report into @snap: samples, exits,
 * flags and lost; the rest of it is the caller's. Returns 0 or -ENOMEM.
 */
int counters__report(struct counters *c, struct snapshot *snap);

/*
 * Forgets the totals of ended threads whose process @is_gone(pid, pid) says has
 * ended. To be called after a report's samples have been used.
 */
void counters__forget(struct counters *c, bool (*is_gone)(__u32 pid, __u32 tid));

/* The code that counter @i of an ISA stands for (kvmexit.h) */
__u32 counter__code(const struct control *control, __u32 i);

#endif
