/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the guest of a self-test does, and whether that is what was counted */
#ifndef TRIAL_H
#define TRIAL_H

#include "findings.h"

struct deed;
struct plan;
struct snapshot;
struct stage;

/* What such a guest is to do, into @plan, and into @f by reason */
const struct deed *trial__plan(struct findings *f, struct plan *plan, const char *isa);

/*
 * Holds what was counted until @now (CLOCK_MONOTONIC) against what the guest made, and
 * its threads still there: the verdict, and all figures of @t.
 */
void trial__check(struct trial *t, const struct deed *deeds, const struct stage *stage,
		  const struct snapshot *snap, __u64 now);

/* Something is wrong; the first such is what is told */
void trial__mistake(struct trial *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
