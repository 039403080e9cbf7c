/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Why exits were not counted: the causes of enum lost (kvmexit.h), and one more */
#ifndef LOST_H
#define LOST_H

#include <stddef.h>

#include "kvmexit.h"

enum {
	LOST_MISSED = NR_LOST, /* the program was not run: bpf_prog_info.recursion_misses */
	NR_CAUSES,
};

extern const struct cause {
	const char *name; /* in records */
	const char *why; /* in messages */
} causes[NR_CAUSES];

#endif
