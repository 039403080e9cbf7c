// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "view.h"

#include <errno.h>
#include <stdlib.h>

#include "options.h"
#include "util.h"

enum view view__of(const struct options *opts)
{
	if (opts->nr_tids)
		return opts->one_tid ? VIEW_REASONS : VIEW_TID_LIST;
	if (opts->pid)
		return opts->alltids ? VIEW_TIDS : VIEW_REASONS;
	return VIEW_ALL;
}

static int compare_threads(const struct row *x, const struct row *y)
{
	int order = THREE_WAY(x->pid, y->pid);

	return order ? order : THREE_WAY(x->tid, y->tid);
}

static int compare_reasons(const struct row *x, const struct row *y)
{
	int order = THREE_WAY(x->isa, y->isa);

	return order ? order : THREE_WAY(x->code, y->code);
}

static int by_key(const void *a, const void *b)
{
	int order = compare_threads(a, b);

	return order ? order : compare_reasons(a, b);
}

static int by_count(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	int order = compare_threads(x, y);

	if (!order)
		order = THREE_WAY(y->count, x->count);
	return order ? order : compare_reasons(x, y);
}

long view__rows(enum view view, const struct snapshot *snap, struct row **rows)
{
	struct row *r = calloc(snap->nr_samples + 1, sizeof(*r));
	size_t i, n = 0;

	if (!r)
		return -ENOMEM;
	for (i = 0; i < snap->nr_samples; i++) {
		const struct sample *s = &snap->samples[i];

		r[i] = (struct row){
			.pid = view == VIEW_ALL ? s->pid : 0,
			.tid = view == VIEW_REASONS ? 0 : s->tid,
			.isa = s->isa,
			.code = s->code,
			.count = s->count,
		};
	}
	qsort(r, snap->nr_samples, sizeof(*r), by_key);
	for (i = 0; i < snap->nr_samples; i++) {
		if (n && !by_key(&r[n - 1], &r[i]))
			r[n - 1].count += r[i].count;
		else
			r[n++] = r[i];
	}
	qsort(r, n, sizeof(*r), by_count);
	*rows = r;
	return n;
}
