/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The process or threads that the filters name: do they exist, are they a VM's, have they ended */
#ifndef TARGET_H
#define TARGET_H

#include <stdbool.h>

struct options;

/*
 * Checks what -p, -v, -t and -T name, and notes in @opts when it was started. Returns 0,
 * or prints what is wrong and returns the exit code.
 */
int target__check(struct options *opts);

/*
 * Whether PIDs are the host's (process__sees_host_pids()); if not, complains that @what
 * ("--vms lists") cannot be had without.
 */
bool target__needs_host_pids(const char *what);

/* Whether the process has ended that the filters name, or all threads have */
bool target__has_ended(const struct options *opts);
void target__tell_end(const struct options *opts);

#endif
