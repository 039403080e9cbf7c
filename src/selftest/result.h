/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a self-test found, and how it is printed */
#ifndef RESULT_H
#define RESULT_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "snapshot/run.h"

enum verdict {
	VERDICT_NONE, /* it was not tried, or could not be */
	VERDICT_EXACT,
	VERDICT_WRONG,
};

/* A reason for which the guest exits, and how often */
struct made {
	const char *what; /* what the guest does for it; "" after the first reason of this */
	const char *reason; /* "CPUID" */
	__u64 times;
	bool least; /* there may be more, by first touches of memory and by NMIs */
};

#define MAX_MADE 10
#define MAX_TRIALS 12
#define MAX_PAIRS 9

/* What an exit took without and with the probe, in turn; ns */
struct cost {
	double without[MAX_PAIRS], with[MAX_PAIRS];
	size_t pairs;
};

/* One way to count, and what came of it */
struct trial {
	const char *probe;
	bool time; /* with --time */
	bool detail; /* with --detail */
	enum verdict verdict;
	char why[112]; /* why it could not be tried, or what was wrong first */
	__u64 counted[MAX_MADE]; /* of what was made */
	__u64 behind[MAX_MADE]; /* with detail: of what was behind it */
	__u64 others; /* interrupts and the like */
	__u64 exits; /* all that was counted */
	__u64 kvm; /* by KVM's own count; 0: it has none */
	__u64 lost;
	/* With time: exits = timed + untimed + open; ns, of all vCPUs */
	__u64 timed, untimed, open, wall, parts;
	struct cost cost;
};

struct findings {
	const struct run *run;
	char cpu[49]; /* its model */
	char vendor[16];
	char modules[33]; /* KVM's modules that are loaded, besides kvm itself */
	struct made made[MAX_MADE];
	size_t nr_made;
	struct made
		behind[MAX_MADE]; /* with --detail: `reason` is the text of what was behind it */
	size_t nr_behind;
	int vcpus;
	struct trial trials[MAX_TRIALS];
	size_t nr_trials;
	const char *quickest; /* the reason whose exits were timed */
	enum verdict verdict;
	char why[200]; /* why nothing could be tried at all */
};

/* Median and the middle half of what counting adds to an exit; ns */
struct spread {
	double low, median, high;
};

double cost__base(const struct cost *cost); /* median without the probe */
struct spread cost__added(const struct cost *cost);

void findings__print(FILE *out, const struct findings *f);

/* A `selftest` record for each trial, or one that says why there is none; 0 or -ENOMEM */
int findings__print_records(FILE *out, const struct findings *f);

#endif
