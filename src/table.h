/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The fixed-width table */
#ifndef TABLE_H
#define TABLE_H

#include <stdio.h>

#include "view.h"

struct vms;

struct table {
	enum view view;
	bool timed; /* a time line above each report */
	bool live; /* in place on a terminal: with rates, cut to its height */
	long top; /* rows at most, the rest in one; 0: all */
	int lines; /* of the terminal, where live */
	struct vms *vms; /* for the VMs' names, in views that show them */
};

/*
 * Prints one report to @out. Returns 0 or -ENOMEM; whether the writing
 * succeeded @out knows.
 */
int table__print(FILE *out, const struct table *table, const struct snapshot *snap);

#endif
