/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What user space keeps of vCPUs and the threads that run them. counters.c reads the
 * slots into this data and makes reports from it.
 */
#ifndef THREADS_H
#define THREADS_H

#include "collect/counters.h"
#include "collect/detail_table.h"
#include "collect/totals.h"

/* How long a slot may be idle, and how long if slots are wanted; ns */
#define PATIENCE (10 * NSEC_PER_SEC)
#define IMPATIENCE (NSEC_PER_SEC / 5)

/* One exit reason of a thread */
struct cell {
	__u32 index; /* of the counter */
	__u64 seen; /* its value when last read */
	__u64 reported; /* its value at the last report */
};

/* A vCPU; kept as long as its process lives, for its totals */
struct vcpu {
	struct vm *vm;
	__u32 id;
	__u32 users; /* threads that point here */
	__u32 crowded; /* how often a slot of it was retired for new details, up to a limit */
	struct thread *last; /* that ran it; NULL: not known any more */
	bool listed; /* in the list of those without threads */
	__u64 unused; /* listed: when its last thread was forgotten; ns */
	struct vcpu *next;
	struct totals totals;
};

/* A thread that runs a vCPU, and the slot that counts for it (kvmexit.h) */
struct thread {
	__u32 tid;
	__u32 isa;
	__u32 slot;
	struct vcpu *vcpu;
	enum {
		OWNED,
		RETIRED, /* the slot must be read once more */
		FREED, /* the slot is free; the thread must be reported once more */
		REPORTED, /* the thread has been reported for the last time */
	} state;
	__u64 since; /* OWNED: time of the last exit seen; RETIRED: when it was retired; ns */
	__u64 taken; /* when the slot was first seen as its own; ns */
	__u64 key; /* of the slot then */
	bool confirmed; /* the slot's owner has been read once more since */
	__u64 sum; /* of all counters when last read: they only grow */
	struct cell *cells;
	size_t nr_cells;
	size_t room;
	__u64 flags_seen[NR_FLAGS];
	__u64 flags_reported[NR_FLAGS];
	struct timing *timing; /* NULL: without clocks */
	size_t nr_timed; /* how many of its reasons with time have a cell */
	__u64 timed_sum; /* the sum when the clock was last read */
	struct detailing detailing;
	bool behind; /* when last read, details were missing for some exits */
};

struct counters {
	struct shared shared;
	__u32 max;
	__u32 nr_free; /* slots that are queued or free */
	bool *known; /* by slot: whether one of the threads below has it */
	struct thread **threads;
	size_t nr_threads;
	size_t room;
	bool sorted; /* the threads */
	void *vcpus; /* tsearch() tree */
	struct vcpu *unused; /* list of those that no thread runs any more */
	__u64 reports; /* made so far */
	__u64 now; /* when collected last; ns */
	__u64 turned_away; /* exits without a slot when last looked */
	bool refused; /* some hints say that a thread has no slot */
	struct vms *vms;
};

/*
 * The thread that owns a slot. If a thread gets a new slot before its last one is
 * forgotten, this is the same object: between two reports, however far apart, there is
 * only one object per thread (not so with clocks, where few threads lose their slots).
 * NULL: no memory.
 */
struct thread *threads__get(struct counters *c, const struct slot *slot);

/*
 * Whether a thread is to get a new slot now because its details have no more room in this
 * one. Counts that for its vCPU: the more often, the longer it takes the next time.
 */
bool thread__takes_new_slot(struct thread *t, __u64 now);

/*
 * Reads the slot's owner once more. If it is another one, the thread was described by what was
 * there before, and becomes that of the owner. 0 or -ENOMEM.
 */
int thread__confirm(struct counters *c, struct thread *t, const struct slot *slot);

/* By VM, vCPU and TID: in the order of the samples */
void threads__sort(struct counters *c);

#endif
