// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The format is Prometheus' text format, version 0.0.4, which node_exporter reads: TYPE
 * names a counter by its whole name, with _total. UNIT and EOF are comments there, and
 * Prometheus' own reader of OpenMetrics accepts the same file with them. A strict reader
 * of OpenMetrics wants TYPE without _total, but then node_exporter would see counters
 * without a type.
 */
#include "render/metrics.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/util.h"
#include "names/details.h"
#include "rows/fields.h"
#include "rows/groups.h"
#include "snapshot/run.h"
#include "vm/vm.h"

/* A VM that has ended is left out after this time; by then it was scraped more than once */
#define GRACE (300 * NSEC_PER_SEC)

struct metrics {
	struct renderer renderer;
	struct metrics_style style;
	struct groups *groups;
	/* With details: the rows of this interval, and how many series each reason has */
	struct groups *now;
	struct groups *whole;
	__u64 created; /* when all counters were 0, CLOCK_REALTIME in ns */
	__u64 lost; /* exits since then */
	struct sample *sorted;
	size_t room;
};

static void print_head(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP kvmexit_%s %s\n# TYPE kvmexit_%s %s\n", name, help, name, type);
}

static void print_time(FILE *out, const char *name, const char *help, __u64 ns)
{
	print_head(out, name, "gauge", help);
	fprintf(out, "kvmexit_%s %llu.%03llu\n", name, ns / NSEC_PER_SEC,
		ns / NSEC_PER_MSEC % 1000);
}

/* Three characters are escaped, all others stand for themselves */
static void print_label(FILE *out, const char *key, const char *value, const char **before)
{
	fprintf(out, "%s%s=\"", *before, key);
	for (; *value; value++) {
		if (*value == '\n') {
			fputs("\\n", out);
			continue;
		}
		if (*value == '\\' || *value == '"')
			putc('\\', out);
		putc(*value, out);
	}
	putc('"', out);
	*before = ",";
}

static void print_row(FILE *out, const struct metrics *m, const char *name,
		      const struct sample *row, const struct snapshot *snap)
{
	const char *before = "{";
	char buf[FIELD_SIZE];
	size_t i;

	fprintf(out, "kvmexit_%s_total", name);
	if (m->style.nodes && row->vm)
		print_label(out, "node", row->vm->node, &before);
	for (i = 0; i < NR_FIELDS; i++) {
		const struct field_kind *f = &fields[i];

		/* The code is left out: it says no more than its reason's name */
		if (i == FIELD_CODE || !field__is_in(i, m->style.keys))
			continue;
		if (f->number)
			snprintf(buf, sizeof(buf), "%llu", f->number(row));
		print_label(out, f->key, f->number ? buf : f->text(row, snap, buf), &before);
	}
	fputs("} ", out);
}

/* The order of labels, three-way; 0: both would be the same time series */
static int compare_labels(const struct sample *x, const struct sample *y)
{
	int order = 0;

	if (x->vm && y->vm && x->vm != y->vm) {
		order = strcmp(x->vm->node, y->vm->node);
		if (!order)
			order = THREE_WAY(x->vm->pid, y->vm->pid);
		if (!order)
			order = strcmp(x->vm->name, y->vm->name);
	}
	if (!order)
		order = THREE_WAY(x->vcpu, y->vcpu);
	if (!order)
		order = THREE_WAY(x->tid, y->tid);
	if (!order)
		order = THREE_WAY(x->isa, y->isa);
	if (!order)
		order = THREE_WAY(x->code, y->code);
	return order ? order : THREE_WAY(x->detail, y->detail);
}

/* By labels; of two rows with the same labels, the one of the younger VM comes first */
static int by_labels(const void *a, const void *b)
{
	const struct sample *x = a, *y = b;
	int order = compare_labels(x, y);

	return order ? order : vm__compare(y->vm, x->vm);
}

/*
 * Sorts the rows by their labels and keeps each time series once: if a new VM of the same
 * name got the PID of an old one, it keeps the younger's. 0 or -ENOMEM.
 */
static int sort_rows(struct metrics *m, size_t *nr)
{
	size_t all, i, n = 0;
	const struct sample *rows = groups__all(m->groups, &all);

	if (all > m->room) {
		struct sample *grown = reallocarray(m->sorted, all, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		m->sorted = grown;
		m->room = all;
	}
	for (i = 0; i < all; i++)
		m->sorted[i] = rows[i];
	if (all)
		qsort(m->sorted, all, sizeof(*m->sorted), by_labels);
	for (i = 0; i < all; i++)
		if (!n || compare_labels(&m->sorted[n - 1], &m->sorted[i]))
			m->sorted[n++] = m->sorted[i];
	*nr = n;
	return 0;
}

static void print_value(FILE *out, __u64 value, bool seconds)
{
	if (seconds)
		fprintf(out, "%llu.%09llu\n", value / NSEC_PER_SEC, value % NSEC_PER_SEC);
	else
		fprintf(out, "%llu\n", value);
}

static int print_measures(FILE *out, struct metrics *m, const struct snapshot *snap)
{
	size_t nr = 0, i, k;
	int err = sort_rows(m, &nr);
	char name[32];
	bool seconds;

	for (i = 0; i < NR_MEASURES; i++) {
		const struct measure_kind *kind = &measures[i];

		if (!kind->metric || !(kind->kinds & (m->style.times ? TIMED : COUNTED)) ||
		    kind->needs & snap->untold)
			continue;
		snprintf(name, sizeof(name), "%s_total", kind->metric);
		print_head(out, name, "counter", kind->help);
		seconds = !strcmp(kind->unit, "ns");
		fprintf(out, "# UNIT kvmexit_%s %s\n", kind->metric,
			seconds ? "seconds" : kind->unit);
		for (k = 0; k < nr; k++) {
			print_row(out, m, kind->metric, &m->sorted[k], snap);
			print_value(out, kind->value(&m->sorted[k], snap), seconds);
		}
	}
	return err;
}

static void print_info(FILE *out, const struct run *run)
{
	const char *before = "{";

	print_head(out, "build_info", "gauge", "Which kvmexit counts, and how");
	fputs("kvmexit_build_info", out);
	print_label(out, "version", run->version, &before);
	print_label(out, "probe", run->probe, &before);
	print_label(out, "node", run->node, &before);
	fputs("} 1\n", out);
}

/* The most time series of details that a reason (or another row of -g) gets */
#define MOST_DETAILS 16

/* A detail that once has a series keeps it, because counters must not go back */
static int get_series(struct metrics *m, struct sample *row)
{
	enum detail_kind kind = detail__kind(row->detail);
	struct sample one = *row;
	const struct sample *whole;

	if (kind == DETAIL_UNKNOWN || kind == DETAIL_SPECIAL || groups__row(m->groups, row))
		return 0;
	whole = groups__row(m->whole, row);
	if (whole && whole->count == MOST_DETAILS) {
		row->detail = DETAIL_OTHER;
		return 0;
	}
	one.count = 1;
	one.times = NULL;
	return groups__add(m->whole, &one, 1);
}

/* The most frequent details get series first; those that get none are in the series `other` */
static int add_details(struct metrics *m, const struct snapshot *snap)
{
	const struct view most_first = { .keys = m->style.keys };
	struct rows rows;
	size_t i;
	int err;

	groups__clear(m->now);
	err = groups__add(m->now, snap->samples, snap->nr_samples);
	if (!err)
		err = groups__sort(m->now, &most_first, &rows);
	for (i = 0; !err && i < rows.nr; i++) {
		err = get_series(m, &rows.rows[i]);
		if (!err)
			err = groups__add(m->groups, &rows.rows[i], 1);
	}
	return err;
}

static int add_samples(struct metrics *m, const struct snapshot *snap)
{
	__u64 gone = snap->end > GRACE ? snap->end - GRACE : 0;

	groups__drop(m->groups, gone);
	if (!m->now)
		return groups__add(m->groups, snap->samples, snap->nr_samples);
	groups__drop(m->whole, gone);
	return add_details(m, snap);
}

static int metrics__print(struct renderer *r, FILE *out, const struct snapshot *snap)
{
	struct metrics *m = (struct metrics *)r;
	int err;

	if (!m->created)
		m->created = snap->run->start ? snap->run->start : snap->end - snap->duration;
	m->lost += sum_of_causes(snap->lost_now);
	err = add_samples(m, snap);
	if (!err)
		err = print_measures(out, m, snap);
	if (err)
		return err;
	print_time(out, "exits_created", "When these counters were 0, in Unix time", m->created);
	print_head(out, "lost_total", "counter", "VM exits that could not be counted");
	fprintf(out, "kvmexit_lost_total %llu\n", m->lost);
	print_info(out, snap->run);
	print_time(out, "last_report_timestamp_seconds", "When kvmexit reported last, in Unix time",
		   snap->end);
	fputs("# EOF\n", out);
	return 0;
}

static void metrics__free(struct renderer *r)
{
	struct metrics *m = (struct metrics *)r;

	groups__free(m->groups);
	groups__free(m->now);
	groups__free(m->whole);
	free(m->sorted);
	free(m);
}

struct renderer *metrics__new(const struct metrics_style *style)
{
	struct metrics *m = calloc(1, sizeof(*m));
	bool details = style->keys & KEY_DETAIL;

	if (!m)
		return NULL;
	m->renderer = (struct renderer){ .print = metrics__print, .free = metrics__free };
	m->style = *style;
	m->groups = groups__new(style->keys);
	if (details) {
		m->now = groups__new(style->keys);
		m->whole = groups__new(style->keys & ~KEY_DETAIL);
	}
	if (m->groups && !m->now == !details && !m->whole == !details)
		return (struct renderer *)m;
	metrics__free((struct renderer *)m);
	return NULL;
}
