/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From a snapshot to the rows of a table: collapse, sort */
#ifndef VIEW_H
#define VIEW_H

#include "snapshot.h"

struct options;

enum view {
	VIEW_ALL, /* PID, TID, reason */
	VIEW_TIDS, /* one VM's threads: TID, reason */
	VIEW_TID_LIST, /* threads asked for: TID, reason */
	VIEW_REASONS, /* reason */
};

struct row {
	__u32 pid; /* 0 where the view does not tell it apart */
	__u32 tid;
	__u32 isa;
	__u32 code;
	__u64 count;
};

enum view view__of(const struct options *opts);

/*
 * The rows of @snap, owned by the caller (free()): by PID and TID, within one
 * the most frequent reason first. Returns their number or -ENOMEM.
 */
long view__rows(enum view view, const struct snapshot *snap, struct row **rows);

#endif
