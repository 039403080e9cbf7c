/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The columns of a table: which there are, how wide they are, their lines */
#ifndef COLUMNS_H
#define COLUMNS_H

#include <stdio.h>

#include "fields.h"

/* Of the replaced tool's views, and of ours */
enum alignment {
	LEFT, /* all; widths are minimums, so that they stay from one table to the next */
	NUMBERS_RIGHT, /* and widths are those of what is shown, if that is more */
};

struct column {
	enum field field;
	const struct measure_kind *measure; /* NULL: the field */
	const char *header;
	int handy; /* to no less than that a text is cut while columns can be left out */
	int least; /* its width at least, in characters as terminals count them */
	int filled; /* by what is to be shown in it */
	int needed; /* and by its head */
	int width;
	int rank; /* where not all find room, those with more are left out first */
	bool right; /* aligned */
};

#define MAX_COLUMNS (NR_FIELDS + NR_MEASURES)

struct columns {
	size_t nr;
	struct column columns[MAX_COLUMNS];
};

/* Those that rows of @kind have in this view. @live: those of tables shown in place too */
void columns__choose(struct columns *c, const struct view *view, enum kind kind, bool live,
		     enum alignment alignment);

/* Makes them as wide as these rows need */
void columns__measure(struct columns *c, const struct snapshot *snap, const struct sample *rows,
		      size_t nr);

/*
 * Makes them fit into @width, 0: any: first without room to spare, then texts are cut,
 * heads before what is below them, names of details before others, then columns left
 * out, but PIDs only where these rows' VMs can be told apart without.
 */
void columns__fit(struct columns *c, int width, const struct snapshot *snap,
		  const struct sample *rows, size_t nr);

/* A line, @row NULL: the head. No line ends in blanks. */
void columns__print(FILE *out, const struct columns *c, const struct snapshot *snap,
		    const struct sample *row);

/* Whether any text or ID in a row told apart by @keys has @part in it, in any case */
bool columns__contain(const struct sample *row, const struct snapshot *snap, unsigned int keys,
		      const char *part);

/* What a table says of a field; for terminals */
const char *columns__text(enum field field, const struct sample *row, const struct snapshot *snap,
			  char buf[FIELD_SIZE]);

#endif
