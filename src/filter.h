/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* -r: which reasons are reported; --detail: of which there are details */
#ifndef FILTER_H
#define FILTER_H

#include "snapshot.h"

/*
 * @list: names of reasons, separated by commas, in any case, * for any characters;
 * with ! in front: not these. Where all have a !, all others are kept.
 */
struct filter;

/*
 * Returns 0 and *@out, -ENOMEM, or -EINVAL and in @why what is wrong with the list.
 */
int filter__new(struct filter **out, const char *list, char *why, size_t size);
void filter__free(struct filter *f);

bool filter__keeps(struct filter *f, __u32 isa, __u32 code);

struct named_detail;

/* Whether a reason that is kept can have it */
bool filter__wants(struct filter *f, const struct named_detail *named);

/* Of samples whose reason is not kept, or cannot have any, no detail is told */
void filter__detail(struct filter *f, struct snapshot *snap);

/* Moves what the filter leaves out from the samples to `hidden` */
void filter__apply(struct filter *f, struct snapshot *snap);

#endif
