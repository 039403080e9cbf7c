// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "columns.h"
#include "explain.h"
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

static enum kind kind_of(const struct table_style *style, const struct view *view)
{
	if (!style->times)
		return COUNTED;
	if (view->keys & KEY_DETAIL)
		return DETAILED;
	return view->keys & KEY_REASON ? TIMED : THREADS;
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

/* "1235/s", "0.3/s" */
static void print_rate(FILE *out, const struct snapshot *snap)
{
	double rate = (double)snap->exits * NSEC_PER_SEC / (snap->duration ? snap->duration : 1);

	fprintf(out, "%.*f/s", rate < 10 && snap->exits, rate);
}

/* Local time at the interval's end, its measured length, and what there was in it */
static void print_time(FILE *out, const struct table *t, const struct snapshot *snap)
{
	time_t sec = snap->end / NSEC_PER_SEC;
	char text[32];
	struct tm tm;

	localtime_r(&sec, &tm);
	/* In place all of the line is to fit; the day is known */
	strftime(text, sizeof(text), t->style.live ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S", &tm);
	fputs(text, out);
	if (!t->style.live)
		fprintf(out, ".%03llu", snap->end / NSEC_PER_MSEC % 1000);
	fprintf(out, " (%llu.%03llu s)  VMs %llu  vCPUs %llu  exits %llu (",
		snap->duration / NSEC_PER_SEC, snap->duration / NSEC_PER_MSEC % 1000, snap->vms,
		snap->vcpus, snap->exits);
	print_rate(out, snap);
	fprintf(out, ")  lost %llu", snapshot__lost(snap));
	if (t->nodes)
		fprintf(out, "  %s", snap->run->node);
	fputc('\n', out);
}

/*
 * The same below the only table, whose first line is its head for whoever parses it:
 * what stands in parentheses is no row
 */
static void print_sum(FILE *out, const struct snapshot *snap)
{
	__u64 lost = snapshot__lost(snap);

	fprintf(out, "(%llu exits of %llu VMs, %llu vCPUs in %llu.%03llu s: ", snap->exits,
		snap->vms, snap->vcpus, snap->duration / NSEC_PER_SEC,
		snap->duration / NSEC_PER_MSEC % 1000);
	print_rate(out, snap);
	if (lost)
		fprintf(out, "; %llu lost)\n", lost);
	else
		fputs("; none lost)\n", out);
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
			columns__text(FIELD_VM, &rows.rows[i], snap, name), rows.rows[i].vm->pid,
			share / 10, share % 10);
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

/* Exits whose detail was not kept */
static void print_others(FILE *out, const struct snapshot *snap)
{
	__u64 others = 0;
	size_t i;

	for (i = 0; i < snap->nr_samples; i++)
		if (snap->samples[i].detail == DETAIL_OTHER)
			others += snap->samples[i].count;
	if (others)
		fprintf(out,
			"%llu of these exits are of other details: a vCPU thread has no room for "
			"more.\n",
			others);
}

/* Rows that fit into so many lines; 0: any number. What view->top says is at most so. */
static size_t rows_at_most(const struct view *view, int lines)
{
	size_t fit = lines > 0 ? lines : 0;

	return view->top && (!fit || view->top < fit) ? view->top : fit;
}

static void print_rows(FILE *out, const struct table_style *style, const struct view *view,
		       const struct snapshot *snap, const struct rows *rows)
{
	enum alignment alignment = view->plain && !style->live ? LEFT : NUMBERS_RIGHT;
	struct columns columns;
	size_t i;

	columns__choose(&columns, view, kind_of(style, view), style->live, alignment);
	if (alignment == NUMBERS_RIGHT)
		columns__measure(&columns, snap, rows->rows, rows->nr);
	if (style->live && style->window)
		columns__fit(&columns, style->window->columns);
	columns__print(out, &columns, snap, NULL);
	for (i = 0; i < rows->nr; i++)
		columns__print(out, &columns, snap, &rows->rows[i]);
	if (rows->cut)
		print_rest(out, rows);
}

/* A table of so many @lines below its head; 0: as many as it takes. *@nr: its rows */
static int print_table(FILE *out, const struct table_style *style, struct groups *groups,
		       const struct view *wanted, const struct snapshot *snap, int lines,
		       size_t *nr)
{
	bool threads = kind_of(style, wanted) == THREADS;
	struct view view = *wanted;
	struct rows rows;
	int err;

	view.top = rows_at_most(&view, lines);
	groups__clear(groups);
	err = threads ? groups__add(groups, snap->threads, snap->nr_threads)
		      : groups__add(groups, snap->samples, snap->nr_samples);
	if (!err)
		err = groups__sort(groups, &view, &rows);
	if (err)
		return err;
	print_rows(out, style, &view, snap, &rows);
	*nr += rows.nr;
	return 0;
}

/* The least that a table gets of a terminal's lines, below its head */
#define FEWEST_LINES 1

static int at_least(int n, int least)
{
	return n > least ? n : least;
}

/* How many of the terminal's lines there are for rows, @other being taken; 0: no limit */
static int lines_left(const struct table_style *style, int other)
{
	int lines = style->cut && style->window ? style->window->lines : 0;

	/* The time, the head, what was cut off, and where the cursor is */
	return lines > 0 ? at_least(lines - other - (style->live ? 3 : 4), FEWEST_LINES) : 0;
}

/* With a summary: that gets a third of the lines, and a head and what was cut off */
static int print_summary(FILE *out, struct table *t, const struct snapshot *snap, int *lines,
			 size_t *nr)
{
	const struct view view = { .keys = t->style.summary, .top = t->style.view.top };
	int mine = *lines ? at_least(*lines / 3, FEWEST_LINES) : 0, err;

	if (*lines)
		*lines = at_least(*lines - mine - 3, FEWEST_LINES);
	err = print_table(out, &t->style, t->summary, &view, snap, mine, nr);
	fputc('\n', out);
	return err;
}

/* What is to be said below the tables: the lines as text, to be freed. 0 or -ENOMEM */
static int make_notes(const struct table_style *style, const struct snapshot *snap, char **text,
		      int *lines)
{
	size_t size = 0;
	FILE *out = open_memstream(text, &size);
	const char *p;

	if (!out)
		return -ENOMEM;
	if (snap->hidden)
		fprintf(out, "(%llu exits of other reasons)\n", snap->hidden);
	print_flags(out, snap);
	if (style->view.keys & KEY_DETAIL)
		print_others(out, snap);
	print_untold(out, snap);
	if (!style->timed)
		print_sum(out, snap);
	/* Without memory for what is flushed last there is no text, and no error */
	if (fclose(out) || !*text) {
		free(*text);
		return -ENOMEM;
	}
	*lines = 0;
	for (p = *text; (p = strchr(p, '\n')); p++)
		(*lines)++;
	return 0;
}

/* More rows than a terminal has lines: how to see less */
static void print_hint(FILE *out, const struct table_style *style, size_t rows)
{
	const struct view *view = &style->view;
	bool vms = view->keys & KEY_VM && view->keys != KEY_VM;

	if (style->cut || !style->window || style->window->lines <= 0 ||
	    rows < (size_t)style->window->lines)
		return;
	fprintf(out, "(%zu rows: for less%s --top %d", rows, vms ? " -g vm, or" : "",
		at_least(style->window->lines - 4, FEWEST_LINES));
	fputs(style->timed ? ")\n" : ", or | less)\n", out);
}

static int print_tables(FILE *out, struct table *t, const struct snapshot *snap, int taken)
{
	const struct table_style *style = &t->style;
	int lines = lines_left(style, taken), err = 0;
	size_t rows = 0;

	if (style->summary)
		err = print_summary(out, t, snap, &lines, &rows);
	if (!err)
		err = print_table(out, style, t->groups, &style->view, snap, lines, &rows);
	if (!err)
		print_hint(out, style, rows);
	return err;
}

static int table__print(struct renderer *r, FILE *out, const struct snapshot *snap)
{
	struct table *t = (struct table *)r;
	const struct table_style *style = &t->style;
	int err, lines = 0, notices = 0;
	char *notes = NULL;

	if (style->timed && t->begun && !style->live)
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
	err = make_notes(style, snap, &notes, &lines);
	if (err)
		return err;
	err = print_tables(out, t, snap, notices + lines);
	fputs(notes, out);
	free(notes);
	if (!err && snap->explanation)
		explanation__print(snap->explanation, out);
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

static int restyle(struct table *t, const struct table_style *style)
{
	struct groups *groups = groups__new(style->view.keys);
	struct groups *summary = groups__new(style->summary);

	if (!groups || !summary) {
		groups__free(groups);
		groups__free(summary);
		return -ENOMEM;
	}
	groups__free(t->groups);
	groups__free(t->summary);
	t->groups = groups;
	t->summary = summary;
	t->style = *style;
	return 0;
}

int table__restyle(struct renderer *r, const struct table_style *style)
{
	return restyle((struct table *)r, style);
}

struct renderer *table__new(const struct table_style *style)
{
	struct table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->renderer = (struct renderer){ .print = table__print, .free = table__free };
	t->vms = groups__new(KEY_VM);
	if (!t->vms || restyle(t, style)) {
		table__free((struct renderer *)t);
		return NULL;
	}
	return (struct renderer *)t;
}

enum kind table__kind(const struct table_style *style)
{
	return kind_of(style, &style->view);
}
