/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The other source of snapshots besides the live host: records that runs of kvmexit wrote,
 * of any version, run and host, and in any condition.
 */
#ifndef RECORDING_H
#define RECORDING_H

#include "snapshot/snapshot.h"

struct recording;

/* What is wrong with a recording; -f says all of it */
struct faults {
	__u64 lines; /* lines that are not records: torn, or from another program */
	__u64 first_line; /* the first of these, from 1 */
	__u64 missing; /* intervals, by gaps in seq */
	__u64 repeated; /* intervals that are there twice or out of order: left out */
	__u64 doubled; /* records that are there twice in their interval: left out */
	__u64 incomplete; /* intervals without all of their records */
	__u64 gone; /* the records that these lack */
	__u64 wrong; /* intervals whose counts do not add up to their exits */
	__u64 orphans; /* records whose interval record is missing: left out */
	__u64 rest; /* exits in rest records: --top cut their rows */
	__u64 details; /* records whose detail cannot be read: it becomes unknown */
	__u64 timed; /* records with times; only their counts are read */
};

/* @path ("-": standard input) must outlive it. NULL: it cannot be read, *@err is -errno. */
struct recording *recording__open(const char *path, int *err);
void recording__free(struct recording *r);
int recording__fd(const struct recording *r);

/* Shows on standard error how far reading has come */
void recording__show_progress(struct recording *r);

/*
 * Reads the next complete interval into @snap. @snap must be 0, or have been used for the
 * interval before the last one. The VMs and the run are valid as long as the recording.
 * *@keys: what its samples can be told apart by (enum key); without KEY_VM they have no VM.
 * Returns 1; 0: there are no more intervals; or -errno.
 */
int recording__next(struct recording *r, struct snapshot *snap, unsigned int *keys);

/* After the end */
const struct faults *recording__faults(const struct recording *r);

#endif
