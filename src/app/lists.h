/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What kvmexit prints without counting: the lists, and the first messages to a terminal */
#ifndef LISTS_H
#define LISTS_H

#include <stddef.h>

struct options;

/* "... for all threads after sleeping 5 secs.", where standard error is a terminal */
void info__banner(const struct options *o);

/*
 * How many VMs there are before counting begins; 0: none, or not known. If there seems to be
 * nothing to count now, tells a terminal why.
 */
size_t info__look_around(const struct options *o);

/* At the end of a run without a single exit, though there were VMs */
void info__tell_silence(size_t vms, const char *modules);

/* --list-vms and --list-reasons, to standard output: the exit code */
int info__list_vms(const struct options *o);
int info__list_reasons(const struct options *o);

/* --explain without a run */
int info__explain(const struct options *o);

#endif
