/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From a snapshot to the rows of a table: collapse, sort, cut */
#ifndef VIEW_H
#define VIEW_H

#include "snapshot.h"

struct options;

enum view {
	VIEW_ALL, /* PID, TID, reason */
	VIEW_TIDS, /* one VM's threads: TID, reason */
	VIEW_TID_LIST, /* threads asked for: TID, reason */
	VIEW_REASONS, /* reason */
	VIEW_WIDE, /* PID, TID, vCPU, reason, with the VM's name */
	VIEW_LIVE, /* the same, most active first */
	VIEW_VMS, /* PID, most active first */
	VIEW_VCPUS, /* PID and vCPU, most active first */
};

struct row {
	__u32 pid; /* 0 where the view does not tell it apart, and so on */
	__u32 tid;
	__u32 isa;
	__u32 code;
	__u64 count;
	__u32 vcpu;
	__u64 start; /* of the process, with pid */
	const char *comm; /* of a thread among those collapsed */
};

/* @live: shown in place on a terminal */
enum view view__of(const struct options *opts, bool live);

/*
 * The rows of @snap, owned by the caller (free()): by PID and TID, within one
 * the most frequent reason first. Returns their number or -ENOMEM.
 */
long view__rows(enum view view, const struct snapshot *snap, struct row **rows);

/*
 * Leaves the @top most frequent of @n rows, in the view's order. Returns the
 * number left; what the others counted is in *@rest.
 */
long view__cut(enum view view, struct row *rows, long n, long top, __u64 *rest);

#endif
