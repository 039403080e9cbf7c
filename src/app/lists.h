/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What kvmexit prints without counting: the lists, and the first messages to a terminal */
#ifndef LISTS_H
#define LISTS_H

struct options;

/* "... for all threads after sleeping 5 secs.", where standard error is a terminal */
void info__banner(const struct options *o);

/* If there seems to be nothing to count now, tells a terminal why */
void info__tell_idle(const struct options *o);

/* --list-vms and --list-reasons, to standard output: the exit code */
int info__list_vms(const struct options *o);
int info__list_reasons(const struct options *o);

/* --explain without a run */
int info__explain(const struct options *o);

#endif
