// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "table.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fields.h"
#include "groups.h"
#include "run.h"
#include "util.h"
#include "vm.h"

struct table {
	struct renderer renderer;
	struct table_style style;
	struct groups *groups;
	struct groups *summary;
	struct groups *vms; /* whose time is told */
	bool begun;
	const struct run *first; /* whose report was printed first */
	bool nodes; /* there are reports of other hosts */
};

/* The columns from left to right, before those of the measures; widths are minimums */
static const struct column {
	enum field field;
	const char *header;
	int width;
} columns[] = {
	{ FIELD_PID, "PID", 8 },
	{ FIELD_TID, "TID", 8 },
	{ FIELD_VM, "VM", 16 },
	{ FIELD_VCPU, "VCPU", 4 },
	{ FIELD_REASON, "KVM_EXIT_REASON", 20 },
};

/* Where there are no names of VMs */
#define PLAIN_REASON_WIDTH 35

/*
 * Blanks go in front of the next cell, so that no line ends in one. Terminals count
 * characters, not bytes.
 */
static void print_cell(FILE *out, const char *text, int min, int *owed)
{
	int width = 0;
	size_t k;

	fprintf(out, "%*s%s", *owed, "", text);
	for (k = 0; text[k]; k++)
		width += (text[k] & 0xc0) != 0x80;
	*owed = (width < min ? min - width : 0) + 1;
}

static bool has_column(const struct view *view, enum field field)
{
	return field__is_in(field, view->keys) && !(view->plain && field == FIELD_VM);
}

static const char *header_of(const struct view *view, const struct column *c)
{
	return view->listed && c->field == FIELD_TID ? "TIDS" : c->header;
}

static const char *field_text(enum field field, const struct sample *row, char *buf)
{
	const struct field_kind *f = &fields[field];

	if (field == FIELD_VCPU && row->vcpu == VCPU_UNKNOWN)
		snprintf(buf, FIELD_SIZE, "-");
	else if (f->number)
		snprintf(buf, FIELD_SIZE, "%llu", f->number(row));
	else
		snprintf(buf, FIELD_SIZE, "%s", f->text(row, (char[FIELD_SIZE]){ 0 }));
	utf8__printable(buf);
	return buf;
}

static enum kind kind_of(const struct table_style *style, const struct view *view)
{
	if (!style->times)
		return COUNTED;
	return view->keys & KEY_REASON ? TIMED : THREADS;
}

/* "1234", "123.4"; "-": there is none, or this host does not tell */
static void format_measure(char *buf, size_t size, const struct measure_kind *m,
			   const struct sample *row, const struct snapshot *snap)
{
	__u64 value = m->needs & snap->untold ? NO_VALUE : m->value(row, snap);

	if (value == NO_VALUE && m->decimals)
		snprintf(buf, size, "-");
	else if (m->decimals)
		snprintf(buf, size, "%llu.%llu", value / 10, value % 10);
	else
		snprintf(buf, size, "%llu", value);
}

/* One line of the table, @row NULL: its head */
static void print_line(FILE *out, const struct table_style *style, const struct view *view,
		       const struct snapshot *snap, const struct sample *row)
{
	enum kind kind = kind_of(style, view);
	char buf[FIELD_SIZE];
	int owed = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(columns); i++) {
		const struct column *c = &columns[i];
		bool wide = view->plain && c->field == FIELD_REASON && !style->times;

		if (has_column(view, c->field))
			print_cell(out, row ? field_text(c->field, row, buf) : header_of(view, c),
				   wide ? PLAIN_REASON_WIDTH : c->width, &owed);
	}
	for (i = 0; i < NR_MEASURES; i++) {
		const struct measure_kind *m = &measures[i];

		if (!m->header || !(m->kinds & kind) || (m->live && !style->live))
			continue;
		if (row)
			format_measure(buf, sizeof(buf), m, row, snap);
		print_cell(out, row ? buf : m->header, m->width, &owed);
	}
	fputc('\n', out);
}

/* What was cut off, so that the sums still add up */
static void print_rest(FILE *out, const struct rows *rows)
{
	__u64 tenths = (times__service(rows->rest.times) + 50000) / 100000;

	fprintf(out, "(%zu more rows with %llu exits", rows->cut, rows->rest.count);
	if (tenths)
		fprintf(out, ", %llu.%llu ms", tenths / 10, tenths % 10);
	fputs(")\n", out);
}

/* Local time at the interval's end and its measured length */
static void print_time(FILE *out, const struct table *t, const struct snapshot *snap)
{
	const struct table_style *style = &t->style;
	time_t sec = snap->end / NSEC_PER_SEC;
	char text[32];
	struct tm tm;

	localtime_r(&sec, &tm);
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	fprintf(out, "%s.%03llu (%llu.%03llu s)", text, snap->end / NSEC_PER_MSEC % 1000,
		snap->duration / NSEC_PER_SEC, snap->duration / NSEC_PER_MSEC % 1000);
	if (style->live)
		fprintf(out, "  VMs %llu  vCPUs %llu  exits %llu  lost %llu", snap->vms,
			snap->vcpus, snap->exits, snapshot__lost(snap));
	if (t->nodes)
		fprintf(out, "  %s", snap->run->node);
	fputc('\n', out);
}

/* The flag bits were masked off the reasons above: say where there were any */
static void print_flags(FILE *out, const struct snapshot *snap)
{
	static const char *const names[NR_FLAGS] = {
		[FLAG_FAILED_ENTRY] = "FAILED_VMENTRY (the VM entry failed)",
		[FLAG_BUS_LOCK] = "BUS_LOCK_DETECTED (the guest held the bus lock)",
		[FLAG_ENCLAVE] = "SGX_ENCLAVE_MODE (the guest ran an enclave)",
	};
	size_t i;

	for (i = 0; i < NR_FLAGS; i++)
		if (snap->flags[i])
			fprintf(out, "%llu of these exits had the flag %s.\n", snap->flags[i],
				names[i]);
}

/* Of what so many tenths of a per cent or more is waiting, somebody has to know */
#define MUCH_WAIT 100
#define MOST_NOTICES 3

/*
 * What to know first: that a VM is slow because it does not get a CPU, for which its
 * exits are not to blame. How many lines, or -ENOMEM.
 */
static int print_waiting(FILE *out, struct table *t, const struct snapshot *snap)
{
	const struct view view = { .keys = KEY_VM };
	struct rows rows;
	size_t i;
	int err, n = 0;

	groups__clear(t->vms);
	err = groups__add(t->vms, snap->threads, snap->nr_threads);
	if (!err)
		err = groups__sort(t->vms, &view, &rows);
	if (err)
		return err;
	for (i = 0; i < rows.nr && n < MOST_NOTICES; i++) {
		const struct times *times = rows.rows[i].times;
		__u64 share =
			times__sum(times) ? times->part[PART_WAIT] * 1000 / times__sum(times) : 0;
		char name[FIELD_SIZE];

		if (share < MUCH_WAIT || snap->untold & 1u << PART_WAIT)
			continue;
		n++;
		fprintf(out,
			"%s (PID %u) waited for a CPU %llu.%llu %% of the time: that is the "
			"host's doing (steal), not the guest's.\n",
			field_text(FIELD_VM, &rows.rows[i], name), rows.rows[i].vm->pid, share / 10,
			share % 10);
	}
	return n;
}

/* Exits of which the time is not told, or not by reason */
static void print_untold(FILE *out, const struct snapshot *snap)
{
	struct times all = { 0 };
	size_t i;

	for (i = 0; i < snap->nr_threads; i++)
		times__add(&all, snap->threads[i].times);
	if (all.untimed)
		fprintf(out, "%llu of these exits are not in the times: their end was not seen.\n",
			all.untimed);
	if (all.crowded)
		fprintf(out,
			"%llu of these exits are in no reason's times: more than %d reasons.\n",
			all.crowded, NR_ROWS - 1);
	if (all.unseen)
		fprintf(out, "%llu entries into a guest came without an exit before them.\n",
			all.unseen);
}

/* Rows that fit into so many lines; 0: any number. What view->top says is at most so. */
static size_t rows_at_most(const struct view *view, int lines)
{
	size_t fit = lines > 0 ? lines : 0;

	return view->top && (!fit || view->top < fit) ? view->top : fit;
}

/* A table of so many @lines below its head; 0: as many as it takes */
static int print_table(FILE *out, const struct table_style *style, struct groups *groups,
		       const struct view *wanted, const struct snapshot *snap, int lines)
{
	bool threads = kind_of(style, wanted) == THREADS;
	struct view view = *wanted;
	struct rows rows;
	size_t i;
	int err;

	view.top = rows_at_most(&view, lines);
	groups__clear(groups);
	err = threads ? groups__add(groups, snap->threads, snap->nr_threads)
		      : groups__add(groups, snap->samples, snap->nr_samples);
	if (!err)
		err = groups__sort(groups, &view, &rows);
	if (err)
		return err;
	print_line(out, style, &view, snap, NULL);
	for (i = 0; i < rows.nr; i++)
		print_line(out, style, &view, snap, &rows.rows[i]);
	if (rows.cut)
		print_rest(out, &rows);
	return 0;
}

/* The least that a table gets of a terminal's lines, below its head */
#define FEWEST_LINES 1

static int at_least(int n, int least)
{
	return n > least ? n : least;
}

/* How many of the terminal's lines there are for rows, @above being taken; 0: no limit */
static int lines_left(const struct table_style *style, int above)
{
	int lines = style->height ? style->height() : 0;

	/* The time, the head, what was cut off, and where the cursor is */
	return lines > 0 ? at_least(lines - above - 4, FEWEST_LINES) : 0;
}

/* With a summary: that gets a third of the lines, and a head and what was cut off */
static int print_summary(FILE *out, struct table *t, const struct snapshot *snap, int *lines)
{
	const struct view view = { .keys = t->style.summary, .top = t->style.view.top };
	int mine = *lines ? at_least(*lines / 3, FEWEST_LINES) : 0, err;

	if (*lines)
		*lines = at_least(*lines - mine - 3, FEWEST_LINES);
	err = print_table(out, &t->style, t->summary, &view, snap, mine);
	fputc('\n', out);
	return err;
}

static int table__print(struct renderer *r, FILE *out, const struct snapshot *snap)
{
	struct table *t = (struct table *)r;
	const struct table_style *style = &t->style;
	int err = 0, lines, notices = 0;

	/* To the upper left corner, and clear what is below */
	if (style->live)
		fputs("\033[H\033[J", out);
	else if (style->timed && t->begun)
		fputc('\n', out);
	if (t->begun && snap->run != t->first)
		t->nodes |= strcmp(snap->run->node, t->first->node) != 0;
	if (!t->begun)
		t->first = snap->run;
	t->begun = true;
	if (style->timed)
		print_time(out, t, snap);
	if (style->times)
		notices = print_waiting(out, t, snap);
	if (notices < 0)
		return notices;
	lines = lines_left(style, notices);
	if (style->summary)
		err = print_summary(out, t, snap, &lines);
	if (!err)
		err = print_table(out, style, t->groups, &style->view, snap, lines);
	if (snap->hidden)
		fprintf(out, "(%llu exits of other reasons)\n", snap->hidden);
	print_flags(out, snap);
	print_untold(out, snap);
	return err;
}

static void table__free(struct renderer *r)
{
	struct table *t = (struct table *)r;

	groups__free(t->groups);
	groups__free(t->summary);
	groups__free(t->vms);
	free(t);
}

struct renderer *table__new(const struct table_style *style)
{
	struct table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->renderer = (struct renderer){ .print = table__print, .free = table__free };
	t->style = *style;
	t->groups = groups__new(style->view.keys);
	t->summary = groups__new(style->summary);
	t->vms = groups__new(KEY_VM);
	if (!t->groups || !t->summary || !t->vms) {
		table__free((struct renderer *)t);
		return NULL;
	}
	return (struct renderer *)t;
}
