/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Takes samples that were not asked for out of a snapshot */
#ifndef SELECT_H
#define SELECT_H

#include "snapshot/snapshot.h"
#include "vm/selection.h"

struct filter;

/* Keeps what -p, -n, -v, -t and -T name; on a live host the kernel side has done this */
void select__selection(const struct selection *sel, struct snapshot *snap);

/* Keeps the reasons of @f, and adds the exits of all others to `hidden` */
void select__reasons(struct filter *f, struct snapshot *snap);

/* Removes the details of samples whose reason is not in @f, or cannot have any */
void select__details(struct filter *f, struct snapshot *snap);

#endif
