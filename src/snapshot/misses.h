/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Events for which the kernel did not run a BPF program, because the same program was
 * running on that CPU already, and what that makes uncertain
 */
#ifndef MISSES_H
#define MISSES_H

#include <linux/types.h>
#include <stddef.h>

enum unsure {
	UNSURE_EXITS, /* they are lost, too: LOST_MISSED */
	UNSURE_TIMES,
	UNSURE_DETAILS,
	NR_UNSURE,
};

struct misses {
	__u64 count[NR_UNSURE]; /* events */
	unsigned int unknown; /* bits 1 << enum unsure: their number could not be read */
};

extern const char *const unsure_names[NR_UNSURE]; /* in records and messages */

/* Adds events of one program to all that they make uncertain: @what, bits 1 << enum unsure */
void misses__add(struct misses *m, unsigned int what, __u64 events);

/* Takes newer sums: a number only grows, and stays as it is where it could not be read */
void misses__update(struct misses *m, const struct misses *newer);

/*
 * "times 12, details unknown": without exits whose number is known, as records tell them
 * in another place. Empty: nothing is uncertain.
 */
#define MISSES_ROOM 96
void misses__format(char text[MISSES_ROOM], const struct misses *m);
void misses__parse(struct misses *m, const char *text); /* the same text */

#endif
