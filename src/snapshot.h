/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One interval's figures: what a source (counters.c on this host, or a recording)
 * makes, and all that outputs know.
 */
#ifndef SNAPSHOT_H
#define SNAPSHOT_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "lost.h"
#include "times.h"

struct explanation;
struct vm;
struct devices;

/*
 * What was counted of one vCPU thread and exit reason; or, as a row, of all that
 * are not told apart: then what they differ by is 0.
 */
struct sample {
	struct vm *vm; /* whose (vm.h); the source's */
	__u32 tid;
	__u32 vcpu; /* KVM's vcpu_id */
	__u32 isa; /* enum isa */
	__u32 code; /* basic exit reason */
	__u64 count; /* exits in this interval */
	__u64 total; /* since the start: of this vCPU; of a row, of what it stands for */
	/*
	 * What that took; NULL: without --time; valid as the sample is. Of details the parts
	 * alone are known: what else there is to tell of a reason one of its samples tells.
	 */
	struct times *times;
	__u64 detail; /* what was behind it (enum detail_kind); 0 without --detail */
};

struct snapshot {
	/*
	 * By VM (vm__compare()), vCPU, TID; these, the reason and the detail once, with count or
	 * time > 0
	 */
	struct sample *samples; /* owned */
	size_t nr_samples;
	size_t room;
	/* In the same order, a vCPU thread each: all its time; none without --time */
	struct sample *threads; /* owned */
	size_t nr_threads;
	size_t threads_room;
	__u64 service; /* ns: the samples' times__service() */
	bool details; /* samples have them */
	const struct devices *devices; /* of the one VM there are samples of; NULL: not known */
	unsigned int untold; /* bits 1 << enum part: what this host does not tell */
	const struct explanation *explanation; /* --explain, the last report; else NULL */
	const struct run *run; /* of kvmexit, that counted this (run.h); the source's */
	__u64 seq; /* number of the interval, from 0 */
	__u64 end; /* CLOCK_REALTIME in ns */
	__u64 duration; /* ns, measured */
	bool final;
	__u64 vms; /* with exits in this interval */
	__u64 vcpus;
	__u64 exits; /* the samples' counts and `hidden` */
	__u64 hidden; /* of these, what a filter left out */
	__u64 lost[NR_CAUSES]; /* since the start, by cause */
	__u64 lost_now[NR_CAUSES]; /* of these, in this interval */
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
	snap->lost_now[cause] = total - snap->lost[cause];
	snap->lost[cause] = total;
}

#endif
