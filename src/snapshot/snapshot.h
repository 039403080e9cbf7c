/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One interval's figures. A source (counters.c on this host, or a recording) makes them;
 * outputs know nothing else.
 */
#ifndef SNAPSHOT_H
#define SNAPSHOT_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "names/lost.h"
#include "snapshot/misses.h"
#include "snapshot/times.h"

struct explanation;
struct vm;
struct devices;

/*
 * What was counted of one vCPU thread and exit reason. As a row, it is the sum of several
 * samples that are not told apart; the members in which they differ are 0.
 */
struct sample {
	struct vm *vm; /* vm.h; owned by the source */
	__u32 tid;
	__u32 vcpu; /* KVM's vcpu_id */
	__u32 isa; /* enum isa */
	__u32 code; /* basic exit reason */
	__u64 count; /* exits in this interval */
	__u64 total; /* since the start, of this vCPU; in a row, of all that it sums up */
	/*
	 * Where the time went; NULL without --time; valid as long as the sample. A detail has
	 * only the parts; one sample of its reason has the rest (maximum, buckets, untimed).
	 */
	struct times *times;
	__u64 detail; /* what was behind it (enum detail_kind); 0 without --detail */
};

struct snapshot {
	/*
	 * Sorted by VM (vm__compare()), vCPU, TID. Each combination of these with a reason and
	 * a detail is there once, if its count or time is > 0.
	 */
	struct sample *samples; /* owned */
	size_t nr_samples;
	size_t room;
	/* One per vCPU thread, in the same order: all its time; none without --time */
	struct sample *threads; /* owned */
	size_t nr_threads;
	size_t threads_room;
	__u64 service; /* ns: the samples' times__service() */
	bool details; /* samples have them */
	const struct devices *devices; /* of the only VM in the samples; NULL: not known */
	unsigned int untold; /* bits 1 << enum part: what this host does not tell */
	const struct explanation *explanation; /* in the last report with --explain; else NULL */
	const struct run *run; /* the run of kvmexit that counted this (run.h); the source's */
	__u64 seq; /* number of the interval, from 0 */
	__u64 end; /* CLOCK_REALTIME in ns */
	__u64 duration; /* ns, measured */
	bool final;
	__u64 vms; /* with exits in this interval */
	__u64 vcpus;
	__u64 exits; /* sum of the samples' counts and `hidden` */
	__u64 hidden; /* of these, what a filter left out */
	__u64 lost[NR_CAUSES]; /* since the start, by cause */
	__u64 lost_now[NR_CAUSES]; /* of these, in this interval */
	struct misses missed; /* since the start */
	struct misses missed_now; /* of these, in this interval */
	/* Of a recording only */
	__u64 missing; /* intervals between the one before and this one */
	bool damaged; /* it lacks records, or they do not add up */
	__u64 flags[NR_FLAGS]; /* exits of this interval that carried the flag */
};

/* Three-way: the order of samples and threads in a snapshot, whatever the reason */
int sample__compare_threads(const struct sample *x, const struct sample *y);

static inline __u64 sum_of_causes(const __u64 *lost)
{
	__u64 sum = 0;
	size_t i;

	for (i = 0; i < NR_CAUSES; i++)
		sum += lost[i];
	return sum;
}

/* Exits that were not counted since the start */
static inline __u64 snapshot__lost(const struct snapshot *snap)
{
	return sum_of_causes(snap->lost);
}

/* @total: lost for this cause since the start */
static inline void snapshot__set_lost(struct snapshot *snap, size_t cause, __u64 total)
{
	if (total < snap->lost[cause]) /* it only grows: a reading that went wrong */
		total = snap->lost[cause];
	snap->lost_now[cause] = total - snap->lost[cause];
	snap->lost[cause] = total;
}

/* @since_start: with what each program missed; where that is unknown, what is known stays */
static inline void snapshot__set_missed(struct snapshot *snap, const struct misses *since_start)
{
	const struct misses before = snap->missed;
	size_t i;

	misses__update(&snap->missed, since_start);
	snap->missed_now.unknown = snap->missed.unknown;
	for (i = 0; i < NR_UNSURE; i++)
		snap->missed_now.count[i] = snap->missed.count[i] - before.count[i];
	snapshot__set_lost(snap, LOST_MISSED, snap->missed.count[UNSURE_EXITS]);
}

#endif
