// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "table.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fields.h"
#include "groups.h"
#include "util.h"
#include "vm.h"

struct table {
	struct renderer renderer;
	struct table_style style;
	struct groups *groups;
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

	if (f->number)
		snprintf(buf, FIELD_SIZE, "%llu", f->number(row));
	else
		snprintf(buf, FIELD_SIZE, "%s", f->text(row, (char[FIELD_SIZE]){ 0 }));
	utf8__printable(buf);
	return buf;
}

/* One line of the table, @row NULL: its head */
static void print_line(FILE *out, const struct table_style *style, const struct snapshot *snap,
		       const struct sample *row)
{
	const struct view *view = &style->view;
	char buf[FIELD_SIZE];
	int owed = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(columns); i++) {
		const struct column *c = &columns[i];
		bool wide = view->plain && c->field == FIELD_REASON;

		if (has_column(view, c->field))
			print_cell(out, row ? field_text(c->field, row, buf) : header_of(view, c),
				   wide ? PLAIN_REASON_WIDTH : c->width, &owed);
	}
	for (i = 0; i < NR_MEASURES; i++) {
		const struct measure_kind *m = &measures[i];

		if (!m->header || (m->live && !style->live))
			continue;
		if (row)
			snprintf(buf, sizeof(buf), "%llu", m->value(row, snap));
		print_cell(out, row ? buf : m->header, m->width, &owed);
	}
	fputc('\n', out);
}

/* What was cut off, so that the sums still add up */
static void print_rest(FILE *out, const struct rows *rows)
{
	fprintf(out, "(%zu more rows with %llu exits)\n", rows->cut, rows->rest.count);
}

/* Local time at the interval's end and its measured length */
static void print_time(FILE *out, const struct table_style *style, const struct snapshot *snap)
{
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

/* Rows that fit below the lines above the table, with one for the rest */
static size_t rows_at_most(const struct table_style *style)
{
	int lines = style->live && style->height ? style->height() : 0;
	size_t fit = lines > 4 ? lines - 4 : 1, top = style->view.top;

	if (lines <= 0)
		return top;
	return top && top < fit ? top : fit;
}

static int table__print(struct renderer *r, FILE *out, const struct snapshot *snap)
{
	struct table *t = (struct table *)r;
	const struct table_style *style = &t->style;
	struct view view = style->view;
	struct rows rows;
	size_t i;
	int err;

	view.top = rows_at_most(style);
	groups__clear(t->groups);
	err = groups__add(t->groups, snap->samples, snap->nr_samples);
	if (!err)
		err = groups__sort(t->groups, &view, &rows);
	if (err)
		return err;
	/* To the upper left corner, and clear what is below */
	if (style->live)
		fputs("\033[H\033[J", out);
	else if (style->timed && snap->seq)
		fputc('\n', out);
	if (style->timed)
		print_time(out, style, snap);
	print_line(out, style, snap, NULL);
	for (i = 0; i < rows.nr; i++)
		print_line(out, style, snap, &rows.rows[i]);
	if (rows.cut)
		print_rest(out, &rows);
	print_flags(out, snap);
	return 0;
}

static void table__free(struct renderer *r)
{
	groups__free(((struct table *)r)->groups);
	free(r);
}

struct renderer *table__new(const struct table_style *style)
{
	struct table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->renderer = (struct renderer){ .print = table__print, .free = table__free };
	t->style = *style;
	t->groups = groups__new(style->view.keys);
	if (!t->groups) {
		free(t);
		return NULL;
	}
	return (struct renderer *)t;
}
