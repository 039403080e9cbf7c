// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Tables as printed, against tests/golden/NAME.txt. To be run where tests/ is.
 * With --write the golden files are made anew: read the difference.
 */
#include <stdlib.h>
#include <time.h>

#include "app/options.h"
#include "app/reports.h"
#include "check.h"
#include "lib/terminal.h"
#include "lib/util.h"
#include "render/table.h"
#include "vm/vm.h"

/* Most cases have no need of the last fields */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

/* VMs without names, which the classic views do not show */
static struct vm vm_1 = { .pid = 1 };
static struct vm vm_900 = { .pid = 900 };
static struct vm vm_1273551 = { .pid = 1273551 };
static struct vm vm_1273795 = { .pid = 1273795 };
static struct vm vm_1274253 = { .pid = 1274253 };
static struct vm vm_4294967295 = { .pid = 4294967295 };

/* What the replaced tool's examples show */
static struct sample example[] = {
	{ &vm_1273551, 1273568, 0, ISA_VMX, 12, 12, 12 },
	{ &vm_1273551, 1273568, 0, ISA_VMX, 32, 6, 6 },
	{ &vm_1274253, 1274261, 0, ISA_VMX, 1, 1, 1 },
	{ &vm_1274253, 1274261, 0, ISA_VMX, 12, 12, 12 },
	{ &vm_1274253, 1274261, 0, ISA_VMX, 32, 4, 4 },
};

static struct sample one_vm[] = {
	{ &vm_1273795, 1273819, 0, ISA_VMX, 1, 64, 64 },
	{ &vm_1273795, 1273819, 0, ISA_VMX, 12, 2802, 2802 },
	{ &vm_1273795, 1273819, 0, ISA_VMX, 32, 7196, 7196 },
	{ &vm_1273795, 1273819, 0, ISA_VMX, 49, 162, 162 },
	{ &vm_1273795, 1273820, 1, ISA_VMX, 1, 78, 78 },
	{ &vm_1273795, 1273820, 1, ISA_VMX, 12, 2054, 2054 },
	{ &vm_1273795, 1273820, 1, ISA_VMX, 32, 5199, 5199 },
};

static struct sample amd[] = {
	{ &vm_900, 901, 0, ISA_SVM, 0x78, 100, 100 },
	{ &vm_900, 901, 0, ISA_SVM, 0x7c, 30, 30 },
	{ &vm_900, 901, 0, ISA_SVM, 0x400, 20, 20 },
	{ &vm_900, 901, 0, ISA_SVM, 0xffffffff, 1, 1 },
};

/* By thread only, as arm64's classic tracepoint tells it */
static struct sample arm64[] = {
	{ &vm_900, 901, VCPU_UNKNOWN, ISA_ARM64, 0x16, 500, 500 },
	{ &vm_900, 901, VCPU_UNKNOWN, ISA_ARM64, 0x40, 20, 20 },
};

static struct sample odd[] = {
	{ &vm_1, 1, 0, ISA_VMX, 5, 3, 3 },
	{ &vm_1, 1, 0, ISA_VMX, 65535, 2, 2 },
	{ &vm_1, 1, 0, ISA_SVM, 4294967294, 1, 1 },
	{ &vm_4294967295, 4294967294, 0, ISA_VMX, 12, 18446744073709551615ull, 1 },
	{ &vm_4294967295, 4294967295, 0, ISA_SVM, 0x80000018, 1, 1 },
};

#define MSR_WRITTEN ((__u64)DETAIL_MSR << DETAIL_SHIFT | 1ull << 32)

/* Names that a table must not break on: wide, or with characters replaced */
static struct vm web1 = { .pid = 4294967000, .name = "web1" };
static struct vm odd_name = {
	.pid = 4294967100,
	.name = "?[31m\xc3\xa4\xef\xbf\xbd???",
};
static struct sample two_vms[] = {
	{ &web1, 4294967001, 0, ISA_VMX, 12, 1000, 1000 },
	{ &web1, 4294967001, 0, ISA_VMX, 32, 30, 30 },
	{ &web1, 4294967002, 1, ISA_VMX, 32, 200, 200 },
	{ &odd_name, 4294967101, 7, ISA_VMX, 49, 4, 4 },
};

static struct vm openstack = { .pid = 7000, .name = "instance-0000abcd" };
static struct vm wide_name = { .pid = 7100, .name = "\xe4\xbb\xae\xe6\x83\xb3-\xf0\x9f\x90\xa7" };
static struct vm long_name = {
	.pid = 7200,
	.name = "build-agent-for-the-nightly-tests-of-the-kernel-team-1",
};
static struct sample long_names[] = {
	{ &openstack, 7001, 0, ISA_VMX, 12, 1000, 1000 },
	{ &wide_name, 7101, 0, ISA_VMX, 32, 30, 30 },
	{ &long_name, 7201, 100, ISA_VMX, 49, 200, 200 },
};

/* Names that are the same, in full or as far as they are shown */
static struct vm next_one = { .pid = 7001, .name = "instance-0000abce" };
static struct vm namesake = { .pid = 7301, .name = "wide" },
		 namesake2 = { .pid = 7302, .name = "wide" };
static struct sample alike[] = {
	{ &openstack, 7001, 0, ISA_VMX, 12, 1000, 1000 },
	{ &next_one, 7011, 0, ISA_VMX, 12, 900, 900 },
};
static struct sample namesakes[] = {
	{ &namesake, 7311, 0, ISA_VMX, 12, 1000, 1000 },
	{ &namesake2, 7321, 0, ISA_VMX, 12, 900, 900 },
};

/* Where their time went, in an interval of two seconds: one VM idle, one without a CPU */
#define MS(kvm, user, wait, poll, idle)               \
	.part = { [PART_KVM] = (kvm)*NSEC_PER_MSEC,   \
		  [PART_USER] = (user)*NSEC_PER_MSEC, \
		  [PART_WAIT] = (wait)*NSEC_PER_MSEC, \
		  [PART_POLL] = (poll)*NSEC_PER_MSEC, \
		  [PART_IDLE] = (idle)*NSEC_PER_MSEC }

static struct times web1_hlt = { MS(2, 0, 1, 20, 1500), .max = 40000000, .buckets[13] = 1000 };
static struct times web1_msr = { MS(4, 1, 0, 0, 0), .max = 20500, .buckets[7] = 29,
				 .buckets[14] = 1 };
static struct times odd_mmio = { MS(3, 700, 1000, 0, 0), .max = 900000000, .untimed = 2,
				 .buckets[NR_BUCKETS - 1] = 2 };
static struct times web1_all = { .part = { 472000000, 6000000, 1000000, 1000000, 20000000,
					   1500000000 } };
static struct times odd_all = { .part = { 297000000, 3000000, 700000000, 1000000000 },
				.untimed = 2,
				.crowded = 3,
				.unseen = 1 };
static struct sample timed_samples[] = {
	{ &web1, 4294967001, 0, ISA_VMX, 12, 1000, 1000, &web1_hlt },
	{ &web1, 4294967001, 0, ISA_VMX, 32, 30, 30, &web1_msr },
	{ &odd_name, 4294967101, 7, ISA_VMX, 49, 0, 4, &odd_mmio },
};
static struct sample threads[] = {
	{ &web1, 4294967001, 0, ISA_VMX, 0, 1030, 0, &web1_all },
	{ &odd_name, 4294967101, 7, ISA_VMX, 0, 0, 0, &odd_all },
};

/* One waits for a CPU half of the time, the other less, the third too little to be told of */
static struct times some_wait = { .part = { 700000000, 10000000, 40000000, 250000000 } };
static struct times half_wait = { .part = { 400000000, 10000000, 90000000, 500000000 } };
static struct times no_wait = { .part = { 900000000, 10000000, 10000000, 80000000 } };
/* Of 100 vCPUs, over days */
static struct times long_wait = { .part = { 20000000000000000, 0, 0, 20000000000000000 } };
static struct sample long_waiting[] = { { &web1, 4294967001, 0, ISA_VMX, 0, 0, 0, &long_wait } };
static struct sample waiting[] = {
	{ &openstack, 7001, 0, ISA_VMX, 0, 0, 0, &some_wait },
	{ &wide_name, 7101, 0, ISA_VMX, 0, 0, 0, &half_wait },
	{ &web1, 4294967001, 0, ISA_VMX, 0, 0, 0, &no_wait },
};
#define WAITING                                                                        \
	SAMPLES(timed_samples), .threads = waiting, .nr_threads = ARRAY_SIZE(waiting), \
				.exits = 1030, .service = 1731000000

/* What was behind exits: of all kinds; of HLT there is nothing to be told */
static struct sample detailed[] = {
	{ &web1, 4294967001, 0, ISA_VMX, 12, 1000, 1000, .detail = DETAIL_NONE },
	{ &web1, 4294967001, 0, ISA_VMX, 32, 900, 900, NULL, MSR_WRITTEN | 0x6e0 },
	{ &web1, 4294967001, 0, ISA_VMX, 32, 30, 30, NULL, MSR_WRITTEN | 0x830 | DETAIL_L2 },
	{ &web1, 4294967001, 0, ISA_VMX, 32, 5, 5, NULL, 0 },
	{ &web1, 4294967001, 0, ISA_VMX, 32, 7, 7, NULL, DETAIL_OTHER },
	{ &web1, 4294967002, 1, ISA_VMX, 32, 100, 100, NULL, MSR_WRITTEN | 0x6e0 },
	{ &odd_name, 4294967101, 7, ISA_SVM, 0x7c, 60, 60, NULL, MSR_WRITTEN | 0x6e0 },
	{ &odd_name, 4294967101, 7, ISA_SVM, 0x7c, 50, 50, NULL, MSR_WRITTEN | 0xdead },
	{ &odd_name, 4294967101, 7, ISA_SVM, 0x400, 40, 40, NULL,
	  (__u64)DETAIL_MMIO << DETAIL_SHIFT | 0xfee00300 },
};
static struct times tsc_deadline = { MS(90, 0, 1, 0, 0) };
static struct times doorbell = { MS(3, 700, 1000, 0, 0), .untimed = 2 };
static struct sample timed_details[] = {
	{ &web1, 4294967001, 0, ISA_VMX, 12, 1000, 1000, &web1_hlt, DETAIL_NONE },
	{ &web1, 4294967001, 0, ISA_VMX, 32, 900, 900, &tsc_deadline, MSR_WRITTEN | 0x6e0 },
	{ &odd_name, 4294967101, 7, ISA_VMX, 49, 4, 4, &doorbell,
	  (__u64)DETAIL_MMIO << DETAIL_SHIFT | 0xfebd5000 },
};

/* The views by the options that lead to them */
#define VIEW_ALL  \
	{         \
		0 \
	}
#define VIEW_TIDS                                   \
	{                                           \
		.selection.pid = 1, .alltids = true \
	}
#define VIEW_TID_LIST                  \
	{                              \
		.selection.nr_tids = 1 \
	}
#define VIEW_REASONS               \
	{                          \
		.selection.pid = 1 \
	}
#define VIEW_WIDE            \
	{                    \
		.wide = true \
	}
#define GROUPED(k)          \
	{                   \
		.keys = (k) \
	}

#define DETAILS ((struct filter *)&details_given)
#define SAMPLES(s) .samples = (s), .nr_samples = ARRAY_SIZE(s)
#define TIMES                                                                          \
	SAMPLES(timed_samples), .threads = threads, .nr_threads = ARRAY_SIZE(threads), \
				.exits = 1030, .service = 1731000000
#define END 1767225620004000000 /* 2026-01-01T00:00:20.004Z */

static char details_given;

static const struct {
	const char *name; /* of the golden file */
	struct options opts;
	bool timed;
	struct snapshot snap;
	int lines, columns; /* of the terminal it is shown in place on */
} cases[] = {
	{ "wide", VIEW_WIDE, false, { SAMPLES(two_vms) } },
	{ "vms", GROUPED(KEY_VM), false, { SAMPLES(two_vms) } },
	{ "vcpus", GROUPED(KEY_VM | KEY_VCPU), false, { SAMPLES(two_vms) } },
	{ "vms-reasons", GROUPED(KEY_VM | KEY_REASON), false, { SAMPLES(two_vms) } },
	{ "threads", GROUPED(KEY_VM | KEY_THREAD), false, { SAMPLES(two_vms) } },
	{ "vms-top", { .keys = KEY_VM | KEY_REASON, .top = 1 }, false, { SAMPLES(two_vms) } },
	{ "lost", GROUPED(KEY_VM), false, { SAMPLES(two_vms), .lost = { [LOST_MISSED] = 12 } } },
	{ "lost-unknown",
	  GROUPED(KEY_VM),
	  false,
	  { SAMPLES(two_vms), .missed = { { 0, 12 }, 1u << UNSURE_EXITS } } },
	{ "hidden", GROUPED(KEY_VM), false, { SAMPLES(two_vms), .hidden = 12345 } },
	{ "top", { .top = 3 }, false, { SAMPLES(one_vm) } },
	{ "top-all", { .top = 7 }, false, { SAMPLES(one_vm) } },
	{ "live",
	  VIEW_ALL,
	  true,
	  { SAMPLES(two_vms), .seq = 3, .end = END, .duration = 2 * NSEC_PER_SEC, .exits = 1234,
	    .vms = 2, .vcpus = 3 },
	  .lines = 24 },
	{ "live-low",
	  VIEW_ALL,
	  true,
	  { SAMPLES(two_vms), .seq = 3, .end = END, .duration = NSEC_PER_SEC / 2 },
	  .lines = 6 },
	/* Windows too narrow: texts are cut, then columns are left out */
	{ "live-60", VIEW_ALL, true, { SAMPLES(long_names), .end = END }, 24, 60 },
	{ "live-20", VIEW_ALL, true, { SAMPLES(long_names), .end = END }, 24, 20 },
	{ "live-5", VIEW_ALL, true, { SAMPLES(long_names), .end = END }, 5, 5 },
	{ "live-alike", VIEW_ALL, true, { SAMPLES(alike), .end = END }, 24, 40 },
	{ "live-namesakes", VIEW_ALL, true, { SAMPLES(namesakes), .end = END }, 24, 40 },
	{ "time-80", { .time = true }, true, { TIMES, .end = END }, 24, 80 },
	/* Nothing is cut where it is not shown in place */
	{ "long-names", GROUPED(KEY_VM | KEY_REASON), false, { SAMPLES(long_names) } },
	{ "all", VIEW_ALL, false, { SAMPLES(example) } },
	{ "pid", VIEW_REASONS, false, { SAMPLES(one_vm) } },
	{ "pid-alltids", VIEW_TIDS, false, { SAMPLES(one_vm) } },
	{ "tids", VIEW_TID_LIST, false, { SAMPLES(one_vm) } },
	{ "amd", VIEW_ALL, false, { SAMPLES(amd) } },
	{ "arm64", VIEW_WIDE, false, { SAMPLES(arm64) } },
	{ "odd", VIEW_ALL, false, { SAMPLES(odd) } },
	{ "odd-tids", VIEW_TID_LIST, false, { SAMPLES(odd) } },
	{ "odd-reasons", VIEW_REASONS, false, { SAMPLES(odd) } },
	{ "empty-all", VIEW_ALL, false, { .final = true } },
	{ "empty-pid", VIEW_REASONS, false, { .final = true } },
	{ "empty-alltids", VIEW_TIDS, false, { .final = true } },
	{ "empty-tids", VIEW_TID_LIST, false, { .final = true } },
	{ "flags", VIEW_REASONS, false, { SAMPLES(one_vm), .flags = { 3, 0, 123456789 } } },
	{ "flags-all", VIEW_REASONS, false, { SAMPLES(amd), .flags = { 1, 2, 3 } } },
	/* --detail */
	{ "detail", { .detail = DETAILS }, false, { SAMPLES(detailed), .details = true } },
	{ "detail-pid",
	  { .detail = DETAILS, .selection.pid = 1 },
	  false,
	  { SAMPLES(detailed), .details = true } },
	{ "detail-wide",
	  { .detail = DETAILS, .wide = true },
	  false,
	  { SAMPLES(detailed), .details = true } },
	{ "detail-top",
	  { .detail = DETAILS, .selection.pid = 1, .top = 2 },
	  false,
	  { SAMPLES(detailed), .details = true, .hidden = 5 } },
	{ "detail-live",
	  { .detail = DETAILS },
	  true,
	  { SAMPLES(detailed), .details = true, .end = END },
	  24,
	  72 },
	/* -r of a recording with details, without -g detail */
	{ "detail-reasons", GROUPED(KEY_REASON), false, { SAMPLES(detailed), .details = true } },
	{ "detail-time",
	  { .detail = DETAILS, .time = true },
	  false,
	  { SAMPLES(timed_details), .threads = threads, .nr_threads = ARRAY_SIZE(threads),
	    .details = true, .service = 1814000000 } },
	/* --time: VMs, then reasons; unless -g says what is wanted */
	{ "time", { .time = true }, false, { TIMES } },
	{ "time-pid", { .time = true, .selection.pid = 1 }, false, { TIMES } },
	{ "time-vcpus", { .time = true, .keys = KEY_VM | KEY_VCPU }, false, { TIMES } },
	{ "time-reasons", { .time = true, .keys = KEY_REASON }, false, { TIMES } },
	{ "time-alltids", { .time = true, .selection.pid = 1, .alltids = true }, false, { TIMES } },
	/* -r: which of the exits in a table are other ones */
	{ "time-hidden", { .time = true }, false, { TIMES, .hidden = 700 } },
	{ "time-hidden-vms", { .time = true, .keys = KEY_VM }, false, { TIMES, .hidden = 700 } },
	{ "time-top", { .time = true, .top = 1 }, false, { TIMES } },
	{ "time-untold",
	  { .time = true },
	  false,
	  { TIMES, .untold = 1u << PART_WAIT | 1u << PART_POLL } },
	{ "time-live",
	  { .time = true },
	  true,
	  { TIMES, .end = END, .duration = 2 * NSEC_PER_SEC },
	  .lines = 12 },
	/* Without room for the summary */
	{ "time-low", { .time = true }, true, { TIMES, .end = END }, .lines = 11 },
	{ "time-waiting", { .time = true, .keys = KEY_VM }, false, { WAITING } },
	{ "time-long",
	  { .time = true, .keys = KEY_VM },
	  false,
	  { .threads = long_waiting, .nr_threads = 1 } },
	{ "time-steal", { .time = true, .keys = KEY_VM }, true, { WAITING, .end = END }, 24, 80 },
	/* Times that are not shown do not sort either */
	{ "time-off", { .top = 1 }, true, { TIMES, .end = END }, .lines = 12 },
	{ "time-empty", { .time = true }, false, { .final = true } },
	/* Only the first report has no empty line in front */
	{ "timed-first",
	  VIEW_REASONS,
	  true,
	  { SAMPLES(amd), .seq = 0, .end = END, .duration = 10 * NSEC_PER_SEC } },
	{ "timed-next",
	  VIEW_REASONS,
	  true,
	  { SAMPLES(amd), .seq = 1, .end = END + 995999999, .duration = 200999999 } },
	{ "timed-empty",
	  VIEW_ALL,
	  true,
	  { .seq = 7, .end = END, .duration = 86400 * NSEC_PER_SEC + 7000000 } },
};

static char *read_golden(const char *name)
{
	static char text[16384];
	char path[128];

	snprintf(path, sizeof(path), "tests/golden/%s.txt", name);
	return read_file(path, text, sizeof(text)) < 0 ? NULL : text;
}

static void write_golden(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "tests/golden/%s.txt", name);
	f = fopen(path, "w");
	if (!f || fputs(text, f) < 0 || fclose(f))
		perror(path);
}

static char *text_of(const struct table_style *style, const struct snapshot *snap)
{
	struct renderer *r = table__new(style);
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	CHECK_INT(r->print(r, out, snap), 0);
	CHECK_INT(fclose(out), 0);
	CHECK_INT(strlen(text), size);
	r->free(r);
	return text;
}

static char *print(const struct options *opts, const struct snapshot *snap, bool timed, int lines,
		   int columns)
{
	const struct window window = { lines, columns };
	const struct table_style style = {
		.view = reports__view(opts, lines),
		.timed = timed,
		.live = lines,
		.times = opts->time,
		.summary = reports__summary(opts),
		.cut = true,
		.window = &window,
	};

	return text_of(&style, snap);
}

/* What a source adds up; most cases leave it out, and last for ten seconds */
static struct snapshot completed(const struct snapshot *of)
{
	struct snapshot snap = *of;
	size_t i;

	snap.duration = snap.duration ? snap.duration : 10 * NSEC_PER_SEC;
	if (!snap.exits)
		snap.exits = snap.hidden;
	for (i = 0; !of->exits && i < snap.nr_samples; i++)
		snap.exits += snap.samples[i].count;
	for (i = 0; !of->vms && i < snap.nr_samples; i++)
		snap.vms += !i || snap.samples[i].vm != snap.samples[i - 1].vm;
	for (i = 0; !of->vcpus && i < snap.nr_samples; i++)
		snap.vcpus += !i || snap.samples[i].tid != snap.samples[i - 1].tid;
	return snap;
}

static void set_zone(const char *zone)
{
	setenv("TZ", zone, 1);
	tzset();
}

static void test_golden(bool make)
{
	size_t i;

	set_zone("UTC");
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct snapshot snap = completed(&cases[i].snap);
		char *text = print(&cases[i].opts, &snap, cases[i].timed, cases[i].lines,
				   cases[i].columns);

		if (make)
			write_golden(cases[i].name, text);
		if (!CHECK_STR(text, read_golden(cases[i].name)))
			fprintf(stderr, "\tin %s\n", cases[i].name);
		free(text);
	}
}

/* The time line is for people: local time */
static void test_local_time(void)
{
	static const struct snapshot snap = { .end = END, .duration = NSEC_PER_SEC };
	char *text;

	set_zone("XXX-3");
	text = print(&(struct options)VIEW_REASONS, &snap, true, 0, 0);
	CHECK_STR(strtok(text, "("), "2026-01-01 03:00:20.004 ");
	free(text);
}

/* More rows than the terminal has lines, none of which is cut */
static void test_hint(void)
{
	struct window window = { 5, 80 };
	struct table_style style = { .view.keys = KEY_VM | KEY_REASON, .window = &window };
	const struct snapshot snap = { SAMPLES(two_vms) };
	static const struct {
		int lines;
		unsigned int keys;
		const char *hint;
	} hints[] = {
		{ 4, KEY_VM | KEY_VCPU | KEY_REASON,
		  "(4 rows: for less -g vm, or --top 1, or | less)" },
		{ 3, KEY_REASON, "(3 rows: for less --top 1, or | less)" },
		{ 5, KEY_VM | KEY_VCPU | KEY_REASON, NULL },
		{ 0, KEY_VM | KEY_VCPU | KEY_REASON, NULL },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(hints); i++) {
		char *text;

		window.lines = hints[i].lines;
		style.view.keys = hints[i].keys;
		text = text_of(&style, &snap);
		CHECK_STR(strstr(text, " rows: ") ? strtok(strstr(text, "\n(") + 1, "\n") : NULL,
			  hints[i].hint);
		free(text);
	}
}

/* No line is longer than the terminal is wide, and what had no room is named */
static void test_narrow(void)
{
	const struct options opts = { .time = true, .selection.pid = 1 };
	const struct window window = { 24, 70 };
	struct table_style style = {
		.view = reports__view(&opts, false),
		.times = true,
		.summary = reports__summary(&opts),
		.cut = true,
		.window = &window,
	};
	const struct snapshot snap = { TIMES };
	char *text = text_of(&style, &snap), *line = strstr(text, "\nKVM_EXIT_RE");
	int lines = 0;

	CHECK(strstr(text, "\n(the window is too narrow for: P99_US MAX_US)\n"));
	for (line++; *line && *line != '('; line += strcspn(line, "\n") + 1, lines++)
		CHECK(strcspn(line, "\n") <= 70);
	CHECK_INT(lines, 4);
	free(text);
	/* Into a file all is written */
	style.window = NULL;
	text = text_of(&style, &snap);
	CHECK(!strstr(text, "too narrow"));
	free(text);
}

int main(int argc, char **argv)
{
	test_golden(argc > 1 && !strcmp(argv[1], "--write"));
	test_local_time();
	test_hint();
	test_narrow();
	return check__report("table");
}
