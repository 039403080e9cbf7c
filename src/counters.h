/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * User space's side of the slots: what was counted since the last report, for
 * whom; and slots taken back from threads that are idle.
 */
#ifndef COUNTERS_H
#define COUNTERS_H

#include "snapshot.h"

struct counters;
struct vms;

/* Memory shared with the kernel (kvmexit.h): each has an element for each slot */
struct shared {
	void *slots; /* as shared__slot() and the next two find them */
	struct layout layout;
	__u64 *owned; /* by slot: whether it has an owner */
	__u64 *ring;
	struct control *control;
	/*
	 * Waits until no run of the BPF program goes on that began before. 0, or
	 * -errno: that cannot be had.
	 */
	int (*quiesce)(void);
	/*
	 * Whether a thread has ended. NULL: that cannot be known. Asked for with clocks
	 * only.
	 */
	bool (*is_gone)(__u32 pid, __u32 tid);
	/* By ISA, from ISA_VMX on, and counter: whether there are details of its exits */
	__u8 detailed[3][NR_COUNTERS];
};

static inline struct slot *shared__slot(const struct shared *s, __u32 nr)
{
	return (struct slot *)((char *)s->slots + (size_t)nr * s->layout.stride);
}

/* NULL: without --time */
static inline struct clock *shared__clock(const struct shared *s, __u32 nr)
{
	return s->layout.timed ? (struct clock *)(shared__slot(s, nr) + 1) : NULL;
}

/* NULL: without --detail */
static inline struct details *shared__details(const struct shared *s, __u32 nr)
{
	char *slot = (char *)shared__slot(s, nr);

	return s->layout.details ? (struct details *)(slot + s->layout.details) : NULL;
}

/*
 * Works on memory for @max slots, which outlives it as do the @vms: a VM is asked for
 * there when its first thread is seen, and kept as long as its vCPUs are. NULL: no
 * memory.
 */
struct counters *counters__new(const struct shared *shared, __u32 max, struct vms *vms);
void counters__free(struct counters *c);

/*
 * Reads all counters. Slots in which nothing was counted for a while are taken
 * from their owners and freed, the sooner the fewer are free. @now: ns, of a clock
 * that only goes forward. Returns 0 or -ENOMEM: then the figures are as they were,
 * and nothing is lost.
 */
int counters__collect(struct counters *c, __u64 now);

/* Exits lost since the start for one cause */
__u64 counters__lost(const struct counters *c, enum lost why);

/*
 * Moves what was collected since the last report into @snap: samples, exits,
 * flags, lost and, with clocks, where the time went until @now (CLOCK_MONOTONIC, ns); the
 * rest of it is the caller's. Returns 0 or -ENOMEM.
 */
int counters__report(struct counters *c, struct snapshot *snap, __u64 now);

/*
 * Forgets the totals of vCPUs whose process @is_gone(pid, start) says has ended.
 * To be called after a report's samples have been used; what was collected
 * meanwhile is kept for the next one.
 */
void counters__forget(struct counters *c, bool (*is_gone)(__u32 pid, __u64 start));

/* The code that counter @i of an ISA stands for (kvmexit.h) */
__u32 counter__code(const struct control *control, __u32 i);

#endif
