/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One interval's figures: what counters.c makes and the renderers take */
#ifndef SNAPSHOT_H
#define SNAPSHOT_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "../kvmexit.h"

/* By PID, vCPU, TID: one vCPU thread and exit reason with count > 0 */
struct sample {
	__u32 pid; /* VMM process (TGID) */
	__u32 tid;
	__u32 vcpu; /* KVM's vcpu_id */
	__u32 isa; /* enum isa */
	__u32 code; /* basic exit reason */
	__u64 count; /* exits in this interval */
	__u64 total; /* of this vCPU (PID and id) since the start */
	const char *comm; /* the thread's, at its first exit; valid until counters__forget() */
	__u64 start; /* of the process: its start time (vm.h); 0: not known */
};

struct snapshot {
	struct sample *samples; /* owned */
	size_t nr_samples;
	size_t room;
	__u64 seq; /* number of the interval, from 0 */
	__u64 end; /* CLOCK_REALTIME in ns */
	__u64 duration; /* ns, measured */
	bool final;
	__u64 vms; /* with exits in this interval */
	__u64 vcpus;
	__u64 exits; /* sum of the samples' counts */
	__u64 lost[NR_LOST]; /* since the start, by cause */
	__u64 misses; /* since the start: events the program was not run for */
	__u64 flags[NR_FLAGS]; /* exits of this interval that carried the flag */
};

/* Exits that were not counted since the start */
static inline __u64 snapshot__lost(const struct snapshot *snap)
{
	__u64 sum = snap->misses;
	size_t i;

	for (i = 0; i < NR_LOST; i++)
		sum += snap->lost[i];
	return sum;
}

#endif
