// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * --metrics: exact text, each time series once, totals that only grow. With --print
 * it prints metrics of VMs with hostile names for tests/system/test_prometheus.sh and tests
 * nothing.
 */
#include <stdlib.h>

#include "check.h"
#include "lib/utf8.h"
#include "lib/util.h"
#include "render/metrics.h"
#include "snapshot/keys.h"
#include "snapshot/run.h"
#include "snapshot/times.h"
#include "vm/vm.h"

#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#define END 1767225620004000000 /* 2026-01-01T00:00:20.004Z */
#define VM_REASON (KEY_VM | KEY_REASON)

static const struct run host = {
	.node = "host1", .start = END - 20 * NSEC_PER_SEC, .probe = "direct", .version = "0.1.0"
};
static const struct run other = { .node = "host\"2", .version = "0.1.0" };

static struct vm web = { .node = host.node, .pid = 4000, .start = 7, .name = "web1" };
static struct vm db = { .node = host.node, .pid = 300, .start = 9, .name = "db" };

static struct sample samples[] = {
	{ &db, 301, 0, ISA_SVM, 0x400, 7 },
	{ &web, 4001, 0, ISA_VMX, 12, 5 },
	{ &web, 4002, 1, ISA_VMX, 12, 1000 },
	{ &web, 4002, 1, ISA_VMX, 3000, 2 },
};

static struct snapshot snap = {
	.samples = samples,
	.nr_samples = ARRAY_SIZE(samples),
	.run = &host,
	.end = END,
	.duration = 10 * NSEC_PER_SEC,
	.exits = 1014,
	.lost = { 3, 4 },
	.lost_now = { 3, 4 },
};

#define HEAD                                    \
	"# HELP kvmexit_exits_total VM exits\n" \
	"# TYPE kvmexit_exits_total counter\n"  \
	"# UNIT kvmexit_exits exits\n"
#define CREATED(time)                                                             \
	"# HELP kvmexit_exits_created When these counters were 0, in Unix time\n" \
	"# TYPE kvmexit_exits_created gauge\n"                                    \
	"kvmexit_exits_created " time "\n"
#define TAIL(lost, info, time)                                                              \
	"# HELP kvmexit_lost_total VM exits that could not be counted\n"                    \
	"# TYPE kvmexit_lost_total counter\n"                                               \
	"kvmexit_lost_total " lost "\n"                                                     \
	"# HELP kvmexit_build_info Which kvmexit counts, and how\n"                         \
	"# TYPE kvmexit_build_info gauge\n"                                                 \
	"kvmexit_build_info{" info "} 1\n"                                                  \
	"# HELP kvmexit_last_report_timestamp_seconds When kvmexit reported last, in Unix " \
	"time\n"                                                                            \
	"# TYPE kvmexit_last_report_timestamp_seconds gauge\n"                              \
	"kvmexit_last_report_timestamp_seconds " time "\n"                                  \
	"# EOF\n"

static char *print(struct renderer *r, const struct snapshot *s)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	CHECK_INT(r->print(r, out, s), 0);
	CHECK_INT(fclose(out), 0);
	return text;
}

static void check_text(int line, struct renderer *r, const struct snapshot *s, const char *want)
{
	char *text = print(r, s);

	check__str(__FILE__, line, "metrics", text, want);
	free(text);
}

#define CHECK_TEXT(r, s, want) check_text(__LINE__, r, s, want)

static void test_exact(void)
{
	struct renderer *r = metrics__new(&(struct metrics_style){ .keys = VM_REASON });
	struct snapshot next = snap;

	CHECK_TEXT(r, &snap,
		   HEAD "kvmexit_exits_total{pid=\"300\",vm=\"db\",isa=\"svm\",reason=\"NPF\"} 7\n"
			"kvmexit_exits_total{pid=\"4000\",vm=\"web1\",isa=\"vmx\",reason=\"HLT\"} "
			"1005\n"
			"kvmexit_exits_total{pid=\"4000\",vm=\"web1\",isa=\"vmx\",reason="
			"\"UNKNOWN_3000\"} 2\n" CREATED("1767225600.004")
				TAIL("7", "version=\"0.1.0\",probe=\"direct\",node=\"host1\"",
				     "1767225620.004"));
	/* What was not seen in this interval stays as it is */
	next.nr_samples = 2;
	next.end += 10 * NSEC_PER_SEC;
	next.lost_now[0] = 0;
	next.lost_now[1] = 1;
	CHECK_TEXT(r, &next,
		   HEAD "kvmexit_exits_total{pid=\"300\",vm=\"db\",isa=\"svm\",reason=\"NPF\"} 14\n"
			"kvmexit_exits_total{pid=\"4000\",vm=\"web1\",isa=\"vmx\",reason=\"HLT\"} "
			"1010\n"
			"kvmexit_exits_total{pid=\"4000\",vm=\"web1\",isa=\"vmx\",reason="
			"\"UNKNOWN_3000\"} 2\n" CREATED("1767225600.004")
				TAIL("8", "version=\"0.1.0\",probe=\"direct\",node=\"host1\"",
				     "1767225630.004"));
	r->free(r);
}

/* The lines of @text that are a time series of exits */
static char *series(char *text)
{
	char *end = strstr(text, "# HELP kvmexit_exits_created"), *begin = text;

	*end = 0;
	while (*begin == '#')
		begin = strchr(begin, '\n') + 1;
	memmove(text, begin, strlen(begin) + 1);
	return text;
}

static void check_series(int line, struct renderer *r, const struct snapshot *s, const char *want)
{
	char *text = series(print(r, s));

	check__str(__FILE__, line, "time series", text, want);
	free(text);
}

#define CHECK_SERIES(r, s, want) check_series(__LINE__, r, s, want)

/* -g makes the labels */
static void test_keys(void)
{
	static const struct {
		unsigned int keys;
		const char *want;
	} cases[] = {
		{ KEY_VM, "kvmexit_exits_total{pid=\"300\",vm=\"db\"} 7\n"
			  "kvmexit_exits_total{pid=\"4000\",vm=\"web1\"} 1007\n" },
		{ KEY_REASON, "kvmexit_exits_total{isa=\"vmx\",reason=\"HLT\"} 1005\n"
			      "kvmexit_exits_total{isa=\"vmx\",reason=\"UNKNOWN_3000\"} 2\n"
			      "kvmexit_exits_total{isa=\"svm\",reason=\"NPF\"} 7\n" },
		{ KEY_VM | KEY_VCPU,
		  "kvmexit_exits_total{pid=\"300\",vm=\"db\",vcpu=\"0\"} 7\n"
		  "kvmexit_exits_total{pid=\"4000\",vm=\"web1\",vcpu=\"0\"} 5\n"
		  "kvmexit_exits_total{pid=\"4000\",vm=\"web1\",vcpu=\"1\"} 1002\n" },
		{ KEY_VM | KEY_THREAD,
		  "kvmexit_exits_total{pid=\"300\",vm=\"db\",tid=\"301\"} 7\n"
		  "kvmexit_exits_total{pid=\"4000\",vm=\"web1\",tid=\"4001\"} 5\n"
		  "kvmexit_exits_total{pid=\"4000\",vm=\"web1\",tid=\"4002\"} 1002\n" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct renderer *r = metrics__new(&(struct metrics_style){ .keys = cases[i].keys });

		CHECK_SERIES(r, &snap, cases[i].want);
		r->free(r);
	}
}

#define FFFD "\xef\xbf\xbd"

/* Names that a reader of the file could trip over */
static const char *const hostile[][2] = {
	{ "tab\there", "tab" FFFD "here" },
	{ "esc\033[31m", "esc" FFFD "[31m" },
	{ "quo\"ted", "quo\\\"ted" },
	{ "back\\slash\\n", "back\\\\slash\\\\n" },
	{ "new\nline", "new" FFFD "line" },
	{ "cr\rkvmexit_lost_total 5", "cr" FFFD "kvmexit_lost_total 5" },
	{ "a=\"b\",c} 1 # HELP", "a=\\\"b\\\",c} 1 # HELP" },
	{ "\303\274ml\303\244ut \xe2\x80\xa8", "\303\274ml\303\244ut " FFFD },
	{ "", "" },
};

static struct vm hostile_vms[ARRAY_SIZE(hostile)];
static struct sample hostile_samples[ARRAY_SIZE(hostile)];

static struct snapshot hostile_snapshot(void)
{
	struct snapshot s = snap;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(hostile); i++) {
		hostile_vms[i] = (struct vm){ .node = host.node, .pid = 1 + i };
		utf8__clean(hostile_vms[i].name, sizeof(hostile_vms[i].name), hostile[i][0],
			    strlen(hostile[i][0]), VM_NAME_MAX);
		hostile_samples[i] =
			(struct sample){ &hostile_vms[i], 1, 0, ISA_VMX, 12, .count = 1 + i };
	}
	s.samples = hostile_samples;
	s.nr_samples = ARRAY_SIZE(hostile);
	return s;
}

static void test_escapes(void)
{
	struct renderer *r = metrics__new(&(struct metrics_style){ .keys = KEY_VM });
	struct snapshot s = hostile_snapshot();
	char want[4096] = "";
	size_t i, used = 0;

	for (i = 0; i < ARRAY_SIZE(hostile); i++)
		used += snprintf(want + used, sizeof(want) - used,
				 "kvmexit_exits_total{pid=\"%zu\",vm=\"%s\"} %zu\n", 1 + i,
				 hostile[i][1], 1 + i);
	CHECK_SERIES(r, &s, want);
	r->free(r);
}

/* A VM that ended is there for five minutes more; its PID may be another VM's by then */
static void test_end(void)
{
	struct renderer *r = metrics__new(&(struct metrics_style){ .keys = KEY_VM });
	struct vm *old = calloc(1, sizeof(*old)), young = { .node = host.node, .pid = 4000 };
	struct sample its = { old, .tid = 1, .count = 5 };
	struct snapshot s = snap;

	*old = (struct vm){ .node = host.node, .pid = 4000, .start = 1, .name = "web1" };
	s.samples = &its;
	s.nr_samples = 1;
	CHECK_SERIES(r, &s, "kvmexit_exits_total{pid=\"4000\",vm=\"web1\"} 5\n");
	vm__end(old, s.end);
	s.nr_samples = 0;
	s.end += 300 * NSEC_PER_SEC - 1;
	CHECK_SERIES(r, &s, "kvmexit_exits_total{pid=\"4000\",vm=\"web1\"} 5\n");
	/* Of another name: both are told */
	its = (struct sample){ &young, .tid = 1, .count = 2 };
	s.nr_samples = 1;
	snprintf(young.name, sizeof(young.name), "other");
	young.start = 2;
	CHECK_SERIES(r, &s,
		     "kvmexit_exits_total{pid=\"4000\",vm=\"other\"} 2\n"
		     "kvmexit_exits_total{pid=\"4000\",vm=\"web1\"} 5\n");
	/* Of the same name: it would be the same time series */
	snprintf(young.name, sizeof(young.name), "web1");
	CHECK_SERIES(r, &s, "kvmexit_exits_total{pid=\"4000\",vm=\"web1\"} 4\n");
	s.end++;
	CHECK_SERIES(r, &s, "kvmexit_exits_total{pid=\"4000\",vm=\"web1\"} 6\n");
	CHECK_INT(young.refs, 1);
	r->free(r);
	CHECK_INT(young.refs, 0);
}

/* With --time seconds too, of the parts that the host tells */
static void test_times(void)
{
	struct renderer *r = metrics__new(&(struct metrics_style){ .keys = KEY_VM, .times = true });
	struct times t = { .part = { [PART_KVM] = 1500000000, [PART_IDLE] = 7 }, .untimed = 1 };
	struct sample its = { &web, .count = 2, .times = &t };
	struct snapshot s = snap;
	char *text;

	s.samples = &its;
	s.nr_samples = 1;
	s.untold = 1u << PART_POLL;
	free(print(r, &s));
	text = print(r, &s);
#define LINE(name, value) "kvmexit_" name "_total{pid=\"4000\",vm=\"web1\"} " value "\n"
	CHECK(strstr(text, LINE("exits", "4")));
	CHECK(strstr(text,
		     "# TYPE kvmexit_kvm_seconds_total counter\n"
		     "# UNIT kvmexit_kvm_seconds seconds\n" LINE("kvm_seconds", "3.000000000")));
	CHECK(strstr(text, LINE("idle_seconds", "0.000000014")));
	CHECK(strstr(text, LINE("wait_seconds", "0.000000000")));
	CHECK(strstr(text, LINE("untimed_exits", "2")));
	CHECK(!strstr(text, "poll"));
	free(text);
	r->free(r);
}

/* VMs of several hosts, as a recording may have them */
static void test_nodes(void)
{
	struct renderer *r = metrics__new(&(struct metrics_style){ .keys = KEY_VM, .nodes = true });
	struct vm far = { .node = other.node, .pid = 300, .start = 9, .name = "db" };
	struct sample theirs[] = { { &db, 301, .count = 1 }, { &far, 301, .count = 2 } };
	struct snapshot s = snap;

	s.samples = theirs;
	s.nr_samples = 2;
	s.run = &other;
	CHECK_TEXT(r, &s,
		   HEAD "kvmexit_exits_total{node=\"host\\\"2\",pid=\"300\",vm=\"db\"} 2\n"
			"kvmexit_exits_total{node=\"host1\",pid=\"300\",vm=\"db\"} 1\n" CREATED(
				"1767225610.004")
				TAIL("7", "version=\"0.1.0\",probe=\"\",node=\"host\\\"2\"",
				     "1767225620.004"));
	r->free(r);
}

/* Details of one reason: no more series than so many, and no exit in none of them */
static void test_details(void)
{
	enum {
		MOST = 16,
		MSRS = 40
	};
	struct renderer *r =
		metrics__new(&(struct metrics_style){ .keys = KEY_VM | KEY_REASON | KEY_DETAIL });
	struct sample written[MSRS];
	struct snapshot s = snap;
	char *text, *p;
	size_t i, round;

	for (i = 0; i < MSRS; i++)
		written[i] = (struct sample){ &web, 4001, 0, ISA_VMX, 32, 1 + i };
	for (i = 0; i < MSRS; i++)
		written[i].detail = detail_msr(0x6e0 + i, 1);
	written[0].detail = 0;
	written[1].detail = DETAIL_OTHER;
	s.samples = written;
	s.nr_samples = MSRS;
	for (round = 1; round <= 2; round++) {
		unsigned long long sum = 0;
		size_t series_told = 0;

		text = series(print(r, &s));
		for (p = text; *p; p += strcspn(p, "\n") + 1, series_told++)
			sum += strtoull(strstr(p, "} ") + 2, NULL, 10);
		CHECK_INT(series_told, MOST + 2);
		CHECK_INT(sum, round * MSRS * (MSRS + 1) / 2);
		/* The most frequent ones have got theirs, and keep them when others lead */
		CHECK(strstr(text, "reason=\"MSR_WRITE\",detail=\"msr 0x707\",name=\"\"}"));
		CHECK(strstr(text, "detail=\"unknown\"") && strstr(text, "detail=\"other\""));
		CHECK(!strstr(text, "msr 0x6e3"));
		free(text);
		for (i = 0; i < MSRS; i++)
			written[i].count = MSRS - i;
	}
	/* Another reason has its own */
	written[0] = (struct sample){ &web, 4001, 0, ISA_VMX, 31, 1 };
	written[0].detail = detail_msr(0x10, 0);
	text = series(print(r, &s));
	CHECK(strstr(text, "isa=\"vmx\",reason=\"MSR_READ\",detail=\"msr 0x10\","
			   "name=\"IA32_TSC\"} 1\n"));
	free(text);
	r->free(r);
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "--print")) {
		struct renderer *r = metrics__new(&(struct metrics_style){ .keys = VM_REASON });
		struct snapshot s = hostile_snapshot();

		r->print(r, stdout, &s);
		r->free(r);
		return 0;
	}
	test_exact();
	test_keys();
	test_escapes();
	test_end();
	test_times();
	test_nodes();
	test_details();
	return check__report("metrics");
}
