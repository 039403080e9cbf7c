/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The columns of a table: which there are, how wide they are, their lines */
#ifndef COLUMNS_H
#define COLUMNS_H

#include <stdio.h>

#include "rows/fields.h"

/* LEFT is for the views of the tool that kvmexit replaces, NUMBERS_RIGHT for our own */
enum alignment {
	LEFT, /* all columns; widths are fixed minimums, the same from one table to the next */
	NUMBERS_RIGHT, /* and columns grow to the width of what they show */
};

struct column {
	enum field field;
	const struct measure_kind *measure; /* NULL: the field */
	const char *header;
	int handy; /* texts are cut down to this before any column is left out */
	int least; /* its smallest width, in characters as terminals count them */
	int filled; /* the width that its contents need */
	int needed; /* the width that contents and head need */
	int width;
	int rank; /* if not all columns fit, those with a higher rank are left out first */
	bool right; /* aligned to the right */
};

#define MAX_COLUMNS (NR_FIELDS + NR_MEASURES)

struct columns {
	size_t nr;
	struct column columns[MAX_COLUMNS];
};

/* Chooses the columns that rows of @kind have in this view. @live: the table is shown in place */
void columns__choose(struct columns *c, const struct view *view, enum kind kind, bool live,
		     enum alignment alignment);

/* Makes the columns as wide as these rows need */
void columns__measure(struct columns *c, const struct snapshot *snap, const struct sample *rows,
		      size_t nr);

/*
 * Makes the columns fit into @width (0: any width). First it takes away spare room. Then
 * it cuts texts: heads before what is below them, names of details before other texts.
 * Then it leaves columns out, but PIDs only if these rows' VMs can be told apart without.
 */
void columns__fit(struct columns *c, int width, const struct snapshot *snap,
		  const struct sample *rows, size_t nr);

/* Prints a line; @row NULL: the head. No line ends in blanks. */
void columns__print(FILE *out, const struct columns *c, const struct snapshot *snap,
		    const struct sample *row);

/* Whether any text or ID in a row told apart by @keys has @part in it, in any case */
bool columns__contain(const struct sample *row, const struct snapshot *snap, unsigned int keys,
		      const char *part);

/* What a table says of a field; for terminals */
const char *columns__text(enum field field, const struct sample *row, const struct snapshot *snap,
			  char buf[FIELD_SIZE]);

#endif
