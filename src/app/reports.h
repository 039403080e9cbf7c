/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which reports the options ask for */
#ifndef REPORTS_H
#define REPORTS_H

#include "snapshot/keys.h"

struct options;

/* The table's view; @live: shown in place on a terminal */
struct view reports__view(const struct options *opts, bool live);

/* -j: the keys of its records; 0: those of the samples */
unsigned int reports__record_keys(const struct options *opts);

/* --time: the keys of the table of all time that comes first; 0: there is no such table */
unsigned int reports__summary(const struct options *opts);

#endif
