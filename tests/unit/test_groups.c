// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Rows: collapsed, sorted, cut; totals over intervals */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "lib/util.h"
#include "rows/fields.h"
#include "rows/groups.h"
#include "snapshot/run.h"
#include "vm/vm.h"

/* Rows are written down as far as they are told apart */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#define THREADS (KEY_VM | KEY_THREAD | KEY_REASON)

static const struct run host = { .node = "host" };

static struct vm a = { .node = host.node, .pid = 2000 }, b = { .node = host.node, .pid = 300 };

/* Two VMs, one with two threads of which one ran two vCPUs, and both ISAs */
static struct sample samples[] = {
	{ &a, .tid = 2001, .vcpu = 0, .isa = ISA_VMX, .code = 12, .count = 5 },
	{ &a, .tid = 2001, .vcpu = 0, .isa = ISA_VMX, .code = 48, .count = 9 },
	{ &a, .tid = 2002, .vcpu = 1, .isa = ISA_VMX, .code = 1, .count = 7 },
	{ &a, .tid = 2002, .vcpu = 1, .isa = ISA_VMX, .code = 12, .count = 7 },
	{ &a, .tid = 2002, .vcpu = 1, .isa = ISA_SVM, .code = 12, .count = 7 },
	{ &a, .tid = 2001, .vcpu = 2, .isa = ISA_VMX, .code = 12, .count = 10 },
	{ &b, .tid = 3001, .vcpu = 0, .isa = ISA_VMX, .code = 48, .count = 1 },
	{ &b, .tid = 305, .vcpu = 1, .isa = ISA_VMX, .code = 48, .count = 1ull << 40 },
};

static void check_rows(int line, const struct rows *rows, const struct sample *want, size_t nr)
{
	bool ok = check__int(__FILE__, line, "number of rows", rows->nr, nr);
	size_t i;

	for (i = 0; ok && i < nr; i++) {
		const struct sample *row = &rows->rows[i];

		ok &= check__cond(__FILE__, line, "the VM is as wanted", row->vm == want[i].vm);
		ok &= check__int(__FILE__, line, "tid", row->tid, want[i].tid);
		ok &= check__int(__FILE__, line, "vcpu", row->vcpu, want[i].vcpu);
		ok &= check__int(__FILE__, line, "isa", row->isa, want[i].isa);
		ok &= check__int(__FILE__, line, "code", row->code, want[i].code);
		ok &= check__int(__FILE__, line, "detail", row->detail, want[i].detail);
		ok &= check__int(__FILE__, line, "count", row->count, want[i].count);
		if (!ok)
			fprintf(stderr, "\tin row %zu\n", i);
	}
}

static void check_view(int line, const struct view *view, const struct sample *want, size_t nr)
{
	struct groups *g = groups__new(view->keys);
	struct rows rows;

	CHECK_INT(groups__add(g, samples, ARRAY_SIZE(samples)), 0);
	CHECK_INT(groups__sort(g, view, &rows), 0);
	CHECK_INT(rows.cut, 0);
	check_rows(line, &rows, want, nr);
	groups__free(g);
}

#define CHECK_VIEW(keys, by_key, want)                                              \
	check_view(__LINE__, &(struct view){ keys, by_key, false, false, 0 }, want, \
		   ARRAY_SIZE(want))

static void test_threads(void)
{
	static const struct sample want[] = {
		{ &b, 305, 0, ISA_VMX, 48, 1ull << 40 }, { &b, 3001, 0, ISA_VMX, 48, 1 },
		{ &a, 2001, 0, ISA_VMX, 12, 15 },	 { &a, 2001, 0, ISA_VMX, 48, 9 },
		{ &a, 2002, 0, ISA_VMX, 1, 7 },		 { &a, 2002, 0, ISA_VMX, 12, 7 },
		{ &a, 2002, 0, ISA_SVM, 12, 7 },
	};

	CHECK_VIEW(THREADS, true, want);
}

/* Without the VM, in the order of the TIDs alone */
static void test_tids(void)
{
	static const struct sample want[] = {
		{ NULL, 305, 0, ISA_VMX, 48, 1ull << 40 }, { NULL, 2001, 0, ISA_VMX, 12, 15 },
		{ NULL, 2001, 0, ISA_VMX, 48, 9 },	   { NULL, 2002, 0, ISA_VMX, 1, 7 },
		{ NULL, 2002, 0, ISA_VMX, 12, 7 },	   { NULL, 2002, 0, ISA_SVM, 12, 7 },
		{ NULL, 3001, 0, ISA_VMX, 48, 1 },
	};

	CHECK_VIEW(KEY_THREAD | KEY_REASON, true, want);
}

static void test_reasons(void)
{
	static const struct sample want[] = {
		{ NULL, 0, 0, ISA_VMX, 48, (1ull << 40) + 10 },
		{ NULL, 0, 0, ISA_VMX, 12, 22 },
		{ NULL, 0, 0, ISA_VMX, 1, 7 },
		{ NULL, 0, 0, ISA_SVM, 12, 7 },
	};

	CHECK_VIEW(KEY_REASON, true, want);
	CHECK_VIEW(KEY_REASON, false, want);
}

static void test_most_first(void)
{
	static const struct sample vms[] = {
		{ &b, .count = (1ull << 40) + 1 },
		{ &a, .count = 45 },
	};
	static const struct sample vcpus[] = {
		{ &b, .vcpu = 1, .count = 1ull << 40 }, { &a, .vcpu = 1, .count = 21 },
		{ &a, .vcpu = 0, .count = 14 },		{ &a, .vcpu = 2, .count = 10 },
		{ &b, .vcpu = 0, .count = 1 },
	};
	static const struct sample vms_reasons[] = {
		{ &b, 0, 0, ISA_VMX, 48, (1ull << 40) + 1 },
		{ &a, 0, 0, ISA_VMX, 12, 22 },
		{ &a, 0, 0, ISA_VMX, 48, 9 },
		{ &a, 0, 0, ISA_VMX, 1, 7 },
		{ &a, 0, 0, ISA_SVM, 12, 7 },
	};

	CHECK_VIEW(KEY_VM, false, vms);
	CHECK_VIEW(KEY_VM | KEY_VCPU, false, vcpus);
	CHECK_VIEW(KEY_VM | KEY_REASON, false, vms_reasons);
}

/* A detail is told apart by what it is of; without the key it is none */
static void test_details(void)
{
	static struct sample detailed[] = {
		{ &a, 2001, 0, ISA_VMX, 32, 5, .detail = 7 },
		{ &a, 2002, 1, ISA_VMX, 32, 4, .detail = 7 },
		{ &a, 2001, 0, ISA_VMX, 31, 3, .detail = 7 },
		{ &a, 2001, 0, ISA_VMX, 32, 2, .detail = DETAIL_OTHER },
		{ &b, 301, 0, ISA_VMX, 32, 1, .detail = 0 },
	};
	static const struct sample want[] = {
		{ NULL, 0, 0, ISA_VMX, 32, 9, .detail = 7 },
		{ NULL, 0, 0, ISA_VMX, 31, 3, .detail = 7 },
		{ NULL, 0, 0, ISA_VMX, 32, 2, .detail = DETAIL_OTHER },
		{ NULL, 0, 0, ISA_VMX, 32, 1, .detail = 0 },
	};
	static const struct sample reasons[] = {
		{ NULL, 0, 0, ISA_VMX, 32, 12 },
		{ NULL, 0, 0, ISA_VMX, 31, 3 },
	};
	struct groups *g = groups__new(KEY_REASON | KEY_DETAIL), *whole = groups__new(KEY_REASON);
	struct rows rows;

	CHECK(!groups__row(g, &detailed[1]));
	CHECK_INT(groups__add(g, detailed, ARRAY_SIZE(detailed)), 0);
	CHECK_INT(groups__row(g, &detailed[1])->count, 9);
	CHECK_INT(groups__sort(g, &(struct view){ 0 }, &rows), 0);
	check_rows(__LINE__, &rows, want, ARRAY_SIZE(want));
	CHECK_INT(groups__add(whole, detailed, ARRAY_SIZE(detailed)), 0);
	CHECK_INT(groups__sort(whole, &(struct view){ 0 }, &rows), 0);
	check_rows(__LINE__, &rows, reasons, ARRAY_SIZE(reasons));
	groups__free(g);
	groups__free(whole);
}

static void test_empty(void)
{
	struct groups *g = groups__new(THREADS);
	struct rows rows;

	groups__next(g);
	CHECK_INT(groups__add(g, NULL, 0), 0);
	CHECK_INT(groups__sort(g, &(struct view){ .top = 1 }, &rows), 0);
	CHECK_INT(rows.nr, 0);
	CHECK_INT(rows.cut, 0);
	groups__clear(g);
	groups__free(g);
}

/* The rows do not depend on the samples' order */
static void test_any_order(void)
{
	size_t shift, i;

	for (shift = 0; shift < ARRAY_SIZE(samples); shift++) {
		struct sample first = samples[0];

		for (i = 1; i < ARRAY_SIZE(samples); i++)
			samples[i - 1] = samples[i];
		samples[ARRAY_SIZE(samples) - 1] = first;
		test_threads();
		test_reasons();
	}
}

/* The most frequent stay, in the view's order; the others' sum is told */
static void test_cut(void)
{
	static struct vm vms[] = { { .node = host.node, .pid = 1 },
				   { .node = host.node, .pid = 2 },
				   { .node = host.node, .pid = 3 } };
	static const struct sample some[] = {
		{ &vms[0], 1, 0, ISA_VMX, 12, 5 }, { &vms[0], 1, 0, ISA_VMX, 10, 50 },
		{ &vms[1], 2, 0, ISA_VMX, 12, 7 }, { &vms[1], 2, 0, ISA_VMX, 32, 1 },
		{ &vms[2], 3, 0, ISA_VMX, 12, 9 },
	};
	static const struct sample three[] = { some[1], some[2], some[4] };
	static const struct sample most_first[] = { some[1], some[4], some[2] };
	struct view view = { .keys = THREADS, .by_key = true, .top = 5 };
	struct groups *g = groups__new(THREADS);
	struct rows rows;

	CHECK_INT(groups__add(g, some, ARRAY_SIZE(some)), 0);
	CHECK_INT(groups__sort(g, &view, &rows), 0);
	CHECK_INT(rows.nr, 5);
	CHECK_INT(rows.cut, 0);
	CHECK_INT(rows.rest.count, 0);
	view.top = 3;
	CHECK_INT(groups__sort(g, &view, &rows), 0);
	check_rows(__LINE__, &rows, three, 3);
	CHECK_INT(rows.cut, 2);
	CHECK_INT(rows.rest.count, 6);
	view.by_key = false;
	CHECK_INT(groups__sort(g, &view, &rows), 0);
	check_rows(__LINE__, &rows, most_first, 3);
	groups__free(g);
}

/* The row of a VM among all, or NULL */
static const struct sample *row_of(struct groups *g, const struct vm *vm)
{
	size_t nr, i;
	const struct sample *rows = groups__all(g, &nr);

	for (i = 0; i < nr; i++)
		if (rows[i].vm == vm)
			return &rows[i];
	return NULL;
}

/* Counts are the interval's, totals since the start; a VM that ended is let go */
static void test_intervals(void)
{
	struct vm *c = calloc(1, sizeof(*c));
	struct sample more = { c, .tid = 1, .isa = ISA_VMX, .code = 12, .count = 3 };
	struct groups *g = groups__new(KEY_VM);
	struct rows rows;

	c->node = host.node;
	groups__next(g);
	CHECK_INT(groups__add(g, &more, 1), 0);
	CHECK_INT(groups__add(g, samples, ARRAY_SIZE(samples)), 0);
	groups__next(g);
	more.count = 4;
	CHECK_INT(groups__add(g, &more, 1), 0);
	CHECK_INT(groups__sort(g, &(struct view){ 0 }, &rows), 0);
	CHECK_INT(rows.nr, 1);
	CHECK_INT(rows.rows[0].count, 4);
	CHECK_INT(rows.rows[0].total, 7);
	CHECK_INT(row_of(g, &a)->count, 0);
	CHECK_INT(row_of(g, &a)->total, 45);
	/* Still there until its time has come */
	vm__end(c, 1000);
	groups__drop(g, 999);
	CHECK_INT(row_of(g, c)->total, 7);
	groups__next(g);
	CHECK(!row_of(g, c));
	CHECK_INT(groups__add(g, samples, 1), 0);
	CHECK_INT(row_of(g, &a)->count, samples[0].count);
	CHECK_INT(row_of(g, &a)->total, 45 + samples[0].count);
	groups__free(g);
	CHECK_INT(a.refs, 0);
}

/* A guest with ever new details: their rows become `other`, and all totals add up */
static void test_new_details(void)
{
	struct groups *g = groups__new(KEY_VM | KEY_REASON | KEY_DETAIL);
	struct sample s[500] = { 0 };
	struct rows rows;
	__u64 total = 0;
	size_t i, all;
	__u32 round;

	for (round = 0; round < 200; round++) {
		groups__next(g);
		for (i = 0; i < ARRAY_SIZE(s); i++)
			s[i] = (struct sample){ &a, .isa = ISA_SVM, .code = 0x72, .count = 1 };
		for (i = 1; i < ARRAY_SIZE(s); i++)
			s[i].detail = detail_leaf(round * ARRAY_SIZE(s) + i, 0);
		s[0].detail = detail_leaf(1u << 31, 0);
		CHECK_INT(groups__add(g, s, ARRAY_SIZE(s)), 0);
		CHECK_INT(groups__sort(g, &(struct view){ 0 }, &rows), 0);
		CHECK_INT(rows.nr, ARRAY_SIZE(s));
	}
	CHECK_INT(groups__row(g, &s[0])->total, 200);
	groups__all(g, &all);
	CHECK(all < 18000);
	for (i = 0; i < all; i++)
		total += groups__all(g, &all)[i].total;
	CHECK_INT(total, 200 * ARRAY_SIZE(s));
	groups__free(g);
	CHECK_INT(a.refs, 0);
}

/* Many rows, found again each time */
static void test_many(void)
{
	enum {
		MANY = 20000
	};
	struct groups *g = groups__new(THREADS);
	struct rows rows;
	int i, k;

	for (k = 0; k < 3; k++) {
		groups__next(g);
		for (i = 0; i < MANY; i++) {
			struct sample s = { &a, i / 20, 0, ISA_VMX, i % 20, 1 + i };

			if (!CHECK_INT(groups__add(g, &s, 1), 0))
				return;
		}
	}
	CHECK_INT(groups__sort(g, &(struct view){ .by_key = true }, &rows), 0);
	CHECK_INT(rows.nr, MANY);
	for (i = 0; i < MANY; i++)
		if (!CHECK_INT(rows.rows[i].total, 3 * (i / 20 * 20 + 20 - i % 20)))
			break;
	groups__free(g);
	CHECK_INT(a.refs, 0);
}

/* Most first of any measure; what has none of it is last, and cut first */
static void test_by_measure(void)
{
	static struct times waits[] = {
		{ .part = { [PART_WAIT] = 5000000 }, .max = 10, .buckets[3] = 1 },
		{ .part = { [PART_WAIT] = 9000000 } },
		{ .part = { [PART_WAIT] = 7000000 }, .max = 30, .buckets[3] = 1 },
	};
	static const struct sample rows_of[] = {
		{ &a, 0, 0, ISA_VMX, 1, 10, 10, &waits[0] },
		{ &a, 0, 0, ISA_VMX, 2, 30, 30, &waits[1] },
		{ &a, 0, 0, ISA_VMX, 3, 20, 20, &waits[2] },
	};
	static const struct {
		const char *header;
		__u32 codes[3];
	} cases[] = {
		{ "COUNT", { 2, 3, 1 } },   { "WAIT_MS", { 2, 3, 1 } }, { "MAX_US", { 3, 1, 2 } },
		{ "TIME%", { 2, 3, 1 } },   { "AVG_US", { 1, 3, 2 } },	{ "KVM_MS", { 2, 3, 1 } },
		{ "PER_SEC", { 2, 3, 1 } },
	};
	size_t i, k;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct groups *g = groups__new(KEY_REASON);
		struct view view = { .keys = KEY_REASON, .top = 2 };
		struct rows rows;

		for (view.by = measures;
		     strcmp(view.by->header ? view.by->header : "", cases[i].header);)
			view.by++;
		CHECK_INT(groups__add(g, rows_of, ARRAY_SIZE(rows_of)), 0);
		CHECK_INT(groups__sort(g, &view, &rows), 0);
		CHECK_INT(rows.nr, 2);
		for (k = 0; k < 2; k++)
			if (!CHECK_INT(rows.rows[k].code, cases[i].codes[k]))
				fprintf(stderr, "\tby %s\n", cases[i].header);
		CHECK_INT(rows.rest.count, rows_of[cases[i].codes[2] - 1].count);
		groups__free(g);
	}
}

int main(void)
{
	test_by_measure();
	test_threads();
	test_tids();
	test_reasons();
	test_most_first();
	test_details();
	test_empty();
	test_any_order();
	test_cut();
	test_intervals();
	test_new_details();
	test_many();
	return check__report("groups");
}
