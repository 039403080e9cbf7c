/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The memory that the BPF programs and user space share: the probe makes it, counters read it */
#ifndef SHARED_H
#define SHARED_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "kvmexit.h"

/* Memory shared with the kernel (kvmexit.h): each has an element for each slot */
struct shared {
	void *slots; /* use shared__slot(), shared__clock() and shared__details() */
	struct layout layout;
	__u64 *owned; /* by slot: whether it has an owner */
	__u64 *ring;
	struct control *control;
	/*
	 * Waits until all runs of the BPF program that began before have ended. 0, or
	 * -errno: this kernel cannot do that.
	 */
	int (*quiesce)(void);
	/*
	 * Whether a thread has ended. NULL: that cannot be known. Used with clocks only.
	 */
	bool (*is_gone)(__u32 pid, __u32 tid);
	/* By ISA (from ISA_VMX on) and counter: whether its exits have details */
	__u8 detailed[3][NR_COUNTERS];
};

static inline struct slot *shared__slot(const struct shared *s, __u32 nr)
{
	return (struct slot *)((char *)s->slots + (size_t)nr * s->layout.stride);
}

/* NULL: without --time */
static inline struct clock *shared__clock(const struct shared *s, __u32 nr)
{
	return s->layout.timed ? (struct clock *)(shared__slot(s, nr) + 1) : NULL;
}

/* NULL: without --detail */
static inline struct details *shared__details(const struct shared *s, __u32 nr)
{
	char *slot = (char *)shared__slot(s, nr);

	return s->layout.details ? (struct details *)(slot + s->layout.details) : NULL;
}

/* The exit reason that counter @i of an ISA stands for (kvmexit.h) */
static inline __u32 counter__code(const struct control *control, __u32 i)
{
	if (i < NR_LOW)
		return i;
	if (i < NR_LOW + NR_HIGH)
		return i - NR_LOW + HIGH_BASE;
	return control->extra[i - NR_LOW - NR_HIGH];
}

#endif
