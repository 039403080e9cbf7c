// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Which view the options ask for; rows collapsed and sorted. */
#include <stdlib.h>

#include "../src/options.h"
#include "../src/util.h"
#include "../src/view.h"
#include "check.h"

/* Rows are written down as far as the view tells them apart */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

static void test_view_of(void)
{
	static __u32 tids[] = { 7, 8 };
	static const struct {
		struct options opts;
		enum view view;
	} cases[] = {
		{ { 0 }, VIEW_ALL },
		{ { .interval = 1, .json = true }, VIEW_ALL },
		{ { .pid = 1 }, VIEW_REASONS },
		{ { .pid = 1, .has_vcpu = true }, VIEW_REASONS },
		{ { .pid = 1, .has_vcpu = true, .vcpu = 4 }, VIEW_REASONS },
		{ { .pid = 1, .alltids = true }, VIEW_TIDS },
		{ { .tids = tids, .nr_tids = 1, .one_tid = true }, VIEW_REASONS },
		{ { .tids = tids, .nr_tids = 1 }, VIEW_TID_LIST },
		{ { .tids = tids, .nr_tids = 2 }, VIEW_TID_LIST },
		{ { .pid = 1, .tids = tids, .nr_tids = 1, .one_tid = true }, VIEW_REASONS },
		{ { .pid = 1, .tids = tids, .nr_tids = 2 }, VIEW_TID_LIST },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		if (!CHECK_INT(view__of(&cases[i].opts, false), cases[i].view))
			fprintf(stderr, "\tin case %zu\n", i);
}

/* Two VMs, one with two threads of which one ran two vCPUs, and both ISAs */
static struct sample samples[] = {
	{ .pid = 2000, .tid = 2001, .vcpu = 0, .isa = ISA_VMX, .code = 12, .count = 5 },
	{ .pid = 2000, .tid = 2001, .vcpu = 0, .isa = ISA_VMX, .code = 48, .count = 9 },
	{ .pid = 2000, .tid = 2002, .vcpu = 1, .isa = ISA_VMX, .code = 1, .count = 7 },
	{ .pid = 2000, .tid = 2002, .vcpu = 1, .isa = ISA_VMX, .code = 12, .count = 7 },
	{ .pid = 2000, .tid = 2002, .vcpu = 1, .isa = ISA_SVM, .code = 12, .count = 7 },
	{ .pid = 2000, .tid = 2001, .vcpu = 2, .isa = ISA_VMX, .code = 12, .count = 10 },
	{ .pid = 300, .tid = 3001, .vcpu = 0, .isa = ISA_VMX, .code = 48, .count = 1 },
	{ .pid = 300, .tid = 305, .vcpu = 1, .isa = ISA_VMX, .code = 48, .count = 1ull << 40 },
};
static const struct snapshot snap = { .samples = samples, .nr_samples = ARRAY_SIZE(samples) };

static void check_rows(int line, enum view view, const struct row *want, size_t nr)
{
	struct row *rows = NULL;
	long n = view__rows(view, &snap, &rows), i;
	bool ok = check__int(__FILE__, line, "number of rows", n, nr);

	for (i = 0; ok && i < n; i++) {
		ok &= check__int(__FILE__, line, "pid", rows[i].pid, want[i].pid);
		ok &= check__int(__FILE__, line, "tid", rows[i].tid, want[i].tid);
		ok &= check__int(__FILE__, line, "isa", rows[i].isa, want[i].isa);
		ok &= check__int(__FILE__, line, "code", rows[i].code, want[i].code);
		ok &= check__int(__FILE__, line, "count", rows[i].count, want[i].count);
		if (!ok)
			fprintf(stderr, "\tin row %ld\n", i);
	}
	free(rows);
}

#define CHECK_ROWS(view, want) check_rows(__LINE__, view, want, ARRAY_SIZE(want))

static void test_all(void)
{
	static const struct row want[] = {
		{ 300, 305, ISA_VMX, 48, 1ull << 40 }, { 300, 3001, ISA_VMX, 48, 1 },
		{ 2000, 2001, ISA_VMX, 12, 15 },       { 2000, 2001, ISA_VMX, 48, 9 },
		{ 2000, 2002, ISA_VMX, 1, 7 },	       { 2000, 2002, ISA_VMX, 12, 7 },
		{ 2000, 2002, ISA_SVM, 12, 7 },
	};

	CHECK_ROWS(VIEW_ALL, want);
}

static void test_tids(void)
{
	static const struct row want[] = {
		{ 0, 305, ISA_VMX, 48, 1ull << 40 }, { 0, 2001, ISA_VMX, 12, 15 },
		{ 0, 2001, ISA_VMX, 48, 9 },	     { 0, 2002, ISA_VMX, 1, 7 },
		{ 0, 2002, ISA_VMX, 12, 7 },	     { 0, 2002, ISA_SVM, 12, 7 },
		{ 0, 3001, ISA_VMX, 48, 1 },
	};

	CHECK_ROWS(VIEW_TIDS, want);
	CHECK_ROWS(VIEW_TID_LIST, want);
}

static void test_reasons(void)
{
	static const struct row want[] = {
		{ 0, 0, ISA_VMX, 48, (1ull << 40) + 10 },
		{ 0, 0, ISA_VMX, 12, 22 },
		{ 0, 0, ISA_VMX, 1, 7 },
		{ 0, 0, ISA_SVM, 12, 7 },
	};

	CHECK_ROWS(VIEW_REASONS, want);
}

static void test_empty(void)
{
	static const struct snapshot none;
	enum view view;

	for (view = VIEW_ALL; view <= VIEW_REASONS; view++) {
		struct row *rows = NULL;

		CHECK_INT(view__rows(view, &none, &rows), 0);
		free(rows);
	}
}

/* The rows do not depend on the samples' order */
static void test_any_order(void)
{
	size_t shift, i;

	for (shift = 1; shift < ARRAY_SIZE(samples); shift++) {
		struct sample first = samples[0];

		for (i = 1; i < ARRAY_SIZE(samples); i++)
			samples[i - 1] = samples[i];
		samples[ARRAY_SIZE(samples) - 1] = first;
		test_all();
		test_reasons();
	}
}

/* The most frequent stay, in the view's order; the others' sum is told */
static void test_cut(void)
{
	struct row rows[] = {
		{ 1, 1, ISA_VMX, 12, 5 }, { 1, 1, ISA_VMX, 10, 50 }, { 2, 2, ISA_VMX, 12, 7 },
		{ 2, 2, ISA_VMX, 32, 1 }, { 3, 3, ISA_VMX, 12, 9 },
	};
	__u64 rest = 1;

	CHECK_INT(view__cut(VIEW_ALL, rows, 5, 5, &rest), 5);
	CHECK_INT(rest, 0);
	CHECK_INT(view__cut(VIEW_ALL, rows, 5, 3, &rest), 3);
	CHECK_INT(rest, 6);
	CHECK_INT(rows[0].pid, 1);
	CHECK_INT(rows[0].count, 50);
	CHECK_INT(rows[1].pid, 2);
	CHECK_INT(rows[1].count, 7);
	CHECK_INT(rows[2].pid, 3);
	CHECK_INT(view__cut(VIEW_LIVE, rows, 3, 2, &rest), 2);
	CHECK_INT(rest, 7);
	CHECK_INT(rows[0].count, 50);
	CHECK_INT(rows[1].count, 9);
}

static void test_views_of_more(void)
{
	static const struct {
		struct options opts;
		bool live;
		enum view view;
	} cases[] = {
		{ { .wide = true }, false, VIEW_WIDE },
		{ { .wide = true, .pid = 1 }, true, VIEW_LIVE },
		{ { 0 }, true, VIEW_LIVE },
		{ { .pid = 1 }, true, VIEW_REASONS },
		{ { .group_by = GROUP_VM }, false, VIEW_VMS },
		{ { .group_by = GROUP_VCPU, .pid = 1 }, true, VIEW_VCPUS },
		{ { .group_by = GROUP_REASON }, false, VIEW_REASONS },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		if (!CHECK_INT(view__of(&cases[i].opts, cases[i].live), cases[i].view))
			fprintf(stderr, "\tin case %zu\n", i);
}

int main(void)
{
	test_view_of();
	test_all();
	test_tids();
	test_reasons();
	test_empty();
	test_any_order();
	test_cut();
	test_views_of_more();
	return check__report("view");
}
