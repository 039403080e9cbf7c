// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "selftest/result.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/ndjson.h"
#include "lib/util.h"

static const char *const verdicts[] = {
	[VERDICT_NONE] = "none",
	[VERDICT_EXACT] = "exact",
	[VERDICT_WRONG] = "wrong",
};

static int compare_doubles(const void *a, const void *b)
{
	return THREE_WAY(*(const double *)a, *(const double *)b);
}

/* The one of @n sorted values below which @percent of them are */
static double quantile(const double *sorted, size_t n, unsigned int percent)
{
	return n ? sorted[(n - 1) * percent / 100] : 0;
}

double cost__base(const struct cost *cost)
{
	double sorted[MAX_PAIRS];

	memcpy(sorted, cost->without, sizeof(sorted));
	qsort(sorted, cost->pairs, sizeof(*sorted), compare_doubles);
	return quantile(sorted, cost->pairs, 50);
}

struct spread cost__added(const struct cost *cost)
{
	double added[MAX_PAIRS] = { 0 };
	size_t i;

	for (i = 0; i < cost->pairs; i++)
		added[i] = cost->with[i] - cost->without[i];
	qsort(added, cost->pairs, sizeof(*added), compare_doubles);
	return (struct spread){
		.low = quantile(added, cost->pairs, 25),
		.median = quantile(added, cost->pairs, 50),
		.high = quantile(added, cost->pairs, 75),
	};
}

/* Whether a cost means something: not with few pairs, and not on a busy host */
static bool is_clear(const struct cost *cost)
{
	struct spread added = cost__added(cost);

	return cost->pairs >= 3 && added.high - added.low <= cost__base(cost) / 10;
}

static double per_cent(double part, double whole)
{
	return whole > 0 ? 100 * part / whole : 0;
}

/* ---- as text ---- */

static bool was_tried(const struct trial *t)
{
	return t->verdict != VERDICT_NONE;
}

/* "direct", "direct --time", "direct --detail" */
static const char *name_of(const struct trial *t, char *buf, size_t size)
{
	snprintf(buf, size, "%s%s%s", t->probe, t->time ? " --time" : "",
		 t->detail ? " --detail" : "");
	return buf;
}

/* A line of a table with a column for each probe, with or without --detail */
static void print_cells(FILE *out, const struct findings *f, bool detail, size_t row,
			void (*print)(FILE *out, const struct findings *f, const struct trial *t,
				      size_t row))
{
	size_t i;

	for (i = 0; i < f->nr_trials; i++) {
		const struct trial *t = &f->trials[i];

		if (was_tried(t) && !t->time && t->detail == detail)
			print(out, f, t, row);
	}
	fputc('\n', out);
}

static void print_probe(FILE *out, const struct findings *f, const struct trial *t, size_t row)
{
	(void)f;
	(void)row;
	fprintf(out, " %10s ", t->probe);
}

static bool is_right(const struct made *made, __u64 counted)
{
	return made->least ? counted >= made->times : counted == made->times;
}

static void print_count(FILE *out, const struct findings *f, const struct trial *t, size_t row)
{
	bool right = is_right(&f->made[row], t->counted[row]);

	fprintf(out, " %10llu%c", t->counted[row], right ? ' ' : '!');
}

static void print_behind(FILE *out, const struct findings *f, const struct trial *t, size_t row)
{
	bool right = is_right(&f->behind[row], t->behind[row]);
	bool wrong = t->verdict == VERDICT_WRONG || t->behind[row] > f->behind[row].times;

	/* '?': the details of the other exits are not known */
	fprintf(out, " %10llu%c", t->behind[row], right ? ' ' : wrong ? '!' : '?');
}

static void print_others(FILE *out, const struct findings *f, const struct trial *t, size_t row)
{
	(void)f;
	(void)row;
	fprintf(out, " %10llu ", t->others);
}

static void print_exits(FILE *out, const struct findings *f, const struct trial *t, size_t row)
{
	(void)f;
	(void)row;
	fprintf(out, " %10llu ", t->exits);
}

static void print_kvm(FILE *out, const struct findings *f, const struct trial *t, size_t row)
{
	(void)f;
	(void)row;
	if (t->kvm)
		fprintf(out, " %10llu%c", t->kvm, t->kvm == t->exits ? ' ' : '!');
	else
		fprintf(out, " %10s ", "-");
}

static void print_counts(FILE *out, const struct findings *f)
{
	size_t i;

	fprintf(out, "%-13s %-16s %6s ", "THE GUEST DID", "REASON", "TIMES");
	print_cells(out, f, false, 0, print_probe);
	for (i = 0; i < f->nr_made; i++) {
		const struct made *m = &f->made[i];

		fprintf(out, "%-13s %-16s %6llu%c", m->what, m->reason, m->times,
			m->least ? '+' : ' ');
		print_cells(out, f, false, i, print_count);
	}
	fprintf(out, "%-13s %-16s %6s ", "", "interrupts ...", "");
	print_cells(out, f, false, 0, print_others);
	fprintf(out, "%-13s %-16s %6s ", "in all", "", "");
	print_cells(out, f, false, 0, print_exits);
	fprintf(out, "%-30s %6s ", "by KVM's own statistics", "");
	print_cells(out, f, false, 0, print_kvm);
}

static void print_times(FILE *out, const struct findings *f)
{
	bool any = false;
	size_t i;

	for (i = 0; i < f->nr_trials; i++) {
		const struct trial *t = &f->trials[i];

		if (!was_tried(t) || !t->time)
			continue;
		if (!any)
			fprintf(out, "\n%-18s %10s %10s %8s %6s %14s %14s\n", "WITH --time",
				"EXITS", "= TIMED", "UNTIMED", "OPEN", "WALL_US", "PARTS_US");
		any = true;
		fprintf(out, "%-18s %10llu %10llu %8llu %6llu %14.3f %14.3f%s\n", t->probe,
			t->exits, t->timed, t->untimed, t->open, t->wall / 1e3, t->parts / 1e3,
			t->verdict == VERDICT_WRONG ? " !" : "");
	}
}

static void print_details(FILE *out, const struct findings *f)
{
	bool any = false;
	int width = 16;
	size_t i;

	for (i = 0; i < f->nr_trials; i++)
		any |= was_tried(&f->trials[i]) && f->trials[i].detail;
	if (!any)
		return;
	/* The texts of arm64's system registers are longer */
	for (i = 0; i < f->nr_behind; i++)
		if ((int)strlen(f->behind[i].reason) > width)
			width = strlen(f->behind[i].reason);
	fprintf(out, "\n%-13s %-*s %6s ", "WITH --detail", width, "BEHIND IT", "TIMES");
	print_cells(out, f, true, 0, print_probe);
	for (i = 0; i < f->nr_behind; i++) {
		const struct made *m = &f->behind[i];

		fprintf(out, "%-13s %-*s %6llu ", m->what, width, m->reason, m->times);
		print_cells(out, f, true, i, print_behind);
	}
}

static void print_costs(FILE *out, const struct findings *f)
{
	bool any = false;
	char name[32];
	size_t i;

	for (i = 0; i < f->nr_trials; i++) {
		const struct cost *cost = &f->trials[i].cost;
		struct spread added = cost__added(cost);

		if (!cost->pairs)
			continue;
		if (!any)
			fprintf(out,
				"\nWHAT IT COSTS HERE, in ns of one of the quickest exits, %s\n"
				"%-18s %10s %10s %23s %9s %6s\n",
				f->quickest, "", "WITHOUT", "ADDED", "THE MIDDLE HALF", "ADDED%",
				"PAIRS");
		any = true;
		fprintf(out, "%-18s %10.0f %10.0f %11.0f to %8.0f %8.1f%% %6zu%s\n",
			name_of(&f->trials[i], name, sizeof(name)), cost__base(cost), added.median,
			added.low, added.high, per_cent(added.median, cost__base(cost)),
			cost->pairs, is_clear(cost) ? "" : "  unclear");
	}
}

static void print_reasons_against(FILE *out, const struct findings *f)
{
	char name[32];
	size_t i;

	for (i = 0; i < f->nr_trials; i++) {
		const struct trial *t = &f->trials[i];

		if (t->verdict != VERDICT_EXACT)
			fprintf(out, "%s%s: %s\n",
				t->verdict == VERDICT_WRONG ? "WRONG: " : "not tried: ",
				name_of(t, name, sizeof(name)), t->why);
	}
}

/* One line with all that somebody else needs to know; users are asked to send it */
static void print_line(FILE *out, const struct findings *f)
{
	const char *comma = "";
	char name[32];
	size_t i;

	fprintf(out, "kvmexit %s: %s, %s, Linux %s:", f->run->version, f->cpu, f->modules,
		f->run->kernel);
	for (i = 0; i < f->nr_trials; i++) {
		const struct trial *t = &f->trials[i];

		if (!was_tried(t))
			continue;
		fprintf(out, "%s %s %s", comma, name_of(t, name, sizeof(name)),
			verdicts[t->verdict]);
		if (is_clear(&t->cost))
			fprintf(out, " %+.0f of %.0f ns", cost__added(&t->cost).median,
				cost__base(&t->cost));
		comma = ",";
	}
	fputc('\n', out);
}

void findings__print(FILE *out, const struct findings *f)
{
	if (f->verdict == VERDICT_NONE)
		return;
	fprintf(out,
		"A guest of %d vCPU threads made these exits, once for each probe, which counted "
		"them:\n\n",
		f->vcpus);
	print_counts(out, f);
	print_times(out, f);
	print_details(out, f);
	print_costs(out, f);
	fputc('\n', out);
	print_reasons_against(out, f);
	fputs(f->verdict == VERDICT_EXACT
		      ? "EXACT: every exit was counted once, and for its reason.\n\n"
		      : "WRONG: do not rely on the counts of this host, and report this:\n\n",
	      out);
	print_line(out, f);
}

/* ---- as records ---- */

static void set_host(struct record *r, const struct findings *f, size_t seq)
{
	record__integer(r, "v", 1);
	record__string(r, "type", "selftest");
	record__time(r, "ts", f->run->start);
	record__integer(r, "seq", seq);
	record__string(r, "kernel", f->run->kernel);
	record__string(r, "version", f->run->version);
	record__string(r, "isa", f->run->isa);
	record__string(r, "cpu", f->cpu);
	record__string(r, "vendor", f->vendor);
	record__string(r, "modules", f->modules);
}

/* What was made and counted, by reason; with --detail by what the guest did */
static void set_counts(struct record *r, const struct findings *f, const struct trial *t)
{
	const struct made *made = t->detail ? f->behind : f->made;
	json_t *want = record__object(r, "made"), *got = record__object(r, "counted");
	size_t i, n = t->detail ? f->nr_behind : f->nr_made;

	for (i = 0; i < n && was_tried(t); i++) {
		const char *key = t->detail ? made[i].what : made[i].reason;

		record__add(r, want, key, made[i].times);
		record__add(r, got, key, t->detail ? t->behind[i] : t->counted[i]);
	}
}

static void set_trial(struct record *r, const struct findings *f, const struct trial *t,
		      const char *why)
{
	record__string(r, "probe", t->probe);
	record__bool(r, "time", t->time);
	record__bool(r, "detail", t->detail);
	record__string(r, "verdict", verdicts[t->verdict]);
	record__string(r, "why", why);
	set_counts(r, f, t);
	record__integer(r, "exits", t->exits);
	record__integer(r, "kvm_exits", t->kvm);
	record__integer(r, "lost", t->lost);
}

static __u64 picoseconds(double ns)
{
	return ns > 0 ? 1000 * ns : 0;
}

/* Both without and with the probe, because the difference may by chance be negative */
static void set_figures(struct record *r, const struct findings *f, const struct trial *t)
{
	double base = cost__base(&t->cost);
	struct spread added = cost__added(&t->cost);

	record__integer(r, "timed", t->timed);
	record__integer(r, "untimed", t->untimed);
	record__integer(r, "open", t->open);
	record__integer(r, "wall_ns", t->wall);
	record__integer(r, "parts_ns", t->parts);
	record__integer(r, "pairs", t->cost.pairs);
	record__integer(r, "without_ps", picoseconds(base));
	record__integer(r, "with_ps", picoseconds(base + added.median));
	record__integer(r, "with_low_ps", picoseconds(base + added.low));
	record__integer(r, "with_high_ps", picoseconds(base + added.high));
	record__string(r, "node", f->run->node);
	record__string(r, "run", f->run->id);
}

int findings__print_records(FILE *out, const struct findings *f)
{
	const struct trial none = { .probe = "", .verdict = VERDICT_NONE };
	struct record host = { 0 }, counts = { 0 }, figures = { 0 };
	struct line *line = calloc(1, sizeof(*line));
	size_t i, n = f->nr_trials ? f->nr_trials : 1;
	int err = line ? 0 : -ENOMEM;

	for (i = 0; i < n && !err; i++) {
		const struct trial *t = f->nr_trials ? &f->trials[i] : &none;

		set_host(&host, f, i);
		set_trial(&counts, f, t, f->nr_trials ? t->why : f->why);
		set_figures(&figures, f, t);
		*line = (struct line){ .limit = LINE_MAX_BYTES };
		err = line__add(line, &host);
		if (!err)
			err = line__add(line, &counts);
		if (!err)
			err = line__add(line, &figures);
		if (!err)
			line__print(line, out);
	}
	record__free(&host);
	record__free(&counts);
	record__free(&figures);
	free(line);
	return err;
}
