/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is made from each snapshot: any number of outputs, each of its own kind */
#ifndef RENDERER_H
#define RENDERER_H

#include <stdio.h>

#include "snapshot/snapshot.h"

/*
 * Makes text from snapshots. It knows only these and a FILE: no BPF, no clock, no globals.
 * The object is what table__new(), json__new() and so on return.
 */
struct renderer {
	/* One report: 0 or -ENOMEM. Errors of writing are in @out. */
	int (*print)(struct renderer *r, FILE *out, const struct snapshot *snap);
	/* The next report goes to a new file; NULL: that makes no difference */
	void (*restart)(struct renderer *r);
	void (*free)(struct renderer *r);
};

/* A renderer and where its reports go */
struct report {
	struct renderer *renderer; /* owned */
	int (*write)(void *to, const char *text, size_t size); /* in one piece; 0 or -errno */
	void *to;
};

/*
 * Gives a snapshot to each of @nr outputs. 0, or -errno of the first that failed; then
 * *@failed is its number, or @nr if there was no memory.
 */
int reports__print(const struct report *reports, size_t nr, const struct snapshot *snap,
		   size_t *failed);
void reports__restart(const struct report *reports, size_t nr);
void reports__free(const struct report *reports, size_t nr);

#endif
