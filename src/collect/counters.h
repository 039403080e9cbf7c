/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * User space's side of the slots: what was counted since the last report, and for
 * whom. It also takes slots back from threads that are idle.
 */
#ifndef COUNTERS_H
#define COUNTERS_H

#include "probe/shared.h"
#include "snapshot/snapshot.h"

struct counters;
struct vms;

/*
 * Works on memory for @max slots. This memory and @vms must outlive it. It gets a VM from
 * @vms when it sees the VM's first thread, and keeps it as long as the VM's vCPUs. NULL: no
 * memory.
 */
struct counters *counters__new(const struct shared *shared, __u32 max, struct vms *vms);
void counters__free(struct counters *c);

/*
 * Reads all counters. It takes slots in which nothing was counted for a while from their
 * owners and frees them; the fewer slots are free, the sooner. @now: ns, of a clock that
 * only goes forward. Returns 0 or -ENOMEM: then the figures are as before, and nothing is
 * lost.
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
 * Forgets the totals of vCPUs whose process has ended, as @is_gone(pid, start) says; NULL:
 * nobody can tell, so those of vCPUs without exits for ten minutes are forgotten.
 * To be called after a report's samples have been used; what was collected
 * meanwhile is kept for the next one.
 */
void counters__forget(struct counters *c, bool (*is_gone)(__u32 pid, __u64 start));

#endif
