/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is told without counting: the lists, and what a terminal is told first */
#ifndef INFO_H
#define INFO_H

struct options;

/* "... for all threads after sleeping 5 secs.", where standard error is a terminal */
void info__banner(const struct options *o);

/* Where there is nothing to be counted, as far as can be told now: why, to a terminal */
void info__tell_idle(const struct options *o);

/* --list-vms and --list-reasons, to standard output: the exit code */
int info__list_vms(const struct options *o);
int info__list_reasons(const struct options *o);

/* --explain without a run */
int info__explain(const struct options *o);

#endif
