// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "render/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "explain/explain.h"
#include "lib/terminal.h"
#include "lib/util.h"
#include "render/columns.h"
#include "rows/groups.h"
#include "snapshot/run.h"
#include "vm/vm.h"

struct table {
	struct renderer renderer;
	struct table_style style;
	struct groups *groups;
	struct groups *summary;
	struct groups *vms; /* the VMs' times, for the line on waiting */
	bool begun;
	const struct run *first; /* whose report was printed first */
	bool nodes; /* there were reports of several hosts */
};

static enum kind kind_of(const struct table_style *style, const struct view *view)
{
	if (!style->times)
		return COUNTED;
	if (view->keys & KEY_DETAIL)
		return DETAILED;
	return view->keys & KEY_REASON ? TIMED : THREADS;
}

/* Prints the sum of what was cut off, so that the sums still add up */
static void print_rest(FILE *out, const struct rows *rows)
{
	__u64 tenths = (times__service(rows->rest.times) + 50000) / 100000;

	fprintf(out, "(%s with %s", plural(rows->cut, "more row"),
		plural(rows->rest.count, "exit"));
	if (tenths)
		fprintf(out, ", %llu.%llu ms", tenths / 10, tenths % 10);
	fputs(")\n", out);
}

/* "1235/s", "0.3/s" */
static const char *rate_of(const struct snapshot *snap, char buf[32])
{
	double rate = (double)snap->exits * NSEC_PER_SEC / (snap->duration ? snap->duration : 1);

	snprintf(buf, 32, "%.*f/s", rate < 10 && snap->exits, rate);
	return buf;
}

/* Prints how many exits there were; in a narrow window only the rate */
static void print_counts(FILE *out, const struct table_style *style, const struct snapshot *snap,
			 int room)
{
	char text[128], rate[32];
	int n = snprintf(text, sizeof(text), "  VMs %llu  vCPUs %llu  exits %llu (%s)", snap->vms,
			 snap->vcpus, snap->exits, rate_of(snap, rate));
	bool narrow = style->live && style->window && style->window->columns && n > room;

	fprintf(out, narrow ? "  %s" : "%s", narrow ? rate : text);
}

/* What a recording lacks */
static void print_gaps(FILE *out, const struct snapshot *snap, const char *before)
{
	if (snap->missing)
		fprintf(out, "%s%s missing before", before, plural(snap->missing, "interval"));
	if (snap->damaged)
		fprintf(out, "%srecords missing", before);
}

/* Where the number of lost exits is not known, nothing says that none was lost */
static bool lost_is_unknown(const struct snapshot *snap)
{
	return snap->missed.unknown & 1u << UNSURE_EXITS;
}

/* What is not certain besides how many exits were lost: "  events missed: times 12" */
static const char *missed_of(char text[MISSES_ROOM + 16], const struct snapshot *snap,
			     const char *between)
{
	struct misses others = snap->missed;
	char list[MISSES_ROOM];

	others.unknown &= ~(1u << UNSURE_EXITS);
	misses__format(list, &others);
	snprintf(text, MISSES_ROOM + 16, "%s%s%s", *list ? between : "",
		 *list ? "events missed: " : "", list);
	return text;
}

/* Local time at the interval's end, its measured length, and what there was in it */
static void print_time(FILE *out, const struct table *t, const struct snapshot *snap)
{
	const struct table_style *style = &t->style;
	time_t sec = snap->end / NSEC_PER_SEC;
	char text[64], lost[48] = "  lost not known", missed[MISSES_ROOM + 16];
	const bool unknown = lost_is_unknown(snap);
	const __u64 nr = snapshot__lost(snap);
	struct tm tm;
	int n;

	localtime_r(&sec, &tm);
	/* In the live view the whole line must fit, so the date is left out */
	n = strftime(text, sizeof(text), style->live ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S", &tm);
	if (!style->live)
		n += snprintf(text + n, sizeof(text) - n, ".%03llu",
			      snap->end / NSEC_PER_MSEC % 1000);
	n += snprintf(text + n, sizeof(text) - n, " (%llu.%03llu s)", snap->duration / NSEC_PER_SEC,
		      snap->duration / NSEC_PER_MSEC % 1000);
	if (nr || !unknown)
		snprintf(lost, sizeof(lost), "  lost %llu%s", nr, unknown ? " or more" : "");
	n += strlen(lost) + strlen(missed_of(missed, snap, "  "));
	fputs(text, out);
	print_counts(out, style, snap, style->window ? style->window->columns - n : 0);
	fprintf(out, "%s%s", lost, missed);
	print_gaps(out, snap, "  ");
	if (t->nodes)
		fprintf(out, "  %s", snap->run->node);
	fputc('\n', out);
}

/*
 * The same below a single table. Programs that parse the table take its first line as the
 * head, so this comes last, in parentheses: it is not a row.
 */
static void print_sum(FILE *out, const struct snapshot *snap)
{
	__u64 lost = snapshot__lost(snap);
	char rate[32], missed[MISSES_ROOM + 16];

	fprintf(out, "(%s of %s, %s in %llu.%03llu s: %s", plural(snap->exits, "exit"),
		plural(snap->vms, "VM"), plural(snap->vcpus, "vCPU"), snap->duration / NSEC_PER_SEC,
		snap->duration / NSEC_PER_MSEC % 1000, rate_of(snap, rate));
	if (lost)
		fprintf(out, "; %llu%s lost", lost, lost_is_unknown(snap) ? " or more" : "");
	else if (lost_is_unknown(snap))
		fputs("; how many were lost is not known", out);
	else if (!snap->missing && !snap->damaged)
		fputs("; none lost", out);
	print_gaps(out, snap, "; ");
	fprintf(out, "%s)\n", missed_of(missed, snap, "; "));
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

/* A VM that waits for this share of its time is reported; tenths of a per cent */
#define MUCH_WAIT 100
#define MOST_NOTICES 3

static __u64 wait_share(const struct sample *row)
{
	return times__share(row->times, PART_WAIT);
}

static int most_waiting(const void *a, const void *b)
{
	const struct sample *x = a, *y = b;
	int order = THREE_WAY(wait_share(y), wait_share(x));

	return order ? order : groups__compare_keys(x, y);
}

/* In the live view there is one line for all @nr of them, the first being the worst */
static void print_steal(FILE *out, const struct sample *worst, size_t nr, const char *name)
{
	__u64 share = wait_share(worst);

	if (nr == 1)
		fprintf(out, "Steal %llu.%llu %%: %s (PID %u) waited", share / 10, share % 10, name,
			worst->vm->pid);
	else
		fprintf(out, "Steal up to %llu.%llu %%: %s (PID %u), and %zu more VM%s waited",
			share / 10, share % 10, name, worst->vm->pid, nr - 1, nr == 2 ? "" : "s");
	fputs(" for a CPU: the host's doing\n", out);
}

static void print_waiting(FILE *out, const struct sample *row, const char *name)
{
	fprintf(out,
		"%s (PID %u) waited for a CPU %llu.%llu %% of the time: that is the host's doing "
		"(steal), not the guest's.\n",
		name, row->vm->pid, wait_share(row) / 10, wait_share(row) % 10);
}

/*
 * Prints what a reader must know first: that a VM is slow because it gets no CPU, and not
 * because of its exits. Returns the number of lines, or -ENOMEM.
 */
static int print_notices(FILE *out, struct table *t, const struct snapshot *snap)
{
	char name[FIELD_SIZE];
	struct rows rows;
	size_t i, nr = 0, shown;
	int err;

	groups__clear(t->vms);
	err = groups__add(t->vms, snap->threads, snap->nr_threads);
	if (!err)
		err = groups__sort(t->vms, &(struct view){ .keys = KEY_VM }, &rows);
	if (err || snap->untold & 1u << PART_WAIT)
		return err;
	if (rows.nr)
		qsort(rows.rows, rows.nr, sizeof(*rows.rows), most_waiting);
	while (nr < rows.nr && wait_share(&rows.rows[nr]) >= MUCH_WAIT)
		nr++;
	shown = t->style.live ? nr > 0 : nr < MOST_NOTICES ? nr : MOST_NOTICES;
	for (i = 0; i < shown; i++) {
		const struct sample *row = &rows.rows[i];

		columns__text(FIELD_VM, row, snap, name);
		if (t->style.live)
			print_steal(out, row, nr, name);
		else
			print_waiting(out, row, name);
	}
	return shown;
}

/* Prints how many exits have no time, or none by reason */
static void print_untold(FILE *out, const struct snapshot *snap)
{
	struct times all = { 0 };
	size_t i;

	for (i = 0; i < snap->nr_threads; i++)
		times__add(&all, snap->threads[i].times);
	if (all.untimed)
		fprintf(out,
			"The end of %llu of these exits was not seen: their times are missing or "
			"cut short.\n",
			all.untimed);
	if (all.crowded)
		fprintf(out, "%llu of these exits %s in no reason's times: more than %d reasons.\n",
			all.crowded, ARE(all.crowded), NR_ROWS - 1);
	if (all.unseen)
		fprintf(out, "%s into a guest came without an exit before.\n",
			plural(all.unseen, "entry"));
}

/* Prints how many exits have a detail that was not kept */
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

/* How many rows fit into @lines, but at most view->top; 0: any number */
static size_t rows_at_most(const struct view *view, int lines)
{
	size_t fit = lines > 0 ? lines : 0;

	return view->top && (!fit || view->top < fit) ? view->top : fit;
}

/* Tells which columns were left out because the window is too narrow */
static void print_left_out(FILE *out, const struct columns *all, const struct columns *shown)
{
	const struct column *next = shown->columns, *end = next + shown->nr;
	size_t i;

	fputs("(the window is too narrow for:", out);
	for (i = 0; i < all->nr; i++)
		if (next < end && all->columns[i].header == next->header)
			next++;
		else
			fprintf(out, " %s", all->columns[i].header);
	fputs(")\n", out);
}

static void print_rows(FILE *out, const struct table_style *style, const struct view *view,
		       const struct snapshot *snap, const struct rows *rows)
{
	enum alignment alignment = view->plain && !style->live ? LEFT : NUMBERS_RIGHT;
	struct columns columns, all;
	size_t i;

	columns__choose(&columns, view, kind_of(style, view), style->live, alignment);
	if (alignment == NUMBERS_RIGHT)
		columns__measure(&columns, snap, rows->rows, rows->nr);
	all = columns;
	if (style->cut && style->window)
		columns__fit(&columns, style->window->columns, snap, rows->rows, rows->nr);
	columns__print(out, &columns, snap, NULL);
	for (i = 0; i < rows->nr; i++)
		columns__print(out, &columns, snap, &rows->rows[i]);
	if (rows->cut)
		print_rest(out, rows);
	if (columns.nr < all.nr && !style->live)
		print_left_out(out, &all, &columns);
}

/* Prints a table with @lines below its head, and one more for what was cut off; 0: any number */
static int print_table(FILE *out, const struct table_style *style, struct groups *groups,
		       const struct view *wanted, const struct snapshot *snap, int lines,
		       struct rows *rows)
{
	bool threads = kind_of(style, wanted) == THREADS;
	struct view view = *wanted;
	int err;

	view.top = rows_at_most(&view, lines);
	groups__clear(groups);
	err = threads ? groups__add(groups, snap->threads, snap->nr_threads)
		      : groups__add(groups, snap->samples, snap->nr_samples);
	if (!err)
		err = groups__sort(groups, &view, rows);
	/* If only one row is cut, print it in the line that would tell so */
	if (!err && rows->cut == 1 && view.top != wanted->top) {
		view.top++;
		err = groups__sort(groups, &view, rows);
	}
	if (!err)
		print_rows(out, style, &view, snap, rows);
	return err;
}

/* A table gets at least this many of the terminal's lines, below its head */
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

/* The summary's head, what was cut off, and the line below */
#define SUMMARY_LINES 3

/* Prints the summary in at most a third of the lines; *@nr: its rows */
static int print_summary(FILE *out, struct table *t, const struct snapshot *snap, int *lines,
			 size_t *nr)
{
	const struct view view = { .keys = t->style.summary, .top = t->style.view.top };
	int mine = *lines ? at_least(*lines / 3, FEWEST_LINES) : 0, err;
	struct rows rows = { 0 };

	if (*lines && *lines < 2 * FEWEST_LINES + SUMMARY_LINES)
		return 0;
	err = print_table(out, &t->style, t->summary, &view, snap, mine, &rows);
	if (*lines)
		*lines -= rows.nr + SUMMARY_LINES - !rows.cut;
	*nr = rows.nr;
	fputc('\n', out);
	return err;
}

/* Prints how many exits -r leaves out. Rows without a reason include these exits. */
static void print_hidden(FILE *out, const struct table_style *style, const struct snapshot *snap)
{
	if (!snap->hidden)
		return;
	if (kind_of(style, &style->view) == THREADS)
		fprintf(out, "(%llu of these exits %s of other reasons)\n", snap->hidden,
			ARE(snap->hidden));
	else
		fprintf(out, "(%s of other reasons%s)\n", plural(snap->hidden, "exit"),
			style->summary ? ", in the upper table only" : "");
}

/* Makes the lines below the tables as text, which the caller frees. 0 or -ENOMEM */
static int make_notes(const struct table_style *style, const struct snapshot *snap, char **text,
		      int *lines)
{
	size_t size = 0;
	FILE *out = open_memstream(text, &size);
	const char *p;

	if (!out)
		return -ENOMEM;
	print_hidden(out, style, snap);
	print_flags(out, snap);
	if (style->view.keys & KEY_DETAIL)
		print_others(out, snap);
	if (style->times)
		print_untold(out, snap);
	if (!style->timed)
		print_sum(out, snap);
	/* If memory is short at the last flush, there is no text, but no error either */
	if (fclose(out) || !*text) {
		free(*text);
		return -ENOMEM;
	}
	*lines = 0;
	for (p = *text; (p = strchr(p, '\n')); p++)
		(*lines)++;
	return 0;
}

/* If there are more rows than the terminal has lines, says how to see fewer */
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
	struct rows rows = { 0 };
	size_t above = 0;

	if (style->summary)
		err = print_summary(out, t, snap, &lines, &above);
	if (!err)
		err = print_table(out, style, t->groups, &style->view, snap, lines, &rows);
	if (!err)
		print_hint(out, style, above + rows.nr);
	return err;
}

/* Whether the explanation's first lines tell what print_notices() would */
static bool tells_waiting(const struct snapshot *snap, const struct table_style *style)
{
	const struct explanation *x = snap->explanation;

	return x && !style->live && x->nr_chapters && x->chapters[0].waiting;
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
	if (snap->explanation && !style->live)
		explanation__print_short(snap->explanation, out);
	if (style->times && !tells_waiting(snap, style))
		notices = print_notices(out, t, snap);
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
	if (!style->times)
		groups__count_only(groups);
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
