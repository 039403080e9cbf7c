/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the guest of a self-test does, and whether the counts agree with it */
#ifndef EXPECT_H
#define EXPECT_H

#include "selftest/result.h"

struct deed;
struct plan;
struct snapshot;
struct stage;

/* Writes what the guest has to do into @plan, and by reason into @f */
const struct deed *trial__plan(struct findings *f, struct plan *plan, const char *isa);

/*
 * Compares what was counted until @now (CLOCK_MONOTONIC) with what the guest did. Its threads
 * must still exist. Fills in the verdict and all figures of @t.
 */
void trial__check(struct trial *t, const struct deed *deeds, const struct stage *stage,
		  const struct snapshot *snap, __u64 now);

/* Notes a mistake; only the first one is reported */
void trial__mistake(struct trial *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
