/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From samples to rows: collapse, sort, cut */
#ifndef GROUPS_H
#define GROUPS_H

#include "snapshot/keys.h"
#include "snapshot/snapshot.h"

/*
 * The rows of one output. They stay from one interval to the next, so that their
 * totals count from the start. For each interval call groups__next(), groups__add() as
 * often as needed, then groups__sort().
 */
struct groups;

struct groups *groups__new(unsigned int keys); /* enum key; NULL: no memory */
void groups__free(struct groups *g);

/* For rows whose times are not shown: times are not added up and not sorted by */
void groups__count_only(struct groups *g);

/*
 * A new interval: all counts are 0. Rows of VMs that have ended are gone; if there are very
 * many rows of details, those without exits in the last interval become `other`.
 */
void groups__next(struct groups *g);

/*
 * Drops rows whose VMs had ended by @time (CLOCK_REALTIME in ns). For groups that sum up
 * everything from the start, and so never call groups__next().
 */
void groups__drop(struct groups *g, __u64 time);

/* Forgets all rows */
void groups__clear(struct groups *g);

/* Adds samples, in any order: 0 or -ENOMEM. Their VMs are kept as long as the rows. */
int groups__add(struct groups *g, const struct sample *samples, size_t nr);

/* The row that a sample was added to, or would be; NULL: there is none yet */
const struct sample *groups__row(const struct groups *g, const struct sample *sample);

/* Valid until the next call for the same groups */
struct rows {
	struct sample *rows;
	size_t nr;
	size_t cut; /* rows left out for the sake of view->top */
	struct sample rest; /* and their sum */
};

/*
 * The rows that counted anything in this interval, most first or in the order that
 * @view wants. 0 or -ENOMEM.
 */
int groups__sort(struct groups *g, const struct view *view, struct rows *rows);

/* All rows, also those of earlier intervals, in no order */
struct sample *groups__all(struct groups *g, size_t *nr);

/* Three-way: by VM, thread, vCPU, whatever the reason */
int groups__compare_keys(const struct sample *a, const struct sample *b);

#endif
