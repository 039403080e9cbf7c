// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What -g takes, and which view the options ask for */
#include <errno.h>

#include "app/options.h"
#include "app/reports.h"
#include "check.h"
#include "lib/util.h"
#include "snapshot/keys.h"

#define THREADS (KEY_VM | KEY_THREAD | KEY_REASON)
#define WIDE (THREADS | KEY_VCPU)
#define DETAILED (WIDE | KEY_DETAIL)

static void test_keys(void)
{
	static const struct {
		const char *list;
		unsigned int keys; /* 0: refused */
	} cases[] = {
		{ "vm", KEY_VM },
		{ "vcpu", KEY_VM | KEY_VCPU },
		{ "thread", KEY_VM | KEY_THREAD },
		{ "reason", KEY_REASON },
		{ "vm,reason", KEY_VM | KEY_REASON },
		{ "reason,vm", KEY_VM | KEY_REASON },
		{ "vm,vcpu", KEY_VM | KEY_VCPU },
		{ "thread,vcpu,reason,vm", WIDE },
		{ "detail", KEY_REASON | KEY_DETAIL },
		{ "vm,detail", KEY_VM | KEY_REASON | KEY_DETAIL },
		{ "reason,detail", KEY_REASON | KEY_DETAIL },
		{ "", 0 },
		{ ",", 0 },
		{ "vm,", 0 },
		{ ",vm", 0 },
		{ "vm,vm", 0 },
		{ "vcpu,vm,vcpu", 0 },
		{ "VM", 0 },
		{ "vm reason", 0 },
		{ "v", 0 },
		{ "vms", 0 },
		{ "pid", 0 },
		{ "detail,detail", 0 },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		unsigned int keys = 99;
		int err = view__parse_keys(cases[i].list, &keys);
		bool ok = CHECK_INT(err, cases[i].keys ? 0 : -EINVAL);

		ok &= CHECK_INT(keys, cases[i].keys ? cases[i].keys : 99);
		if (!ok)
			fprintf(stderr, "\tin \"%s\"\n", cases[i].list);
	}
}

static void test_view_of(void)
{
	static char is_given;
	struct filter *any = (struct filter *)&is_given;
	static struct task tids[] = { { .tid = 7 }, { .tid = 8 } };
	/* Views: plain, by_key, listed */
	const struct {
		struct options opts;
		bool live;
		struct view view;
	} cases[] = {
		{ { 0 }, false, { THREADS, true, true, false, 0, NULL } },
		{ { .interval = 1, .json = true }, false, { THREADS, true, true, false, 0, NULL } },
		{ { .selection.pid = 1 }, false, { KEY_REASON, true, true, false, 0, NULL } },
		{ { .selection.pid = 1 }, true, { KEY_REASON, true, true, false, 0, NULL } },
		{ { .selection = { .pid = 1, .has_vcpu = true, .vcpu = 4 } },
		  false,
		  { KEY_REASON, true, true, false, 0, NULL } },
		/* --detail: a key more, and a row for each reason and thread only where asked for
		 */
		{ { .detail = any },
		  false,
		  { KEY_VM | KEY_REASON | KEY_DETAIL, false, false, false, 0, NULL } },
		{ { .detail = any, .time = true, .selection.pid = 1, .top = 3 },
		  true,
		  { KEY_REASON | KEY_DETAIL, false, false, false, 3, NULL } },
		{ { .detail = any, .selection = { .pid = 1, .tids = tids, .nr_tids = 2 } },
		  false,
		  { KEY_REASON | KEY_DETAIL, false, false, false, 0, NULL } },
		{ { .detail = any, .wide = true },
		  false,
		  { WIDE | KEY_DETAIL, true, false, false, 0, NULL } },
		{ { .detail = any, .keys = KEY_REASON | KEY_DETAIL },
		  false,
		  { KEY_REASON | KEY_DETAIL, false, false, false, 0, NULL } },
		{ { .selection.pid = 1, .alltids = true },
		  false,
		  { KEY_THREAD | KEY_REASON, true, true, false, 0, NULL } },
		/* By its name, which of a recording is all there is */
		{ { .selection.name = "web1" }, false, { KEY_REASON, true, true, false, 0, NULL } },
		{ { .selection.name = "web1" }, true, { KEY_REASON, true, true, false, 0, NULL } },
		{ { .selection.pid = 1, .alltids = true, .time = true },
		  false,
		  { KEY_THREAD | KEY_REASON, true, false, false, 0, NULL } },
		{ { .selection = { .tids = tids, .nr_tids = 1 }, .one_tid = true },
		  false,
		  { KEY_REASON, true, true, false, 0, NULL } },
		{ { .selection = { .tids = tids, .nr_tids = 1 } },
		  false,
		  { KEY_THREAD | KEY_REASON, true, true, true, 0, NULL } },
		{ { .selection = { .pid = 1, .tids = tids, .nr_tids = 2 } },
		  true,
		  { KEY_THREAD | KEY_REASON, true, true, true, 0, NULL } },
		{ { .wide = true }, false, { WIDE, true, false, false, 0, NULL } },
		{ { .wide = true, .selection.pid = 1 },
		  true,
		  { WIDE, false, false, false, 0, NULL } },
		{ { 0 }, true, { WIDE, false, false, false, 0, NULL } },
		/* What is cut is sorted by what it is cut by */
		{ { .top = 5 }, false, { THREADS, false, true, false, 5, NULL } },
		{ { .wide = true, .top = 5 }, false, { WIDE, false, false, false, 5, NULL } },
		{ { .keys = KEY_VM }, false, { KEY_VM, false, false, false, 0, NULL } },
		{ { .keys = KEY_VM | KEY_VCPU, .selection.pid = 1 },
		  true,
		  { KEY_VM | KEY_VCPU, false, false, false, 0, NULL } },
		{ { .keys = KEY_REASON }, false, { KEY_REASON, false, true, false, 0, NULL } },
		{ { .keys = KEY_VM | KEY_REASON, .top = 3 },
		  false,
		  { KEY_VM | KEY_REASON, false, false, false, 3, NULL } },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct view *want = &cases[i].view;
		struct view got = reports__view(&cases[i].opts, cases[i].live);
		bool ok = CHECK_INT(got.keys, want->keys);

		ok &= CHECK_INT(got.by_key, want->by_key);
		ok &= CHECK_INT(got.plain, want->plain);
		ok &= CHECK_INT(got.listed, want->listed);
		ok &= CHECK_INT(got.top, want->top);
		if (!ok)
			fprintf(stderr, "\tin case %zu\n", i);
	}
}

/* What g and r make of a grouping, as far as samples can be told apart */
static void test_presses(void)
{
	const unsigned int all = view__every_key(), vcpu = KEY_VM | KEY_VCPU;
	static const struct {
		unsigned int now, known, next, toggled;
		const char *names;
	} cases[] = {
		{ KEY_REASON, WIDE, KEY_VM | KEY_REASON, KEY_VM, "reason" },
		{ KEY_VM | KEY_REASON, WIDE, KEY_VM | KEY_VCPU | KEY_REASON, KEY_VM, "vm,reason" },
		{ WIDE, WIDE, KEY_REASON, WIDE & ~KEY_REASON, "vm,vcpu,thread,reason" },
		{ WIDE & ~KEY_REASON, WIDE, KEY_VM, WIDE, "vm,vcpu,thread" },
		{ KEY_VM, WIDE, KEY_VM | KEY_VCPU, KEY_VM | KEY_REASON, "vm" },
		{ KEY_VM | KEY_THREAD, WIDE, KEY_VM, KEY_VM | KEY_THREAD | KEY_REASON,
		  "vm,thread" },
		{ KEY_VM | KEY_REASON, KEY_VM | KEY_REASON, KEY_REASON, KEY_VM, "vm,reason" },
		{ KEY_REASON, KEY_REASON, KEY_REASON, KEY_REASON, "reason" },
		{ KEY_VM, KEY_VM, KEY_VM, KEY_VM, "vm" },
		/* A detail is its reason's */
		{ KEY_REASON | KEY_DETAIL, DETAILED, KEY_VM | KEY_REASON | KEY_DETAIL, KEY_VM,
		  "reason,detail" },
		{ KEY_VM | KEY_REASON | KEY_DETAIL, DETAILED,
		  KEY_VM | KEY_VCPU | KEY_REASON | KEY_DETAIL, KEY_VM, "vm,reason,detail" },
	};
	char names[64];
	size_t i;

	CHECK_INT(all & WIDE, WIDE);
	CHECK_INT(view__toggle_keys(vcpu, WIDE, 'x'), vcpu);
	CHECK_INT(view__toggle_keys(vcpu, WIDE, 'd'), vcpu);
	CHECK_INT(view__toggle_keys(vcpu, DETAILED, 'd'), vcpu | KEY_REASON | KEY_DETAIL);
	CHECK_INT(view__toggle_keys(DETAILED, DETAILED, 'd'), WIDE);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		bool ok = CHECK_INT(view__next_keys(cases[i].now, cases[i].known), cases[i].next);

		ok &= CHECK_INT(view__toggle_keys(cases[i].now, cases[i].known, 'r'),
				cases[i].toggled);
		view__name_keys(cases[i].now, names, sizeof(names));
		ok &= CHECK_STR(names, cases[i].names);
		if (!ok)
			fprintf(stderr, "\tin case %zu\n", i);
	}
}

int main(void)
{
	test_keys();
	test_presses();
	test_view_of();
	return check__report("view");
}
