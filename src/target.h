/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the filters name: whether it is there, a VM's, and whether it has ended */
#ifndef TARGET_H
#define TARGET_H

#include <stdbool.h>

struct options;

/*
 * Checks what -p, -v, -t and -T name, and notes in @opts when that was started.
 * Returns 0, or the exit code, the reason having been told.
 */
int target__check(struct options *opts);

/* Whether the process has ended that the filters name, or all threads have */
bool target__has_ended(const struct options *opts);
void target__tell_end(const struct options *opts);

#endif
