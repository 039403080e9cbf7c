/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The fixed-width table */
#ifndef TABLE_H
#define TABLE_H

#include "report.h"
#include "view.h"

struct table_style {
	struct view view;
	bool timed; /* a time line above each report */
	bool live; /* in place on a terminal: with rates, cut to its height */
	int (*height)(void); /* of the terminal, where live; 0: not known */
};

struct renderer *table__new(const struct table_style *style); /* NULL: no memory */

#endif
