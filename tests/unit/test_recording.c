// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * -f: what is made of a recording is what was made live, to the byte; old records,
 * several hosts, and recordings in any state: what is wrong with them is counted.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "lib/util.h"
#include "recording/recording.h"
#include "recording/runs.h"
#include "render/json.h"
#include "render/metrics.h"
#include "render/table.h"
#include "snapshot/run.h"
#include "vm/vm.h"

/* Samples are written down as far as they are needed */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#define END 1767225620004000000 /* 2026-01-01T00:00:20.004Z */
#define EVERYTHING (KEY_VM | KEY_VCPU | KEY_THREAD | KEY_REASON)

static const struct run host = {
	.node = "host1", .id = "0123abcd", .start = END, .probe = "direct", .version = "0.2.0"
};

#define FFFD "\xef\xbf\xbd"

static struct vm vms[] = {
	{ .node = host.node,
	  .pid = 300,
	  .start = 9,
	  .comm = "fc_vcpu 0",
	  .name = "tab" FFFD "here \"q\" \\",
	  .vmm = "firecracker" },
	/* Its PID was given out again */
	{ .node = host.node,
	  .pid = 4000,
	  .start = 7,
	  .comm = "qemu",
	  .name = "web1",
	  .vmm = "qemu" },
	{ .node = host.node,
	  .pid = 4000,
	  .start = 8,
	  .comm = "qemu",
	  .name = "web2",
	  .vmm = "qemu" },
};

static struct sample first[] = {
	{ &vms[0], 301, 0, ISA_SVM, 0x400, 7, 7 }, { &vms[0], 301, 0, ISA_SVM, 4294967294, 1, 1 },
	{ &vms[1], 4001, 0, ISA_VMX, 12, 5, 5 },   { &vms[1], 4002, 1, ISA_VMX, 12, 1000, 1000 },
	{ &vms[1], 4002, 1, ISA_VMX, 3000, 2, 2 },
};
static struct sample third[] = {
	{ &vms[0], 301, 0, ISA_SVM, 0x400, 1ull << 40, (1ull << 40) + 7 },
	{ &vms[2], 4005, 0, ISA_ARM64, 1, 3, 3 },
};

/* Three intervals, of which the second is idle */
static struct snapshot snaps[] = {
	{ .samples = first,
	  .nr_samples = ARRAY_SIZE(first),
	  .run = &host,
	  .end = END,
	  .duration = 10000123456,
	  .vms = 2,
	  .vcpus = 3,
	  .exits = 1015 + 4,
	  .hidden = 4,
	  .lost = { [LOST_FULL] = 3, [LOST_MISSED] = 1 },
	  .lost_now = { [LOST_FULL] = 3, [LOST_MISSED] = 1 },
	  .flags = { 3, 0, 1 } },
	{ .run = &host,
	  .seq = 1,
	  .end = END + 10 * NSEC_PER_SEC,
	  .duration = 9999 * NSEC_PER_MSEC,
	  .lost = { [LOST_FULL] = 3, [LOST_MISSED] = 1 } },
	{ .samples = third,
	  .nr_samples = ARRAY_SIZE(third),
	  .run = &host,
	  .seq = 2,
	  .end = END + 12 * NSEC_PER_SEC,
	  .duration = 1500000,
	  .final = true,
	  .vms = 2,
	  .vcpus = 2,
	  .exits = (1ull << 40) + 3,
	  .lost = { [LOST_FULL] = 4, [LOST_MISSED] = 1 },
	  .lost_now = { [LOST_FULL] = 1 },
	  .missed = { { 0, 7 }, 1u << UNSURE_DETAILS },
	  .missed_now = { { 0, 7 }, 1u << UNSURE_DETAILS } },
};

static void print(struct renderer *r, FILE *out, const struct snapshot *snap)
{
	CHECK_INT(r->print(r, out, snap), 0);
}

/* What a renderer makes of the three, which goes with it */
static char *text_of(struct renderer *r)
{
	char *text = NULL;
	size_t size, i;
	FILE *out = open_memstream(&text, &size);

	for (i = 0; i < ARRAY_SIZE(snaps); i++)
		print(r, out, &snaps[i]);
	fclose(out);
	r->free(r);
	return text;
}

static char path[] = "/tmp/kvmexit-test-XXXXXX";

static struct recording *open_text(const char *text)
{
	struct recording *r;
	FILE *file = fopen(path, "w");
	int err = 0;

	fputs(text, file);
	fclose(file);
	r = recording__open(path, &err);
	CHECK_INT(err * !r, 0);
	return r;
}

/* What a renderer makes of a recording; @renderer goes with it */
static char *replayed(const char *records, struct renderer *renderer)
{
	struct recording *r = open_text(records);
	static const struct faults none;
	struct snapshot snap = { 0 };
	unsigned int keys;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	int more;

	while ((more = recording__next(r, &snap, &keys)) > 0)
		print(renderer, out, &snap);
	CHECK_INT(more, 0);
	fclose(out);
	CHECK(!memcmp(recording__faults(r), &none, sizeof(none)));
	renderer->free(renderer);
	recording__free(r);
	free(snap.samples);
	return text;
}

/* Takes both texts */
static void check_same(int line, char *got, char *want)
{
	check__str(__FILE__, line, "replayed", got, want);
	free(got);
	free(want);
}

#define CHECK_SAME(got, want) check_same(__LINE__, got, want)

static const struct table_style tables[] = {
	{ .view = { .keys = KEY_VM | KEY_THREAD | KEY_REASON, .by_key = true, .plain = true } },
	{ .view = { .keys = EVERYTHING, .by_key = true }, .timed = true },
	{ .view = { .keys = KEY_VM }, .timed = true },
	{ .view = { .keys = KEY_VM | KEY_REASON, .top = 2 }, .timed = true },
	{ .view = { .keys = KEY_REASON, .plain = true }, .timed = true },
};

static void test_tables(void)
{
	char *records = text_of(json__new(&(struct json_style){ 0 })), *text;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(tables); i++)
		CHECK_SAME(replayed(records, table__new(&tables[i])),
			   text_of(table__new(&tables[i])));
	/* An empty line between reports, not before the first */
	text = text_of(table__new(&tables[2]));
	CHECK(*text != '\n' && strstr(text, "\n\n2026-01-01 00:00:30.004"));
	free(text);
	free(records);
}

/* Records of records are the same ones; and so are those of their sums */
static void test_records(void)
{
	static const struct json_style styles[] = {
		{ .view.keys = 0 },
		{ .view.keys = KEY_VM },
		{ .view.keys = KEY_VM | KEY_REASON },
		{ .view.keys = KEY_VM, .compact = true },
		{ .view.keys = KEY_VM | KEY_VCPU, .view.top = 1, .compact = true },
	};
	char *records = text_of(json__new(&styles[0]));
	size_t i;

	for (i = 0; i < ARRAY_SIZE(styles); i++)
		CHECK_SAME(replayed(records, json__new(&styles[i])),
			   text_of(json__new(&styles[i])));
	free(records);
}

/* From sums by VM and reason, in lines of any kind, come tables of no more than that */
static void test_sums(void)
{
	static const struct json_style sums = { .view.keys = KEY_VM | KEY_REASON };
	static const struct json_style compact = { .view.keys = KEY_VM, .compact = true };
	char *of_sums = text_of(json__new(&sums)), *of_compact = text_of(json__new(&compact));
	size_t i;

	for (i = 2; i < ARRAY_SIZE(tables); i++) {
		CHECK_SAME(replayed(of_sums, table__new(&tables[i])),
			   text_of(table__new(&tables[i])));
		CHECK_SAME(replayed(of_compact, table__new(&tables[i])),
			   text_of(table__new(&tables[i])));
	}
	free(of_sums);
	free(of_compact);
}

static void test_metrics(void)
{
	static const struct metrics_style style = { .keys = KEY_VM | KEY_REASON };
	char *records = text_of(json__new(&(struct json_style){ 0 }));

	CHECK_SAME(replayed(records, metrics__new(&style)), text_of(metrics__new(&style)));
	free(records);
}

/* Samples told apart by what was behind them: back as they were, and summed up */
static void test_details(void)
{
	static const unsigned int keys[] = { 0, KEY_VM | KEY_REASON | KEY_DETAIL,
					     KEY_REASON | KEY_DETAIL, KEY_VM | KEY_REASON };
	struct sample detailed[] = {
		{ &vms[0], 301, 0, ISA_SVM, 0x7c, 7, 7, .detail = detail_msr(0x6e0, 1) },
		{ &vms[0], 301, 0, ISA_SVM, 0x7c, 6, 6, .detail = detail_msr(0x6e0, 0) },
		{ &vms[0], 301, 0, ISA_SVM, 0x7c, 5, 5, .detail = 0 },
		{ &vms[1], 4001, 0, ISA_VMX, 12, 5, 5, .detail = DETAIL_NONE },
		{ &vms[1], 4001, 0, ISA_VMX, 32, 4, 4, .detail = detail_msr(0x6e0, 1) | DETAIL_L2 },
		{ &vms[1], 4002, 1, ISA_VMX, 32, 3, 3, .detail = DETAIL_OTHER },
	};
	struct snapshot whole = snaps[0];
	const struct table_style table = { .view = { .keys = keys[1] }, .timed = true };
	const struct metrics_style metrics = { .keys = keys[2] };
	char *records;
	size_t i;

	snaps[0].samples = detailed;
	snaps[0].nr_samples = ARRAY_SIZE(detailed);
	snaps[0].exits = 30 + snaps[0].hidden;
	snaps[0].details = snaps[2].details = true;
	records = text_of(json__new(&(struct json_style){ 0 }));
	CHECK(strstr(records, "\"detail\":\"msr 0x6e0 read\""));
	for (i = 0; i < ARRAY_SIZE(keys); i++)
		CHECK_SAME(replayed(records,
				    json__new(&(struct json_style){ .view.keys = keys[i] })),
			   text_of(json__new(&(struct json_style){ .view.keys = keys[i] })));
	CHECK_SAME(replayed(records, table__new(&table)), text_of(table__new(&table)));
	CHECK_SAME(replayed(records, metrics__new(&metrics)), text_of(metrics__new(&metrics)));
	free(records);
	records = text_of(json__new(&(struct json_style){ .view.keys = keys[1] }));
	CHECK_SAME(replayed(records, table__new(&table)), text_of(table__new(&table)));
	free(records);
	snaps[0] = whole;
	snaps[2].details = false;
}

#define HEAD(type, ts, seq)                                                               \
	"{\"v\":1,\"type\":\"" type "\",\"ts\":\"2026-01-01T00:00:" ts "Z\",\"seq\":" seq \
	",\"dur_ms\":1000,"
#define EXIT(ts, seq, vm, count)                                                           \
	HEAD("exit", ts, seq)                                                              \
	"\"pid\":7,\"comm\":\"q\",\"vm\":\"" vm "\",\"vcpu\":0,\"tid\":8,\"isa\":\"vmx\"," \
	"\"reason\":\"HLT\",\"code\":12,\"count\":" count ",\"total\":" count
#define INTERVAL(ts, seq, records, exits)                                               \
	HEAD("interval", ts, seq)                                                       \
	"\"vms\":1,\"vcpus\":1,\"records\":" records ",\"exits\":" exits ",\"lost\":0," \
	"\"final\":false,\"version\":\"0.1.0\",\"failed_entries\":0,\"bus_locks\":0,"   \
	"\"enclave_exits\":0"
#define COMPACT(ts, counts)  \
	HEAD("sum", ts, "0") \
	"\"pid\":7,\"comm\":\"q\",\"vm\":\"a\",\"isa\":\"vmx\",\"reasons\":{" counts "},\"total\":1"
#define OLD "}\n"
#define OF(node, run) ",\"node\":\"" node "\",\"run\":\"" run "\"}\n"

/* What comes of @text: the intervals by node, seq and exits, "a 0 5, b 1 7" */
static struct faults read_all(const char *text, char *got, size_t size)
{
	struct recording *r = open_text(text);
	struct snapshot snap = { 0 };
	struct faults faults;
	unsigned int keys;
	size_t used = 0;

	*got = 0;
	while (recording__next(r, &snap, &keys) > 0 && used < size)
		used += snprintf(got + used, size - used, "%s%s %llu %llu", used ? ", " : "",
				 snap.run->node, snap.seq, snap.exits);
	faults = *recording__faults(r);
	recording__free(r);
	free(snap.samples);
	return faults;
}

static const struct {
	const char *text, *want;
	struct faults faults;
} cases[] = {
	{ "", "", { 0 } },
	/* 0.1.0: a new run where seq begins anew; the same once more is one too */
	{ EXIT("01.000", "0", "a", "5") OLD INTERVAL("01.000", "0", "1", "5")
		  OLD INTERVAL("02.000", "1", "0", "0") OLD INTERVAL("03.000", "0", "0", "0") OLD,
	  " 0 5,  1 0,  0 0",
	  { 0 } },
	/* Two hosts, line by line */
	{ EXIT("01.000", "0", "a", "5") OF("a", "1") EXIT("01.100", "9", "a", "6") OF("b", "2")
		  INTERVAL("01.000", "0", "1", "5") OF("a", "1") INTERVAL("01.100", "9", "1", "6")
			  OF("b", "2"),
	  "a 0 5, b 9 6",
	  { 0 } },
	{ INTERVAL("01.000", "0", "0", "0") OF("a", "1") INTERVAL("05.000", "4", "0", "0")
		  OF("a", "1"),
	  "a 0 0, a 4 0",
	  { .missing = 3 } },
	/* Rotated: it begins somewhere */
	{ INTERVAL("01.000", "7", "0", "0") OF("a", "1"), "a 7 0", { 0 } },
	/* Torn at both ends; what was cut off is missing */
	{ "pid\":7}\n" EXIT("01.000", "0", "a", "5") OF("a", "1") INTERVAL("01.000", "0", "2", "9")
		  OF("a", "1") EXIT("02.000", "1", "a", "5"),
	  "a 0 5",
	  { .lines = 2, .first_line = 1, .incomplete = 1, .gone = 1 } },
	/* Empty lines are nobody's; types and keys of the future are not this version's */
	{ "\n" HEAD("later", "01.000", "0") "\"x\":[1]" OF("a", "1")
		  INTERVAL("01.000", "0", "0", "0") ",\"y\":{}" OF("a", "1"),
	  "a 0 0",
	  { 0 } },
	{ "[]\n1\n{}\n{\"type\":\"exit\"}\n\"x\"\nnull\n" EXIT("01.000", "0", "a", "-5")
		  OLD EXIT("01.000", "0", "a", "1.5") OLD EXIT("1.0", "0", "a", "5") OLD,
	  "",
	  { .lines = 9, .first_line = 1 } },
	{ EXIT("01.000", "0", "a", "5") OF("a", "1") INTERVAL("01.000", "0", "1", "6") OF("a", "1"),
	  "a 0 5",
	  { .wrong = 1 } },
	/* Its interval record was torn off: neither is counted to the next */
	{ EXIT("01.000", "0", "a", "5") OF("a", "1") EXIT("02.000", "1", "a", "6") OF("a", "1")
		  INTERVAL("02.000", "1", "1", "6") OF("a", "1") EXIT("03.000", "2", "a", "7")
			  OF("a", "1"),
	  "a 1 6",
	  { .orphans = 2 } },
	/* One file twice */
	{ EXIT("01.000", "0", "a", "5") OF("a", "1") INTERVAL("01.000", "0", "1", "5") OF("a", "1")
		  EXIT("01.000", "0", "a", "5") OF("a", "1") INTERVAL("01.000", "0", "1", "5")
			  OF("a", "1"),
	  "a 0 5",
	  { .repeated = 1 } },
	/* Shippers send lines again: one of an interval, the end of one file and the start of the
	 * next, and one from before an interval that is not complete yet */
	{ EXIT("01.000", "0", "a", "5") OF("a", "1") EXIT("01.000", "0", "a", "5") OF("a", "1")
		  INTERVAL("01.000", "0", "1", "5") OF("a", "1"),
	  "a 0 5",
	  { .doubled = 1 } },
	{ EXIT("01.000", "0", "a", "5") OF("a", "1") INTERVAL("01.000", "0", "1", "5") OF("a", "1")
		  EXIT("02.000", "1", "a", "6") OF("a", "1") INTERVAL("01.000", "0", "1", "5")
			  OF("a", "1") EXIT("02.000", "1", "a", "6") OF("a", "1")
				  INTERVAL("02.000", "1", "1", "6") OF("a", "1"),
	  "a 0 5, a 1 6",
	  { .repeated = 1, .doubled = 1 } },
	{ INTERVAL("01.000", "0", "0", "0") OF("a", "1") EXIT("02.000", "1", "a", "6") OF("a", "1")
		  EXIT("01.000", "0", "a", "5") OF("a", "1") INTERVAL("02.000", "1", "1", "6")
			  OF("a", "1"),
	  "a 0 0, a 1 6",
	  { 0 } },
	/* The same count of another reason is no repetition */
	{ EXIT("01.000", "0", "a", "5") OF("a", "1") EXIT("01.000", "0", "b", "5") OF("a", "1")
		  INTERVAL("01.000", "0", "2", "10") OF("a", "1"),
	  "a 0 10",
	  { 0 } },
	/* 2^53 is no count, also within an object, nor is what counts add up to */
	{ COMPACT("01.000", "\"HLT\":9007199254740992") OF("a", "1")
		  INTERVAL("01.000", "0", "0", "0") OF("a", "1"),
	  "a 0 0",
	  { .lines = 1, .first_line = 1 } },
	{ COMPACT("01.000", "\"HLT\":9007199254740991,\"CPUID\":1") OF("a", "1")
		  INTERVAL("01.000", "0", "1", "0") OF("a", "1"),
	  "",
	  { .lines = 1, .first_line = 2, .orphans = 1 } },
	/* Sums by VM and sums by reason are not of one interval */
	{ COMPACT("01.000", "\"HLT\":5") OF("a", "1") HEAD(
		  "sum", "01.000", "0") "\"pid\":7,\"vm\":\"a\",\"count\":5,\"total\":5" OF("a",
											    "1")
		  HEAD("sum", "01.000",
		       "0") "\"isa\":\"vmx\",\"reason\":\"HLT\",\"code\":12,\"count\":5,\"total\":5" OF("a",
													"1")
			  INTERVAL("01.000", "0", "3", "15") OF("a", "1"),
	  "",
	  { .lines = 1, .first_line = 4, .orphans = 3 } },
	/* What a later version finds behind an exit */
	{ EXIT("01.000", "0", "a", "5") ",\"detail\":\"moon 0x1\",\"name\":\"\"" OF("a", "1")
		  EXIT("01.000", "0", "a", "4") ",\"detail\":\"\",\"name\":\"\"" OF("a", "1")
			  INTERVAL("01.000", "0", "2", "9") OF("a", "1"),
	  "a 0 9",
	  { .details = 1 } },
	{ EXIT("01.000", "0", "a", "5") OF("a", "1")
		  HEAD("rest", "01.000", "0") "\"rows\":3,\"count\":4" OF("a", "1")
			  INTERVAL("01.000", "0", "2", "9") OF("a", "1"),
	  "a 0 5",
	  { .rest = 4 } },
};

static void test_faults(void)
{
	char got[256];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct faults f = read_all(cases[i].text, got, sizeof(got));

		if (!CHECK_STR(got, cases[i].want) ||
		    !CHECK(!memcmp(&f, &cases[i].faults, sizeof(f)))) {
			fprintf(stderr, "case %zu; lines %llu, missing %llu, again %llu, ", i,
				f.lines, f.missing, f.repeated);
			fprintf(stderr, "incomplete %llu, wrong %llu, orphans %llu\n", f.incomplete,
				f.wrong, f.orphans);
		}
	}
}

/* Cut off after each byte: no more is lost than what was cut */
static void test_cuts(void)
{
	char *records = text_of(json__new(&(struct json_style){ 0 })), got[256];
	size_t len = strlen(records), i, lines = 0;

	for (i = 0; i < len; i++) {
		char c = records[i];
		struct faults f;

		records[i] = 0;
		f = read_all(records, got, sizeof(got));
		records[i] = c;
		lines += f.lines;
		if (!CHECK(f.lines <= 1 && !f.missing && !f.wrong && !f.incomplete))
			break;
	}
	/* Each but those that end with a line or just before its end */
	CHECK(lines > len * 9 / 10 && lines < len);
	free(records);
}

/* A VM whose vm record was cut off is the same when that comes; another of its PID is not */
static void test_vms(void)
{
	static const char text[] = EXIT("01.000", "0", "a", "5") OF("n", "1")
		INTERVAL("01.000", "0", "1", "5") OF("n", "1") HEAD(
			"vm", "02.000",
			"1") "\"pid\":7,\"start\":3,\"comm\":\"q\",\"vm\":\"a\","
			     "\"uuid\":\"\",\"vmm\":\"qemu\"" OF("n", "1") EXIT("02.000", "1", "a",
										"5") OF("n", "1")
				     INTERVAL("02.000", "1", "1", "5") OF("n", "1")
					     HEAD("vm", "03.000",
						  "2") "\"pid\":7,\"start\":4,\"comm\":\"q\","
						       "\"vm\":\"a\",\"uuid\":\"\","
						       "\"vmm\":\"x\"" OF("n", "1") EXIT(
							       "03.000", "2", "a", "5") OF("n", "1")
							       INTERVAL("03.000", "2", "1", "5")
								       OF("n", "1");
	struct recording *r = open_text(text);
	struct snapshot snap = { 0 };
	struct vm *vm[3] = { NULL };
	unsigned int keys;
	size_t i;

	for (i = 0; i < 3; i++) {
		CHECK_INT(recording__next(r, &snap, &keys), 1);
		CHECK_INT(keys, EVERYTHING);
		if (CHECK_INT(snap.nr_samples, 1))
			vm[i] = snap.samples->vm;
	}
	CHECK(vm[0] && vm[0] == vm[1] && vm[1] != vm[2]);
	CHECK_INT(vm[1] ? vm[1]->start : 0, 3);
	CHECK_STR(vm[1] ? vm[1]->vmm : NULL, "qemu");
	CHECK_INT(vm[2] ? vm[2]->start : 0, 4);
	CHECK_STR(vm[2] ? vm[2]->vmm : NULL, "other");
	recording__free(r);
	free(snap.samples);
}

/* Lines that are too long, or have a 0 in them */
static void test_long_lines(void)
{
	const char tail[] = "\n" INTERVAL("01.000", "0", "0", "0") OF("a", "1");
	size_t size = 1 << 20;
	char *text = malloc(size + sizeof(tail)), got[64];
	struct faults f;

	memset(text, '{', size);
	memcpy(text + size, tail, sizeof(tail));
	f = read_all(text, got, sizeof(got));
	CHECK_STR(got, "a 0 0");
	CHECK_INT(f.lines, 1);
	free(text);
}

/* The time for twice as many runs is not four times as long; each is there once */
static void test_runs(void)
{
	const size_t nr = 10000;
	__u64 began, took[2];
	size_t i, k;

	for (k = 0; k < 2; k++) {
		struct sources runs = { 0 };
		char id[9];

		began = now_ns();
		for (i = 0; i < 2 * nr << k; i++) {
			snprintf(id, sizeof(id), "%08zx", i % (nr << k));
			CHECK(sources__get(&runs, "a", id));
		}
		took[k] = now_ns() - began;
		CHECK_INT(runs.nr, nr << k);
		sources__free(&runs);
	}
	CHECK(took[1] < 3 * took[0]);
}

static void test_open(void)
{
	int err = 0;

	CHECK(!recording__open("/nonexistent", &err));
	CHECK_INT(err, -ENOENT);
	CHECK(!recording__open("/", &err));
	CHECK_INT(err, -EISDIR);
}
/* A record of a version that kept such characters, or one that somebody has written */
static void test_names(void)
{
	char *records = text_of(json__new(&(struct json_style){ 0 })), *p, *old = strdup(records);

	/* U+202E, from right to left, is as long as U+FFFD */
	for (p = old; (p = strstr(p, FFFD));)
		memcpy(p, "\xe2\x80\xae", 3);
	CHECK_SAME(replayed(old, json__new(&(struct json_style){ 0 })), records);
	free(old);
}

int main(void)
{
	int fd = mkstemp(path);

	if (!CHECK(fd >= 0))
		return check__report("recording");
	close(fd);
	setenv("TZ", "UTC", 1);
	test_tables();
	test_records();
	test_names();
	test_sums();
	test_metrics();
	test_details();
	test_faults();
	test_cuts();
	test_vms();
	test_long_lines();
	test_runs();
	test_open();
	unlink(path);
	return check__report("recording");
}
