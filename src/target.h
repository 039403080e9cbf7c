/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the filters name: whether it is there, and a VM's */
#ifndef TARGET_H
#define TARGET_H

struct options;

/*
 * Checks what -p, -v, -t and -T name. Returns 0, or the exit code, the reason
 * having been told.
 */
int target__check(const struct options *opts);

#endif
