// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "render/json.h"

#include <stdlib.h>
#include <string.h>

#include "explain/explain.h"
#include "lib/ndjson.h"
#include "lib/util.h"
#include "names/details.h"
#include "names/reason_filter.h"
#include "names/reasons.h"
#include "rows/fields.h"
#include "rows/groups.h"
#include "snapshot/run.h"

/* The pieces of lines; each piece is filled with the same keys every time */
enum piece {
	PIECE_HEAD,
	PIECE_DURATION,
	PIECE_RUN,
	PIECE_VM,
	PIECE_THREAD,
	PIECE_VCPU,
	PIECE_REASON,
	PIECE_DETAIL,
	PIECE_SUM,
	PIECE_REST,
	PIECE_INTERVAL,
	PIECE_TAIL,
	NR_PIECES,
};

/* A reason's piece of a line as text; it is always the same, so it is kept */
struct reason_text {
	__u32 isa;
	__u32 code;
	size_t used; /* bytes; 0: none yet */
	char text[2 * REASON_NAME_MAX];
};

struct json {
	struct renderer renderer;
	struct json_style style;
	struct record pieces[NR_PIECES];
	struct reason_text reason_texts[256]; /* by the code's lowest bits */
	struct line line;
	struct line tail; /* of lines about @tail_run */
	const struct run *tail_run;
	const struct run *told; /* the run that a reader of the file knows */
	bool details; /* records have them */
	struct groups *vms; /* the VMs that a reader of the file knows */
	struct groups *rows;
	struct groups *reasons; /* of the rows; only if compact */
};

/* Reasons in a line with --compact: at most 68 bytes each, and COMPACT_MAX_BYTES in all */
#define REASONS_PER_LINE 200

/* Begins a line */
static int begin(struct json *j, const char *type, const struct snapshot *snap)
{
	struct record *r = &j->pieces[PIECE_HEAD];

	record__integer(r, "v", 1);
	record__string(r, "type", type);
	record__time(r, "ts", snap->end);
	record__integer(r, "seq", snap->seq);
	j->line.used = 0;
	return line__add(&j->line, r);
}

/* The same for lines in which the interval's length comes next */
static int begin_timed(struct json *j, const char *type, const struct snapshot *snap)
{
	struct record *r = &j->pieces[PIECE_DURATION];
	__u64 ms = snap->duration / NSEC_PER_MSEC;
	int err = begin(j, type, snap);

	record__integer(r, "dur_ms", ms ? ms : 1);
	return err ? err : line__add(&j->line, r);
}

/* Adds node and run to a line, and prints it */
static int finish_line(struct json *j, FILE *out, const struct run *run)
{
	struct record *tail = &j->pieces[PIECE_TAIL];
	int err = 0;

	if (j->tail_run != run) {
		record__string(tail, "node", run->node);
		record__string(tail, "run", run->id);
		j->tail.used = 0;
		err = line__add(&j->tail, tail);
		j->tail_run = run;
	}
	if (!err)
		err = line__append(&j->line, j->tail.text, j->tail.used);
	if (!err)
		line__print(&j->line, out);
	return err;
}

/* The same, after it has added a piece that was filled */
static int finish(struct json *j, FILE *out, enum piece piece, const struct run *run)
{
	int err = line__add(&j->line, &j->pieces[piece]);

	return err ? err : finish_line(j, out, run);
}

/* Sets those fields from @first up to @end that rows told apart by @keys have */
static void set_fields(struct record *r, const struct sample *row, const struct snapshot *snap,
		       unsigned int keys, enum field first, enum field end)
{
	char buf[FIELD_SIZE];
	enum field i;

	for (i = first; i < end; i++) {
		if (!field__is_in(i, keys))
			continue;
		if (fields[i].number)
			record__integer(r, fields[i].key, fields[i].number(row));
		else
			record__string(r, fields[i].key, fields[i].text(row, snap, buf));
	}
}

static enum kind kind_of(const struct json *j, const struct sample *row)
{
	unsigned int keys = j->style.view.keys;

	if (!row->times)
		return COUNTED;
	return (keys ? keys & KEY_DETAIL : j->details) ? DETAILED : TIMED;
}

static void set_measures(struct record *r, const struct sample *row, const struct snapshot *snap,
			 enum kind kind, bool with_count)
{
	const struct measure_kind *m = measures + !with_count;

	for (; m != measures + NR_MEASURES; m++)
		if (m->key && m->kinds & kind && !(m->needs & snap->untold))
			record__integer(r, m->key, m->value(row, snap));
}

/* Adds measures to the line of an exit or thread; there are many such lines */
static int add_measures(struct json *j, const struct sample *s, const struct snapshot *snap,
			enum kind kind)
{
	const struct measure_kind *m;
	int err = 0;

	for (m = measures; m != measures + NR_MEASURES && !err; m++)
		if (m->key && m->kinds & kind && !(m->needs & snap->untold))
			err = line__integer(&j->line, m->key, m->value(s, snap));
	return err;
}

/* When lines get other keys than before, the pieces are made anew */
static void forget_pieces(struct json *j)
{
	size_t i;

	for (i = 0; i < NR_PIECES; i++) {
		record__free(&j->pieces[i]);
		j->pieces[i] = (struct record){ 0 };
	}
	j->tail_run = NULL;
}

static int print_run(struct json *j, FILE *out, const struct snapshot *snap)
{
	struct record *r = &j->pieces[PIECE_RUN];
	const struct run *run = snap->run;
	int err = begin(j, "run", snap);

	record__time(r, "start", run->start);
	record__string(r, "boot_id", run->boot_id);
	record__string(r, "kernel", run->kernel);
	record__string(r, "probe", run->probe);
	record__string(r, "version", run->version);
	record__string(r, "options", run->options);
	record__string(r, "isa", run->isa);
	return err ? err : finish(j, out, PIECE_RUN, run);
}

static int print_vm(struct json *j, FILE *out, const struct snapshot *snap, const struct vm *vm)
{
	struct record *r = &j->pieces[PIECE_VM];
	int err = begin(j, "vm", snap);

	record__integer(r, "pid", vm->pid);
	record__integer(r, "start", vm->start);
	record__string(r, "comm", vm->comm);
	record__string(r, "vm", vm->name);
	record__string(r, "uuid", vm->uuid);
	record__string(r, "vmm", vm->vmm);
	return err ? err : finish(j, out, PIECE_VM, snap->run);
}

/* Prints what the file does not have yet: the run, and VMs that are new */
static int print_new(struct json *j, FILE *out, const struct snapshot *snap)
{
	struct vm *last = NULL;
	size_t i, known, nr;
	const struct sample *vms;
	int err = 0;

	if (j->details != snap->details)
		forget_pieces(j);
	j->details = snap->details;
	if (j->told != snap->run) {
		groups__clear(j->vms);
		forget_pieces(j);
		err = print_run(j, out, snap);
		if (!err)
			j->told = snap->run;
	}
	groups__next(j->vms);
	groups__all(j->vms, &known);
	for (i = 0; i < snap->nr_samples && !err; last = snap->samples[i++].vm)
		if (snap->samples[i].vm != last)
			err = groups__add(j->vms, &snap->samples[i], 1);
	for (vms = groups__all(j->vms, &nr); known < nr && !err; known++)
		err = print_vm(j, out, snap, vms[known].vm);
	return err;
}

/* "full 12, codes 3" */
static void format_causes(char *text, size_t size, const __u64 *lost)
{
	size_t i, used = 0;

	*text = 0;
	for (i = 0; i < NR_CAUSES; i++)
		if (lost[i] && used < size)
			used += snprintf(text + used, size - used, "%s%s %llu", used ? ", " : "",
					 causes[i].name, lost[i]);
}

/* @records: with counts, before this one */
static int print_interval(struct json *j, FILE *out, const struct snapshot *snap, size_t records)
{
	struct record *r = &j->pieces[PIECE_INTERVAL];
	int err = begin_timed(j, "interval", snap);
	char why[NR_CAUSES * 32], uncertain[MISSES_ROOM];

	format_causes(why, sizeof(why), snap->lost_now);
	misses__format(uncertain, &snap->missed_now);
	record__integer(r, "vms", snap->vms);
	record__integer(r, "vcpus", snap->vcpus);
	record__integer(r, "records", records);
	record__integer(r, "exits", snap->exits);
	record__integer(r, "lost", snapshot__lost(snap));
	record__bool(r, "final", snap->final);
	record__string(r, "version", snap->run->version);
	record__integer(r, "failed_entries", snap->flags[FLAG_FAILED_ENTRY]);
	record__integer(r, "bus_locks", snap->flags[FLAG_BUS_LOCK]);
	record__integer(r, "enclave_exits", snap->flags[FLAG_ENCLAVE]);
	record__integer(r, "dur_ns", snap->duration);
	record__string(r, "probe", snap->run->probe);
	record__integer(r, "lost_now", sum_of_causes(snap->lost_now));
	record__string(r, "lost_why", why);
	record__integer(r, "hidden", snap->hidden);
	record__string(r, "uncertain", uncertain);
	return err ? err : finish(j, out, PIECE_INTERVAL, snap->run);
}

static bool same_thread(const struct sample *a, const struct sample *b)
{
	return a->vm == b->vm && a->tid == b->tid && a->vcpu == b->vcpu && a->isa == b->isa;
}

/* Only what differs from line to line is dumped anew: this takes half the time */
static int add_reason(struct json *j, const struct sample *s, const struct snapshot *snap)
{
	struct reason_text *t = &j->reason_texts[s->code % ARRAY_SIZE(j->reason_texts)];
	size_t at = j->line.used - 1, size;
	int err;

	if (t->used && t->isa == s->isa && t->code == s->code)
		return line__append(&j->line, t->text, t->used);
	set_fields(&j->pieces[PIECE_REASON], s, snap, KEY_ALL, FIELD_REASON, FIELD_DETAIL);
	err = line__add(&j->line, &j->pieces[PIECE_REASON]);
	size = j->line.used - at;
	if (err || size > sizeof(t->text))
		return err;
	*t = (struct reason_text){ .isa = s->isa, .code = s->code, .used = size };
	memcpy(t->text, j->line.text + at, size);
	t->text[0] = '{';
	return 0;
}

/* The detail is the last field, because it is the newest: older fields keep their places */
static int finish_exit(struct json *j, FILE *out, const struct sample *s,
		       const struct snapshot *snap)
{
	int err = add_measures(j, s, snap, kind_of(j, s));

	if (!snap->details)
		return err ? err : finish_line(j, out, snap->run);
	set_fields(&j->pieces[PIECE_DETAIL], s, snap, KEY_ALL, FIELD_DETAIL, NR_FIELDS);
	return err ? err : finish(j, out, PIECE_DETAIL, snap->run);
}

/* The part before the reason is made only once for each thread */
static int print_exits(struct json *j, FILE *out, const struct snapshot *snap)
{
	const struct sample *last = NULL, *end = snap->samples + snap->nr_samples, *s;
	int err = begin_timed(j, "exit", snap);
	size_t head = j->line.used, thread = 0;

	for (s = snap->samples; s != end && !err; last = s++) {
		if (!last || !same_thread(last, s)) {
			set_fields(&j->pieces[PIECE_THREAD], s, snap, KEY_ALL, 0, FIELD_REASON);
			j->line.used = head;
			err = line__add(&j->line, &j->pieces[PIECE_THREAD]);
			thread = j->line.used;
		}
		j->line.used = thread;
		if (!err)
			err = add_reason(j, s, snap);
		if (!err)
			err = finish_exit(j, out, s, snap);
	}
	return err;
}

/* Prints where the time of each vCPU thread went */
static int print_vcpus(struct json *j, FILE *out, const struct snapshot *snap)
{
	struct record *r = &j->pieces[PIECE_VCPU];
	size_t i;
	int err = 0;

	for (i = 0; i < snap->nr_threads && !err; i++) {
		const struct sample *s = &snap->threads[i];

		err = begin_timed(j, "vcpu", snap);
		set_fields(r, s, snap, KEY_ALL, 0, FIELD_ISA);
		if (!err)
			err = line__add(&j->line, r);
		if (!err)
			err = add_measures(j, s, snap, THREADS);
		if (!err)
			err = finish_line(j, out, snap->run);
	}
	return err;
}

static int print_sum(struct json *j, FILE *out, const struct snapshot *snap,
		     const struct sample *row)
{
	struct record *r = &j->pieces[PIECE_SUM];
	int err = begin(j, "sum", snap);

	set_fields(r, row, snap, j->style.view.keys, 0, NR_FIELDS);
	set_measures(r, row, snap, kind_of(j, row), true);
	return err ? err : finish(j, out, PIECE_SUM, snap->run);
}

/*
 * Prints a row with its reasons, @nr of them from @first on; in several lines if there
 * are many. Returns the number of lines or -errno.
 */
static long print_compact(struct json *j, FILE *out, const struct snapshot *snap,
			  const struct sample *row, const struct sample *first, size_t nr)
{
	struct record *r = &j->pieces[PIECE_SUM];
	char name[REASON_NAME_MAX];
	size_t i = 0, lines = 0;

	for (; i < nr; lines++) {
		size_t end = nr - i > REASONS_PER_LINE ? i + REASONS_PER_LINE : nr;
		int err = begin(j, "sum", snap);
		json_t *counts;

		set_fields(r, first, snap, j->style.view.keys | KEY_REASON, 0, FIELD_REASON);
		counts = record__object(r, "reasons");
		/* With --time there are also reasons without an exit, whose span is still open */
		for (; counts && i < end; i++)
			if (first[i].count)
				record__add(r, counts,
					    reason__name(first[i].isa, first[i].code, name,
							 sizeof(name)),
					    first[i].count);
		set_measures(r, row, snap, kind_of(j, row), false);
		if (!err)
			err = finish(j, out, PIECE_SUM, snap->run);
		if (err)
			return err;
	}
	return lines;
}

/* Prints the sum of what was cut off, so that the sums still add up */
static int print_rest(struct json *j, FILE *out, const struct snapshot *snap,
		      const struct rows *rows)
{
	struct record *r = &j->pieces[PIECE_REST];
	enum kind kind = kind_of(j, &rows->rows[0]);
	const struct measure_kind *m;
	int err = begin(j, "rest", snap);

	record__integer(r, "rows", rows->cut);
	for (m = measures; m != measures + NR_MEASURES; m++)
		if (m->key && m->sums && m->kinds & kind && !(m->needs & snap->untold))
			record__integer(r, m->key, m->value(&rows->rest, snap));
	return err ? err : finish(j, out, PIECE_REST, snap->run);
}

/* The reasons of @row among @all, which are sorted by key: the first; *@nr of them */
static const struct sample *reasons_of(const struct rows *all, const struct sample *row, size_t *nr)
{
	size_t low = 0, high = all->nr, end;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (groups__compare_keys(&all->rows[mid], row) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	for (end = low; end < all->nr && !groups__compare_keys(&all->rows[end], row); end++)
		;
	*nr = end - low;
	return &all->rows[low];
}

/* Makes the rows, and in @of_rows their reasons if they are wanted */
static int make_rows(struct json *j, const struct snapshot *snap, struct rows *rows,
		     struct rows *of_rows)
{
	static const struct view by_key = { .by_key = true };
	int err;

	groups__next(j->rows);
	err = groups__add(j->rows, snap->samples, snap->nr_samples);
	if (!err)
		err = groups__sort(j->rows, &j->style.view, rows);
	if (err || !j->reasons)
		return err;
	groups__clear(j->reasons);
	err = groups__add(j->reasons, snap->samples, snap->nr_samples);
	return err ? err : groups__sort(j->reasons, &by_key, of_rows);
}

/* The number of records or -errno */
static long print_rows(struct json *j, FILE *out, const struct snapshot *snap)
{
	struct rows rows = { 0 }, of_rows = { 0 };
	int err = make_rows(j, snap, &rows, &of_rows);
	long n = 1, records = 0;
	size_t i, nr;

	if (err)
		return err;
	for (i = 0; i < rows.nr; i++, records += n) {
		const struct sample *row = &rows.rows[i], *first;

		if (j->reasons) {
			first = reasons_of(&of_rows, row, &nr);
			n = print_compact(j, out, snap, row, first, nr);
		} else {
			err = print_sum(j, out, snap, row);
		}
		if (err || n < 0)
			return err ? err : n;
	}
	if (!rows.cut)
		return records;
	err = print_rest(j, out, snap, &rows);
	return err ? err : records + 1;
}

static int json__print(struct renderer *r, FILE *out, const struct snapshot *snap)
{
	struct json *j = (struct json *)r;
	long records = snap->nr_samples;
	int err = print_new(j, out, snap);

	if (!err && j->rows) {
		records = print_rows(j, out, snap);
		err = records < 0 ? records : 0;
	} else if (!err) {
		err = print_exits(j, out, snap);
		if (!err)
			err = print_vcpus(j, out, snap);
	}
	if (!err && snap->explanation)
		err = explanation__print_json(snap->explanation, out, snap);
	return err ? err : print_interval(j, out, snap, records);
}

static void json__restart(struct renderer *r)
{
	((struct json *)r)->told = NULL;
}

static void json__free(struct renderer *r)
{
	struct json *j = (struct json *)r;

	forget_pieces(j);
	groups__free(j->vms);
	groups__free(j->rows);
	groups__free(j->reasons);
	free(j);
}

struct renderer *json__new(const struct json_style *style)
{
	struct json *j = calloc(1, sizeof(*j));
	unsigned int keys = style->view.keys;

	if (!j)
		return NULL;
	j->renderer = (struct renderer){
		.print = json__print,
		.restart = json__restart,
		.free = json__free,
	};
	j->style = *style;
	j->line.limit = style->compact ? COMPACT_MAX_BYTES : LINE_MAX_BYTES;
	j->tail.limit = LINE_MAX_BYTES;
	j->vms = groups__new(KEY_VM);
	j->rows = keys ? groups__new(keys) : NULL;
	j->reasons = style->compact ? groups__new(keys | KEY_REASON) : NULL;
	if (j->vms && !j->rows == !keys && !j->reasons == !style->compact)
		return (struct renderer *)j;
	json__free((struct renderer *)j);
	return NULL;
}

static void set_vm(struct record *r, const char *type, const struct vm *vm)
{
	record__integer(r, "v", 1);
	record__string(r, "type", type);
	record__integer(r, "pid", vm->pid);
	record__string(r, "comm", vm->comm);
	record__string(r, "vm", vm->name);
	record__string(r, "vmm", vm->vmm);
}

int json__print_vms(FILE *out, const struct vmlist *list)
{
	struct record vms = { 0 }, vcpus = { 0 };
	size_t i, k;
	int err = 0;

	for (i = 0; i < list->nr_vms && !err; i++) {
		const struct listed_vm *vm = &list->vms[i];

		set_vm(&vms, "vm", &vm->vm);
		record__integer(&vms, "vcpus", vm->nr_vcpus);
		err = record__print(out, &vms);
		for (k = 0; k < vm->nr_vcpus && !err; k++) {
			set_vm(&vcpus, "vcpu", &vm->vm);
			record__integer(&vcpus, "vcpu", vm->vcpus[k].id);
			record__integer(&vcpus, "tid", vm->vcpus[k].tid);
			err = record__print(out, &vcpus);
		}
	}
	record__free(&vms);
	record__free(&vcpus);
	return err;
}

static int print_detail(FILE *out, struct record *r, const struct named_detail *named)
{
	char text[DETAIL_TEXT_MAX];

	record__string(r, "detail", named_detail__text(named, text, sizeof(text)));
	record__string(r, "name", named->name);
	return record__print(out, r);
}

int json__print_reasons(FILE *out, struct filter *wanted)
{
	struct record r = { 0 }, details = { 0 };
	int err = 0;
	size_t i;

	for (i = 0; i < reasons_count && !err; i++) {
		if (wanted && !filter__keeps(wanted, reasons[i].isa, reasons[i].code))
			continue;
		record__string(&r, "isa", isa__name(reasons[i].isa));
		record__integer(&r, "code", reasons[i].code);
		record__string(&r, "reason", reasons[i].name);
		record__string(&r, "meaning", reasons[i].meaning);
		err = record__print(out, &r);
	}
	for (i = 0; wanted && i < named_details_count && !err; i++)
		if (filter__wants(wanted, &named_details[i]))
			err = print_detail(out, &details, &named_details[i]);
	record__free(&r);
	record__free(&details);
	return err;
}
