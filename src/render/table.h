/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The fixed-width table */
#ifndef TABLE_H
#define TABLE_H

#include "render/renderer.h"
#include "rows/fields.h"
#include "snapshot/keys.h"

struct window;

struct table_style {
	struct view view;
	/* --time: the keys of a second table above, which has all of the time; 0: no such table */
	unsigned int summary;
	bool times; /* --time */
	bool timed; /* a time line above each report */
	bool live; /* shown in place on a terminal: with rates, cut to its columns */
	bool cut; /* cut tables to the terminal's lines */
	const struct window *window; /* the terminal, as it is at each report; NULL: none */
};

struct renderer *table__new(const struct table_style *style); /* NULL: no memory */

/* Takes another style from the next report on. 0, or -ENOMEM: nothing has changed */
int table__restyle(struct renderer *r, const struct table_style *style);

/* The kind of the table's rows, which decides its columns */
enum kind table__kind(const struct table_style *style);

#endif
