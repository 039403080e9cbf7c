// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "render/columns.h"

#include <string.h>

#include "lib/util.h"
#include "lib/width.h"
#include "snapshot/run.h"
#include "vm/vm.h"

/* From left to right, before those of the measures; rank, handy: see struct column */
static const struct {
	enum field field;
	const char *header;
	int width;
	int rank;
	int handy;
} shown[] = {
	{ FIELD_PID, "PID", 8, 100, 0 },
	{ FIELD_TID, "TID", 8, 101, 0 },
	{ FIELD_VM, "VM", 16, 1, 12 },
	{ FIELD_VCPU, "VCPU", 4, 2, 0 },
	{ FIELD_REASON, "KVM_EXIT_REASON", 20, 1, 12 },
	/* With the direction, "msr 0x4b564d01 write" */
	{ FIELD_DETAIL, "DETAIL", 18, 1, 20 },
	{ FIELD_NAME, "NAME", 20, 3, 12 },
};

/* Where there are no names of VMs */
#define PLAIN_REASON_WIDTH 35

/* When no more columns can be left out, texts are cut, but not below this width */
#define LEAST_TEXT 6

#define RANK_NEEDED 2

static bool has_field(const struct view *view, enum field field)
{
	return field__is_in(field, view->keys) && !(view->plain && field == FIELD_VM);
}

static void add(struct columns *c, struct column column, enum alignment alignment)
{
	column.needed = strlen(column.header);
	column.width = column.least;
	column.right =
		alignment == NUMBERS_RIGHT && (column.measure || fields[column.field].number);
	c->columns[c->nr++] = column;
}

void columns__choose(struct columns *c, const struct view *view, enum kind kind, bool live,
		     enum alignment alignment)
{
	int rank = 0;
	size_t i;

	c->nr = 0;
	for (i = 0; i < ARRAY_SIZE(shown); i++) {
		bool tids = view->listed && shown[i].field == FIELD_TID;
		bool wide = view->plain && shown[i].field == FIELD_REASON && kind == COUNTED;

		if (has_field(view, shown[i].field))
			add(c,
			    (struct column){ .field = shown[i].field,
					     .header = tids ? "TIDS" : shown[i].header,
					     .least = wide ? PLAIN_REASON_WIDTH : shown[i].width,
					     .rank = shown[i].rank,
					     .handy = shown[i].handy },
			    alignment);
	}
	for (i = 0; i < NR_MEASURES; i++) {
		const struct measure_kind *m = &measures[i];

		if (!m->header || !(m->kinds & kind) || (m->live && !live))
			continue;
		add(c,
		    (struct column){
			    .measure = m, .header = m->header, .least = m->width, .rank = rank },
		    alignment);
		/* The first measure must be there; of the others, the left ones tell more */
		rank = rank ? rank + 1 : RANK_NEEDED + 1;
	}
}

const char *columns__text(enum field field, const struct sample *row, const struct snapshot *snap,
			  char buf[FIELD_SIZE])
{
	const struct field_kind *f = &fields[field];

	if ((field == FIELD_VCPU && row->vcpu == VCPU_UNKNOWN) ||
	    (field == FIELD_DETAIL && row->detail == DETAIL_NONE))
		snprintf(buf, FIELD_SIZE, "-");
	else if (f->number)
		snprintf(buf, FIELD_SIZE, "%llu", f->number(row));
	else
		snprintf(buf, FIELD_SIZE, "%s", f->text(row, snap, (char[FIELD_SIZE]){ 0 }));
	return buf;
}

bool columns__contain(const struct sample *row, const struct snapshot *snap, unsigned int keys,
		      const char *part)
{
	char buf[FIELD_SIZE];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(shown); i++)
		if (field__is_in(shown[i].field, keys) && shown[i].field != FIELD_VCPU &&
		    strcasestr(columns__text(shown[i].field, row, snap, buf), part))
			return true;
	return false;
}

/* "1234", "123.4"; "-": there is none, or this host does not tell */
static void format_measure(char *buf, const struct measure_kind *m, const struct sample *row,
			   const struct snapshot *snap)
{
	__u64 value = m->needs & snap->untold ? NO_VALUE : m->value(row, snap);

	if (value == NO_VALUE && m->decimals)
		snprintf(buf, FIELD_SIZE, "-");
	else if (m->decimals)
		snprintf(buf, FIELD_SIZE, "%llu.%llu", value / 10, value % 10);
	else
		snprintf(buf, FIELD_SIZE, "%llu", value);
}

static const char *cell(char *buf, const struct column *c, const struct snapshot *snap,
			const struct sample *row)
{
	if (!row)
		snprintf(buf, FIELD_SIZE, "%s", c->header);
	else if (c->measure)
		format_measure(buf, c->measure, row, snap);
	else
		columns__text(c->field, row, snap, buf);
	return buf;
}

void columns__measure(struct columns *c, const struct snapshot *snap, const struct sample *rows,
		      size_t nr)
{
	char buf[FIELD_SIZE];
	size_t i, row;

	for (i = 0; i < c->nr; i++) {
		struct column *col = &c->columns[i];

		for (row = 0; row < nr; row++) {
			int width = text__width(cell(buf, col, snap, &rows[row]));

			col->filled = width > col->filled ? width : col->filled;
		}
		col->needed = col->filled > col->needed ? col->filled : col->needed;
		col->width = col->needed > col->least ? col->needed : col->least;
	}
}

static int total_width(const struct columns *c)
{
	int sum = 0;
	size_t i;

	for (i = 0; i < c->nr; i++)
		sum += c->columns[i].width + (i > 0);
	return sum;
}

/* Whether @a is cut before @b: first heads, then what a reader can do without */
static bool before(const struct column *a, const struct column *b)
{
	bool head = a->width > a->filled, others_head = b->width > b->filled;
	bool handy = a->rank > RANK_NEEDED, others_handy = b->rank > RANK_NEEDED;

	if (head != others_head)
		return head;
	if (handy != others_handy)
		return handy;
	return a->width > b->width;
}

/* The text to be cut next, NULL: there is none. @handy: cut none below its handy width */
static struct column *next_text(struct columns *c, bool handy)
{
	struct column *next = NULL;
	size_t i;

	for (i = 0; i < c->nr; i++) {
		struct column *col = &c->columns[i];

		if (!col->measure && !fields[col->field].number &&
		    col->width > (handy ? col->handy : LEAST_TEXT) && (!next || before(col, next)))
			next = col;
	}
	return next;
}

static struct column *least_needed(struct columns *c)
{
	struct column *worst = &c->columns[0];
	size_t i;

	for (i = 1; i < c->nr; i++)
		if (c->columns[i].rank >= worst->rank)
			worst = &c->columns[i];
	return worst;
}

static void cut_texts(struct columns *c, int width, bool handy)
{
	struct column *text;

	while (total_width(c) > width && (text = next_text(c, handy)))
		text->width--;
}

static void fit(struct columns *c, int width)
{
	size_t i;

	while (width && total_width(c) > width) {
		struct column *worst = least_needed(c);

		for (i = 0; i < c->nr; i++)
			c->columns[i].width = c->columns[i].needed;
		cut_texts(c, width, worst->rank > RANK_NEEDED);
		if (total_width(c) <= width || c->nr == 1)
			break;
		c->nr--;
		memmove(worst, worst + 1, (&c->columns[c->nr] - worst) * sizeof(*worst));
	}
}

static struct column *find(struct columns *c, enum field field)
{
	size_t i;

	for (i = 0; i < c->nr; i++)
		if (!c->columns[i].measure && c->columns[i].field == field)
			return &c->columns[i];
	return NULL;
}

/* Whether names tell VMs apart: a name that is cut, or that two VMs have, does not */
static bool names_tell(const struct column *col, const struct snapshot *snap,
		       const struct sample *rows, size_t nr)
{
	char a[FIELD_SIZE], b[FIELD_SIZE];
	size_t i, j;

	for (i = 0; i < nr; i++) {
		if (text__width(cell(a, col, snap, &rows[i])) > col->width)
			return false;
		for (j = 0; j < i; j++)
			if (rows[i].vm->pid != rows[j].vm->pid &&
			    !strcmp(a, cell(b, col, snap, &rows[j])))
				return false;
	}
	return true;
}

void columns__fit(struct columns *c, int width, const struct snapshot *snap,
		  const struct sample *rows, size_t nr)
{
	const struct columns before = *c;
	const struct column *name;

	fit(c, width);
	name = find(c, FIELD_VM);
	if (!name || find(c, FIELD_PID) || names_tell(name, snap, rows, nr))
		return;
	*c = before;
	find(c, FIELD_PID)->rank = RANK_NEEDED;
	fit(c, width);
}

void columns__print(FILE *out, const struct columns *c, const struct snapshot *snap,
		    const struct sample *row)
{
	char buf[FIELD_SIZE];
	int owed = 0; /* blanks, which go in front of the next cell */
	size_t i;

	for (i = 0; i < c->nr; i++) {
		const struct column *col = &c->columns[i];
		int width, left;

		cell(buf, col, snap, row);
		if (col->width < col->needed)
			text__cut(buf, sizeof(buf), col->width);
		width = text__width(buf);
		left = col->width > width ? col->width - width : 0;
		fprintf(out, "%*s%s", owed + (col->right ? left : 0), "", buf);
		owed = 1 + (col->right ? 0 : left);
	}
	fputc('\n', out);
}
