// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Tables as printed, against tests/golden/NAME.txt. To be run where tests/ is.
 * With --write the golden files are made anew: read the difference.
 */
#include <stdlib.h>
#include <time.h>

#include "../src/table.h"
#include "../src/util.h"
#include "../src/vm.h"
#include "check.h"

/* Most cases have no need of the last fields */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

/* What the replaced tool's examples show */
static struct sample example[] = {
	{ 1273551, 1273568, 0, ISA_VMX, 12, 12, 12, "" },
	{ 1273551, 1273568, 0, ISA_VMX, 32, 6, 6, "" },
	{ 1274253, 1274261, 0, ISA_VMX, 1, 1, 1, "" },
	{ 1274253, 1274261, 0, ISA_VMX, 12, 12, 12, "" },
	{ 1274253, 1274261, 0, ISA_VMX, 32, 4, 4, "" },
};

static struct sample one_vm[] = {
	{ 1273795, 1273819, 0, ISA_VMX, 1, 64, 64, "" },
	{ 1273795, 1273819, 0, ISA_VMX, 12, 2802, 2802, "" },
	{ 1273795, 1273819, 0, ISA_VMX, 32, 7196, 7196, "" },
	{ 1273795, 1273819, 0, ISA_VMX, 49, 162, 162, "" },
	{ 1273795, 1273820, 1, ISA_VMX, 1, 78, 78, "" },
	{ 1273795, 1273820, 1, ISA_VMX, 12, 2054, 2054, "" },
	{ 1273795, 1273820, 1, ISA_VMX, 32, 5199, 5199, "" },
};

static struct sample amd[] = {
	{ 900, 901, 0, ISA_SVM, 0x78, 100, 100, "" },
	{ 900, 901, 0, ISA_SVM, 0x7c, 30, 30, "" },
	{ 900, 901, 0, ISA_SVM, 0x400, 20, 20, "" },
	{ 900, 901, 0, ISA_SVM, 0xffffffff, 1, 1, "" },
};

static struct sample odd[] = {
	{ 1, 1, 0, ISA_VMX, 5, 3, 3, "" },
	{ 1, 1, 0, ISA_VMX, 65535, 2, 2, "" },
	{ 1, 1, 0, ISA_SVM, 4294967294, 1, 1, "" },
	{ 4294967295, 4294967294, 0, ISA_VMX, 12, 18446744073709551615ull, 1, "" },
	{ 4294967295, 4294967295, 0, ISA_SVM, 0x80000018, 1, 1, "" },
};

/* Names that a table must not break on: wide, not UTF-8, meant for a terminal */
static struct sample two_vms[] = {
	{ 4294967000, 4294967001, 0, ISA_VMX, 12, 1000, 1000, "web1" },
	{ 4294967000, 4294967001, 0, ISA_VMX, 32, 30, 30, "web1" },
	{ 4294967000, 4294967002, 1, ISA_VMX, 32, 200, 200, "web1" },
	{ 4294967100, 4294967101, 7, ISA_VMX, 49, 4, 4, "\033[31m\xc3\xa4\xff\x7f\xc2\x9b" },
};

#define SAMPLES(s) .samples = (s), .nr_samples = ARRAY_SIZE(s)
#define END 1767225620004000000 /* 2026-01-01T00:00:20.004Z */

static const struct {
	const char *name; /* of the golden file */
	enum view view;
	bool timed;
	struct snapshot snap;
	bool live;
	int top, lines;
} cases[] = {
	/* The processes do not exist: their VMs are named by the threads' comm */
	{ "wide", VIEW_WIDE, false, { SAMPLES(two_vms) } },
	{ "vms", VIEW_VMS, false, { SAMPLES(two_vms) } },
	{ "vcpus", VIEW_VCPUS, false, { SAMPLES(two_vms) } },
	{ "top", VIEW_ALL, false, { SAMPLES(one_vm) }, .top = 3 },
	{ "top-all", VIEW_ALL, false, { SAMPLES(one_vm) }, .top = 7 },
	{ "live",
	  VIEW_LIVE,
	  true,
	  { SAMPLES(two_vms), .seq = 3, .end = END, .duration = 2 * NSEC_PER_SEC, .exits = 1234,
	    .vms = 2, .vcpus = 3 },
	  .live = true,
	  .lines = 24 },
	{ "live-low",
	  VIEW_LIVE,
	  true,
	  { SAMPLES(two_vms), .seq = 3, .end = END, .duration = NSEC_PER_SEC / 2 },
	  .live = true,
	  .lines = 6 },
	{ "all", VIEW_ALL, false, { SAMPLES(example) } },
	{ "pid", VIEW_REASONS, false, { SAMPLES(one_vm) } },
	{ "pid-alltids", VIEW_TIDS, false, { SAMPLES(one_vm) } },
	{ "tids", VIEW_TID_LIST, false, { SAMPLES(one_vm) } },
	{ "amd", VIEW_ALL, false, { SAMPLES(amd) } },
	{ "odd", VIEW_ALL, false, { SAMPLES(odd) } },
	{ "odd-tids", VIEW_TID_LIST, false, { SAMPLES(odd) } },
	{ "odd-reasons", VIEW_REASONS, false, { SAMPLES(odd) } },
	{ "empty-all", VIEW_ALL, false, { .final = true } },
	{ "empty-pid", VIEW_REASONS, false, { .final = true } },
	{ "empty-alltids", VIEW_TIDS, false, { .final = true } },
	{ "empty-tids", VIEW_TID_LIST, false, { .final = true } },
	{ "flags", VIEW_REASONS, false, { SAMPLES(one_vm), .flags = { 3, 0, 123456789 } } },
	{ "flags-all", VIEW_REASONS, false, { SAMPLES(amd), .flags = { 1, 2, 3 } } },
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

static char *print_table(const struct table *table, const struct snapshot *snap)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	CHECK_INT(table__print(out, table, snap), 0);
	CHECK_INT(fclose(out), 0);
	CHECK_INT(strlen(text), size);
	return text;
}

static char *print(enum view view, const struct snapshot *snap, bool timed)
{
	return print_table(&(struct table){ .view = view, .timed = timed }, snap);
}

static void set_zone(const char *zone)
{
	setenv("TZ", zone, 1);
	tzset();
}

static void test_golden(bool make)
{
	struct vms *vms = vms__new();
	size_t i;

	set_zone("UTC");
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct table table = {
			.view = cases[i].view,
			.timed = cases[i].timed,
			.live = cases[i].live,
			.top = cases[i].top,
			.lines = cases[i].lines,
			.vms = vms,
		};
		char *text = print_table(&table, &cases[i].snap);

		if (make)
			write_golden(cases[i].name, text);
		if (!CHECK_STR(text, read_golden(cases[i].name)))
			fprintf(stderr, "\tin %s\n", cases[i].name);
		free(text);
	}
	vms__free(vms);
}

/* The time line is for people: local time */
static void test_local_time(void)
{
	static const struct snapshot snap = { .end = END, .duration = NSEC_PER_SEC };
	char *text;

	set_zone("XXX-3");
	text = print(VIEW_REASONS, &snap, true);
	CHECK_STR(strtok(text, "\n"), "2026-01-01 03:00:20.004 (1.000 s)");
	free(text);
}

int main(int argc, char **argv)
{
	test_golden(argc > 1 && !strcmp(argv[1], "--write"));
	test_local_time();
	return check__report("table");
}
