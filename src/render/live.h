/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The live view: the table shown in place, and the keys that change it. It does not know
 * the terminal: it writes sequences to a FILE as every renderer does, and is given the keys.
 */
#ifndef LIVE_H
#define LIVE_H

#include "render/table.h"

struct live_style {
	unsigned int known; /* what samples can be told apart by, enum key */
	bool keys; /* keys can be pressed: the last line lists them */
};

/* @table: the style at the start; its window is the terminal's. NULL: no memory */
struct renderer *live__new(const struct table_style *table, const struct live_style *style);

/* What the user wants by pressing a key */
enum wish {
	WISH_NOTHING,
	WISH_REDRAW,
	WISH_REPORT, /* now */
	WISH_END,
};

/* Handles all bytes that were read at once: a key of several bytes must be complete */
enum wish live__press(struct renderer *r, const char *bytes, size_t nr);

/* Draws the last report again, maybe in another window size or view. 0 or -ENOMEM */
int live__redraw(struct renderer *r, FILE *out);

/* From now on reports change nothing: the last one shown stays */
void live__keep(struct renderer *r);

/* The last report as text, to stay on the screen; "": there was none */
const char *live__text(const struct renderer *r);

#endif
