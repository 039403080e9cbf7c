/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A source of snapshots beside the live host: the records that runs of kvmexit wrote,
 * of any version, run and host, in whatever state they are.
 */
#ifndef RECORDING_H
#define RECORDING_H

#include "snapshot.h"

struct recording;

/* What is wrong with a recording; all of it is told by recording__tell() */
struct faults {
	__u64 lines; /* that are no records: torn, or somebody else's */
	__u64 first_line; /* the first of these, from 1 */
	__u64 missing; /* intervals, by gaps in seq */
	__u64 repeated; /* intervals that are there again or out of order: left out */
	__u64 incomplete; /* intervals without all of their records */
	__u64 gone; /* the records that these lack */
	__u64 wrong; /* intervals whose counts do not add up to their exits */
	__u64 orphans; /* records whose interval record is not there: left out */
	__u64 rest; /* exits that rest records have: of what is not recorded */
	__u64 details; /* records with one that cannot be read: it is unknown */
	__u64 timed; /* records with times, of which the counts are taken alone */
};

/* @path: "-": standard input; outlives it. NULL and *@err -errno: it cannot be read. */
struct recording *recording__open(const char *path, int *err);
void recording__free(struct recording *r);
int recording__fd(const struct recording *r);

/* On standard error, how far it has come */
void recording__show_progress(struct recording *r);

/*
 * The next interval that is complete, into @snap: one that was 0, or is the last but
 * one. Its VMs and run are valid as long as the recording is. *@keys: what its samples
 * can be told apart by (enum key); without KEY_VM they have none. 1; 0: there is none
 * any more; or -errno.
 */
int recording__next(struct recording *r, struct snapshot *snap, unsigned int *keys);

/* After the end */
const struct faults *recording__faults(const struct recording *r);
void recording__tell(const struct recording *r);

#endif
