// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "view.h"

#include <errno.h>
#include <stdlib.h>

#include "options.h"
#include "util.h"

/* What tells rows apart, and their order */
static const struct {
	bool pid, tid, vcpu, reason;
	bool by_count; /* over all rows, not within a thread */
} views[] = {
	[VIEW_ALL] = { .pid = true, .tid = true, .reason = true },
	[VIEW_TIDS] = { .tid = true, .reason = true },
	[VIEW_TID_LIST] = { .tid = true, .reason = true },
	[VIEW_REASONS] = { .reason = true },
	[VIEW_WIDE] = { .pid = true, .tid = true, .vcpu = true, .reason = true },
	[VIEW_LIVE] = { .pid = true, .tid = true, .vcpu = true, .reason = true, .by_count = true },
	[VIEW_VMS] = { .pid = true, .by_count = true },
	[VIEW_VCPUS] = { .pid = true, .vcpu = true, .by_count = true },
};

enum view view__of(const struct options *opts, bool live)
{
	switch (opts->group_by) {
	case GROUP_VM:
		return VIEW_VMS;
	case GROUP_VCPU:
		return VIEW_VCPUS;
	case GROUP_REASON:
		return VIEW_REASONS;
	case GROUP_NONE:
		break;
	}
	if (opts->wide)
		return live ? VIEW_LIVE : VIEW_WIDE;
	if (opts->nr_tids)
		return opts->one_tid ? VIEW_REASONS : VIEW_TID_LIST;
	if (opts->pid)
		return opts->alltids ? VIEW_TIDS : VIEW_REASONS;
	return live ? VIEW_LIVE : VIEW_ALL;
}

static int compare_keys(const struct row *x, const struct row *y)
{
	int order = THREE_WAY(x->pid, y->pid);

	if (!order)
		order = THREE_WAY(x->start, y->start);
	if (!order)
		order = THREE_WAY(x->tid, y->tid);
	return order ? order : THREE_WAY(x->vcpu, y->vcpu);
}

static int compare_reasons(const struct row *x, const struct row *y)
{
	int order = THREE_WAY(x->isa, y->isa);

	return order ? order : THREE_WAY(x->code, y->code);
}

static int by_key(const void *a, const void *b)
{
	int order = compare_keys(a, b);

	return order ? order : compare_reasons(a, b);
}

static int by_thread(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	int order = compare_keys(x, y);

	if (!order)
		order = THREE_WAY(y->count, x->count);
	return order ? order : compare_reasons(x, y);
}

static int by_count(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	int order = THREE_WAY(y->count, x->count);

	return order ? order : by_key(x, y);
}

static void sort_rows(enum view view, struct row *rows, long n)
{
	qsort(rows, n, sizeof(*rows), views[view].by_count ? by_count : by_thread);
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
			.pid = views[view].pid ? s->pid : 0,
			.start = views[view].pid ? s->start : 0,
			.tid = views[view].tid ? s->tid : 0,
			.vcpu = views[view].vcpu ? s->vcpu : 0,
			.isa = views[view].reason ? s->isa : 0,
			.code = views[view].reason ? s->code : 0,
			.count = s->count,
			.comm = s->comm,
		};
	}
	qsort(r, snap->nr_samples, sizeof(*r), by_key);
	for (i = 0; i < snap->nr_samples; i++) {
		if (n && !by_key(&r[n - 1], &r[i]))
			r[n - 1].count += r[i].count;
		else
			r[n++] = r[i];
	}
	sort_rows(view, r, n);
	*rows = r;
	return n;
}

long view__cut(enum view view, struct row *rows, long n, long top, __u64 *rest)
{
	long i;

	*rest = 0;
	if (n <= top)
		return n;
	qsort(rows, n, sizeof(*rows), by_count);
	for (i = top; i < n; i++)
		*rest += rows[i].count;
	sort_rows(view, rows, top);
	return top;
}
