/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* -r: which reasons are reported; --detail: which reasons get details */
#ifndef REASON_FILTER_H
#define REASON_FILTER_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * A list has names of reasons, separated by commas, in any case, with * for any
 * characters, as kvmexit, the kernel or perf spell them (reason__translate()), or codes
 * ("119", "0x77"). One with ! in front is left out; if all have a !, all others are kept.
 */
struct filter;

/*
 * Returns 0 and *@out, -ENOMEM, or -EINVAL and in @why what is wrong with the list.
 */
int filter__new(struct filter **out, const char *list, char *why, size_t size);
void filter__free(struct filter *f);

bool filter__keeps(struct filter *f, __u32 isa, __u32 code);

struct named_detail;

/* Whether any reason that is kept can have this detail */
bool filter__wants(struct filter *f, const struct named_detail *named);

#endif
