// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "render/live.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "explain/explain.h"
#include "lib/terminal.h"
#include "lib/utf8.h"
#include "lib/util.h"
#include "lib/width.h"
#include "render/columns.h"
#include "rows/groups.h"

/* If a terminal does not tell its size */
#define LINES 24
#define COLUMNS 80

/* With fewer lines there is no room for the line with the keys */
#define LINES_WITH_STATUS 4

struct live {
	struct renderer renderer;
	struct live_style style;
	struct table_style shown; /* the table's present style */
	struct renderer *table;
	const struct window *terminal;
	struct window window; /* that of the table: without the last line */
	unsigned int summary; /* keys of the table above, if there is one */
	bool times; /* times can be shown */
	/* The last report with copies of its samples, as the source's do not stay valid */
	struct snapshot report;
	struct groups *samples, *threads;
	struct sample *kept_samples, *kept_threads; /* those that the filter keeps */
	size_t samples_room, threads_room;
	bool reported;
	bool keep; /* no other report may be shown */
	char filter[4 * 64 + 1], typed[64];
	bool typing, helping;
	char *text; /* of the last report */
};

static struct live *live(struct renderer *r)
{
	return (struct live *)r;
}

/* Keeps a copy of the report. If this fails, the report before stays valid. */
static int take_report(struct live *l, const struct snapshot *snap)
{
	int err;

	l->reported = false;
	groups__clear(l->samples);
	groups__clear(l->threads);
	err = groups__add(l->samples, snap->samples, snap->nr_samples);
	if (!err)
		err = groups__add(l->threads, snap->threads, snap->nr_threads);
	l->report = *snap;
	l->report.samples = groups__all(l->samples, &l->report.nr_samples);
	l->report.threads = groups__all(l->threads, &l->report.nr_threads);
	l->reported = !err;
	return err;
}

static int keep(struct sample **kept, size_t *nr, size_t *room, const struct sample *s)
{
	struct sample *grown = array_grow(*kept, room, *nr, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	*kept = grown;
	grown[(*nr)++] = *s;
	return 0;
}

/* Makes a report of only what contains the filter's text, also in the reasons of a thread */
static int filter(struct live *l, struct snapshot *snap)
{
	const unsigned int all = l->style.known, whose = all & ~(KEY_REASON | KEY_DETAIL);
	size_t i, j = 0;
	int err = 0;

	*snap = l->report;
	if (!*l->filter)
		return 0;
	snap->nr_samples = snap->nr_threads = 0;
	for (i = 0; i < l->report.nr_samples && !err; i++)
		if (columns__contain(&l->report.samples[i], &l->report, all, l->filter))
			err = keep(&l->kept_samples, &snap->nr_samples, &l->samples_room,
				   &l->report.samples[i]);
	snap->samples = l->kept_samples;
	for (i = 0; i < l->report.nr_threads && !err; i++) {
		const struct sample *t = &l->report.threads[i];

		while (j < snap->nr_samples && sample__compare_threads(&snap->samples[j], t) < 0)
			j++;
		if (columns__contain(t, &l->report, whose, l->filter) ||
		    (j < snap->nr_samples && !sample__compare_threads(&snap->samples[j], t)))
			err = keep(&l->kept_threads, &snap->nr_threads, &l->threads_room, t);
	}
	snap->threads = l->kept_threads;
	return err;
}

static void print_help(const struct live *l, FILE *out)
{
	fputs("Keys of the live view\n"
	      "  q             end; this report stays on the screen\n"
	      "  space, enter  report now\n"
	      "  g             rows for all, each VM, each vCPU or each thread\n"
	      "  r             rows by exit reason: on or off\n",
	      out);
	if (l->style.known & KEY_DETAIL)
		fputs("  d             rows by what was behind the exits: on or off\n", out);
	if (l->times)
		fputs("  t             show times, or counts only\n", out);
	fputs("  s             sort by the next column, or by VM\n"
	      "  /             show only rows with a text in a name, PID or TID\n"
	      "  h, ?          this help\n"
	      "Any key goes back.\n",
	      out);
}

/* Prints the table, or what is shown in its place, with no more lines than there are */
static int print_body(struct live *l, FILE *out)
{
	struct snapshot snap;
	int err;

	if (l->helping) {
		print_help(l, out);
		return 0;
	}
	if (!l->reported) {
		fputs("Counting; the first report comes when the interval is over.\n", out);
		return 0;
	}
	err = filter(l, &snap);
	if (!err)
		err = l->table->print(l->table, out, &snap);
	if (!l->report.nr_samples)
		fputs("No VM had an exit in this time.\n", out);
	else if (!snap.nr_samples && !snap.nr_threads)
		fprintf(out, "No row has \"%s\" in it; / changes this text.\n", l->filter);
	return err;
}

/* Makes the text of the last line, as much of it as fits */
static void make_status(const struct live *l, char *text, size_t size)
{
	const struct table_style *table = &l->shown;
	char names[64], typed[sizeof(l->filter)];

	view__name_keys(table->view.keys, names, sizeof(names));
	utf8__clean(typed, sizeof(typed), l->typed, strlen(l->typed), sizeof(l->typed));
	if (l->typing)
		snprintf(text, size, "Only rows with: %s_  (Enter: take it, Esc: as before)",
			 typed);
	else
		snprintf(text, size, "h help  q quit  g,r%s: %s  s: %s  /: %s",
			 l->style.known & KEY_DETAIL ? ",d" : "", names,
			 table->view.by	      ? table->view.by->header
			 : table->view.by_key ? "VM"
			 : table->times	      ? "most time"
					      : "COUNT",
			 *l->filter ? l->filter : "all");
}

/* Prints each line in its place and clears the rest; never more lines than the window has */
static void print_screen(const struct live *l, FILE *out, const char *body, int lines, int columns)
{
	char line[512];
	const char *end;
	int i;

	fputs("\033[H", out);
	for (i = 0; i < l->window.lines && (end = strchr(body, '\n')); i++, body = end + 1) {
		snprintf(line, sizeof(line), "%.*s", (int)(end - body), body);
		text__cut(line, sizeof(line), columns);
		/* Clears first: after a full line the cursor stands on its last character */
		fprintf(out, "\033[K%s%s", line, i + 1 < lines ? "\n" : "");
	}
	if (i < lines)
		fputs("\033[J", out);
	if (l->window.lines == lines)
		return;
	make_status(l, line, sizeof(line));
	text__cut(line, sizeof(line), columns);
	fprintf(out, "\033[%d;1H\033[7m%s\033[0m", lines, line);
}

/* How many lines and columns of the window the table gets */
static void fit(struct live *l, int *lines, int *columns)
{
	const struct window *window = l->terminal;

	*lines = window->lines > 0 ? window->lines : LINES;
	*columns = window->columns > 0 ? window->columns : COLUMNS;
	l->window.lines = *lines - (l->style.keys && *lines >= LINES_WITH_STATUS);
	l->window.columns = *columns;
}

static int draw(struct live *l, FILE *out)
{
	char *body = NULL;
	size_t size = 0;
	FILE *text;
	int err, lines, columns;

	fit(l, &lines, &columns);
	text = open_memstream(&body, &size);
	if (!text)
		return -ENOMEM;
	err = print_body(l, text);
	if ((fclose(text) || !body) && !err)
		err = -ENOMEM;
	if (!err)
		print_screen(l, out, body, lines, columns);
	if (err || l->helping || !l->reported) {
		free(body);
		return err;
	}
	free(l->text);
	l->text = body;
	return 0;
}

/* Prints the explanations of --explain below the last report */
static int explain(struct live *l, const struct snapshot *snap)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return -ENOMEM;
	fputs(l->text, out);
	explanation__print(snap->explanation, out);
	if (fclose(out) || !text) {
		free(text);
		return -ENOMEM;
	}
	free(l->text);
	l->text = text;
	return 0;
}

static int live__print(struct renderer *r, FILE *out, const struct snapshot *snap)
{
	struct live *l = live(r);
	int err;

	if (l->keep && l->text)
		return snap->explanation ? explain(l, snap) : 0;
	err = take_report(l, snap);
	return err ? err : draw(l, out);
}

int live__redraw(struct renderer *r, FILE *out)
{
	return draw(live(r), out);
}

void live__keep(struct renderer *r)
{
	live(r)->keep = true;
}

const char *live__text(const struct renderer *r)
{
	const struct live *l = (const struct live *)r;

	return l->text ? l->text : "";
}

/* The next measure to sort by: the next column; NULL: after the last one */
static const struct measure_kind *next_measure(const struct live *l)
{
	enum kind kind = table__kind(&l->shown);
	const struct measure_kind *m = l->shown.view.by;
	bool only_count = kind == COUNTED;

	for (m = m ? m + 1 : measures; m < measures + NR_MEASURES; m++)
		if (m->header && m->kinds & kind && !m->live && !only_count)
			return m;
	return NULL;
}

static void sort_by_next(struct live *l)
{
	struct view *view = &l->shown.view;

	if (view->by_key) {
		view->by_key = false;
		return;
	}
	view->by = next_measure(l);
	view->by_key = !view->by && view->keys & KEY_VM;
}

/* Groups rows by other keys; then the columns are our own, not those of the replaced tool */
static void group_by(struct live *l, unsigned int keys)
{
	struct view *view = &l->shown.view;

	if (keys == view->keys)
		return;
	*view = (struct view){ .keys = keys, .top = view->top };
}

/* Handles a key that changes the view. False: it does not */
static bool change(struct live *l, char key)
{
	struct table_style *table = &l->shown;
	unsigned int keys = table->view.keys, known = l->style.known;

	if (key == 'g')
		group_by(l, view__next_keys(keys, known));
	else if (key == 's')
		sort_by_next(l);
	else if (key == 't' && l->times)
		table->times = !table->times;
	else if (view__toggle_keys(keys, known, key) != keys)
		group_by(l, view__toggle_keys(keys, known, key));
	else
		return false;
	/* Rows cannot be sorted by a column that is not there any more */
	if (table->view.by && !(table->view.by->kinds & table__kind(table)))
		table->view.by = NULL;
	/* A table without reasons already shows all time, so it needs none above */
	table->summary = table->times && table__kind(table) != THREADS ? l->summary : 0;
	return true;
}

/* Handles a byte of the filter's text while it is typed */
static void type(struct live *l, char byte)
{
	size_t len = strlen(l->typed);

	if (byte == '\033') {
		l->typing = false;
	} else if (byte == '\n' || byte == '\r') {
		l->typing = false;
		/* As names are, or it would find none */
		utf8__clean(l->filter, sizeof(l->filter), l->typed, len, 64);
	} else if (byte == 0x7f || byte == '\b') {
		while (len && (l->typed[--len] & 0xc0) == 0x80)
			;
		l->typed[len] = 0;
	} else if (byte == ('U' & 0x1f)) {
		l->typed[0] = 0;
	} else if (!iscntrl((unsigned char)byte) && len < sizeof(l->typed) - 1) {
		l->typed[len] = byte;
		l->typed[len + 1] = 0;
	}
}

static enum wish press(struct live *l, char byte)
{
	const struct table_style before = l->shown;

	if (l->typing) {
		type(l, byte);
		return WISH_REDRAW;
	}
	if (l->helping) {
		l->helping = false;
		return WISH_REDRAW;
	}
	switch (byte) {
	case 'q':
		return WISH_END;
	case ' ':
	case '\n':
	case '\r':
		return WISH_REPORT;
	case 'h':
	case '?':
		l->helping = true;
		return WISH_REDRAW;
	case '/':
		l->typing = true;
		l->typed[0] = 0;
		return WISH_REDRAW;
	case 'L' & 0x1f:
		return WISH_REDRAW;
	}
	if (!change(l, byte))
		return WISH_NOTHING;
	if (table__restyle(l->table, &l->shown))
		l->shown = before;
	return WISH_REDRAW;
}

/* The length of a key of several bytes, such as an arrow; 0: a single byte, as Escape alone */
static size_t sequence_at(const char *bytes, size_t nr)
{
	size_t i = 2;

	if (nr < 2 || bytes[0] != '\033')
		return 0;
	if (bytes[1] == 'O')
		i++;
	else if (bytes[1] == '[')
		while (i < nr && !(bytes[i++] & 0x40))
			;
	return i < nr ? i : nr;
}

enum wish live__press(struct renderer *r, const char *bytes, size_t nr)
{
	struct live *l = live(r);
	enum wish all = WISH_NOTHING;
	size_t i;

	for (i = 0; i < nr && all != WISH_END; i++) {
		size_t sequence = sequence_at(bytes + i, nr - i);
		enum wish wish = sequence ? WISH_NOTHING : press(l, bytes[i]);

		all = wish > all ? wish : all;
		i += sequence ? sequence - 1 : 0;
	}
	return all;
}

static void live__free(struct renderer *r)
{
	struct live *l = live(r);

	if (l->table)
		l->table->free(l->table);
	groups__free(l->samples);
	groups__free(l->threads);
	free(l->kept_samples);
	free(l->kept_threads);
	free(l->text);
	free(l);
}

struct renderer *live__new(const struct table_style *table, const struct live_style *style)
{
	struct live *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->renderer = (struct renderer){ .print = live__print, .free = live__free };
	l->style = *style;
	l->shown = *table;
	l->summary = table->summary;
	l->times = table->times;
	l->terminal = table->window;
	l->shown.window = &l->window;
	l->table = table__new(&l->shown);
	l->samples = groups__new(view__every_key());
	l->threads = groups__new(view__every_key());
	if (!l->table || !l->samples || !l->threads) {
		live__free(&l->renderer);
		return NULL;
	}
	return &l->renderer;
}
