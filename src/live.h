/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The live view: the table shown in place, and the keys that change it. It knows no
 * terminal: sequences go where every renderer's text goes, keys are given to it.
 */
#ifndef LIVE_H
#define LIVE_H

#include "table.h"

struct live_style {
	unsigned int known; /* what samples can be told apart by, enum key */
	bool keys; /* there are some: the last line tells of them */
};

/* @table: to begin with; its window is that of the terminal. NULL: no memory */
struct renderer *live__new(const struct table_style *table, const struct live_style *style);

/* What is wanted by who pressed a key */
enum wish {
	WISH_NOTHING,
	WISH_REDRAW,
	WISH_REPORT, /* now */
	WISH_END,
};

/* All that was read at once: what more than one byte stands for comes whole */
enum wish live__press(struct renderer *r, const char *bytes, size_t nr);

/* The last report once more, in a window or view that may be others. 0 or -ENOMEM */
int live__redraw(struct renderer *r, FILE *out);

/* From now on reports change nothing: what was read is what stays */
void live__keep(struct renderer *r);

/* The last report as text, to stay on the screen; "": there was none */
const char *live__text(const struct renderer *r);

#endif
