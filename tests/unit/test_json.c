// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * JSON lines, against tests/golden/NAME.ndjson: exact text, limits, worst cases, sizes.
 * To be run where tests/ is. With --print it prints records for tests/system/test_schema.sh
 * and tests nothing; with --write the golden files are made anew: read the difference.
 */
#include <jansson.h>
#include <stdlib.h>
#include <time.h>

#include "check.h"
#include "lib/utf8.h"
#include "lib/util.h"
#include "names/devices.h"
#include "names/reasons.h"
#include "render/json.h"
#include "snapshot/run.h"

/* Rows are written down as far as they are told apart */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#define END 1767225620004000000 /* 2026-01-01T00:00:20.004Z */

static const struct run host = {
	.node = "host1",
	.id = "0123abcd",
	.start = 1767225600000999999,
	.boot_id = "11111111-2222-3333-4444-555555555555",
	.kernel = "6.12.1-amd64",
	.probe = "direct",
	.version = "0.2.0",
	.options = "-j -i 10",
	.isa = "vmx",
};
static const struct run other = { .node = "host2", .id = "4567cdef" };

static struct vm vm_a = {
	.node = host.node,
	.pid = 2000000000,
	.start = 4711,
	.comm = "qemu-system-x86",
	.name = "web1",
	.uuid = "550e8400-e29b-11d4-a716-446655440000",
	.vmm = "qemu",
};
static struct vm vm_b = { .node = host.node,
			  .pid = 2000000001,
			  .comm = "fc_vcpu 0",
			  .name = "fc",
			  .vmm = "firecracker" };

static struct sample samples[] = {
	{ &vm_a, 4250, 0, ISA_VMX, 12, 12034, 24110 },
	{ &vm_a, 4251, 1, ISA_VMX, 12, 7, 9 },
	{ &vm_a, 4251, 1, ISA_VMX, 49, 311, 640 },
	{ &vm_b, 1, 4294967295, ISA_SVM, 0x400, 1, 1 },
	{ &vm_b, 1, 4294967295, ISA_SVM, 4294967294, 2, 3 },
};

static const struct snapshot snap = {
	.run = &host,
	.samples = samples,
	.nr_samples = ARRAY_SIZE(samples),
	.seq = 1,
	.end = END,
	.duration = 10000123456,
	.vms = 2,
	.vcpus = 3,
	.exits = 12400,
	.hidden = 45,
	.lost = { [LOST_FULL] = 12, [LOST_CODES] = 1, [LOST_MISSED] = 7 },
	.lost_now = { [LOST_FULL] = 2, [LOST_MISSED] = 7 },
	.flags = { 3, 2, 1 },
};

static const struct json_style plain;

/* --detail: what was behind them */
#define MSR_WRITTEN ((__u64)DETAIL_MSR << DETAIL_SHIFT | 1ull << 32)
#define MMIO ((__u64)DETAIL_MMIO << DETAIL_SHIFT)

static struct sample detailed[] = {
	{ &vm_a, 4250, 0, ISA_VMX, 12, 12034, 24110, .detail = DETAIL_NONE },
	{ &vm_a, 4251, 1, ISA_VMX, 32, 9, 20, .detail = MSR_WRITTEN | 0x6e0 },
	{ &vm_a, 4251, 1, ISA_VMX, 32, 2, 2, .detail = MSR_WRITTEN | 0x830 | DETAIL_L2 },
	{ &vm_a, 4251, 1, ISA_VMX, 32, 1, 1, .detail = 0 },
	{ &vm_a, 4251, 1, ISA_VMX, 32, 3, 3, .detail = DETAIL_OTHER },
	{ &vm_b, 1, 4294967295, ISA_SVM, 0x7c, 5, 6, .detail = MSR_WRITTEN | 0x6e0 },
	{ &vm_b, 1, 4294967295, ISA_SVM, 0x400, 1, 1, .detail = MMIO | 0xfebd5000 },
};

static struct snapshot detailed_snapshot(void)
{
	struct snapshot s = snap;

	s.samples = detailed;
	s.nr_samples = ARRAY_SIZE(detailed);
	s.details = true;
	s.exits = 12055 + s.hidden;
	return s;
}

static const struct {
	const char *name; /* of the golden file */
	struct json_style style;
} cases[] = {
	{ "exits", { .compact = false } },
	{ "sums-vm", { { .keys = KEY_VM } } },
	{ "sums-vm-reason", { { .keys = KEY_VM | KEY_REASON } } },
	{ "sums-reason-top", { { .keys = KEY_REASON, .top = 2 } } },
	{ "sums-vcpu-thread", { { .keys = KEY_VM | KEY_VCPU | KEY_THREAD } } },
	{ "details", { .compact = false } },
	{ "sums-detail-top", { { .keys = KEY_REASON | KEY_DETAIL, .top = 3 } } },
	{ "compact", { { .keys = KEY_VM }, .compact = true } },
	{ "compact-vcpu-top", { { .keys = KEY_VM | KEY_VCPU, .top = 1 }, .compact = true } },
};

static char *print_with(struct renderer *r, const struct snapshot *s)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	CHECK_INT(r->print(r, out, s), 0);
	CHECK_INT(fclose(out), 0);
	CHECK_INT(strlen(text), size);
	return text;
}

static char *print(const struct json_style *style, const struct snapshot *s)
{
	struct renderer *r = json__new(style);
	char *text = print_with(r, s);

	r->free(r);
	return text;
}

static void test_golden(bool make)
{
	static char want[16384];
	char path[128];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct snapshot s = strstr(cases[i].name, "detail") ? detailed_snapshot() : snap;
		char *text = print(&cases[i].style, &s);
		FILE *f;

		snprintf(path, sizeof(path), "tests/golden/%s.ndjson", cases[i].name);
		f = make ? fopen(path, "w") : NULL;
		if (f && (fputs(text, f) < 0 || fclose(f)))
			perror(path);
		if (!CHECK_STR(text, read_file(path, want, sizeof(want)) < 0 ? NULL : want))
			fprintf(stderr, "\tin %s\n", path);
		free(text);
	}
}

/* The @n-th record of that type, from 0, or NULL */
static json_t *record_of(const char *text, const char *type, size_t n)
{
	for (; *text; text += strcspn(text, "\n") + 1) {
		json_t *o = json_loadb(text, strcspn(text, "\n"), 0, NULL);

		if (!strcmp(json_string_value(json_object_get(o, "type")), type) && !n--)
			return o;
		json_decref(o);
	}
	return NULL;
}

static size_t count_of(const char *text, const char *type)
{
	size_t n = 0;

	for (json_t *o; (o = record_of(text, type, n)); n++)
		json_decref(o);
	return n;
}

static long long number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static const char *string(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

/* At least 1 ms, whole ones otherwise; what a double does not hold */
static void test_numbers(void)
{
	static const struct {
		__u64 duration;
		int ms;
	} cases_of[] = { { 0, 1 }, { 999999, 1 }, { 1000000, 1 }, { 1999999999, 1999 } };
	struct snapshot s = { .run = &host, .end = END };
	char *text;
	json_t *o;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases_of); i++) {
		s.duration = cases_of[i].duration;
		text = print(&plain, &s);
		o = record_of(text, "interval", 0);
		CHECK_INT(number(o, "dur_ms"), cases_of[i].ms);
		CHECK_INT(number(o, "dur_ns"), cases_of[i].duration);
		json_decref(o);
		free(text);
	}
	s.seq = 9007199254740991;
	s.exits = 9007199254740992;
	s.lost[LOST_FULL] = 1ull << 63;
	text = print(&plain, &s);
	o = record_of(text, "interval", 0);
	CHECK_INT(number(o, "seq"), 9007199254740991);
	CHECK_INT(number(o, "exits"), 9007199254740991);
	CHECK_INT(number(o, "lost"), 9007199254740991);
	CHECK_STR(string(o, "lost_why"), "");
	json_decref(o);
	free(text);
}

/* A file begins with its run; each VM is told once in it, before what it did */
static void test_new(void)
{
	struct vm vm_c = {
		.node = other.node, .pid = vm_a.pid, .start = vm_a.start, .vmm = "qemu"
	};
	struct sample of_c = { &vm_c, 1, 0, ISA_SVM, 0x400, 1, 1 };
	struct renderer *r = json__new(&plain);
	struct snapshot s = snap;
	char *text;
	json_t *o;

	s.nr_samples = 3;
	text = print_with(r, &s);
	CHECK_INT(strncmp(text, "{\"v\":1,\"type\":\"run\",", 20), 0);
	CHECK_INT(count_of(text, "vm"), 1);
	free(text);
	s.nr_samples = ARRAY_SIZE(samples);
	text = print_with(r, &s);
	CHECK_INT(count_of(text, "run"), 0);
	CHECK_INT(count_of(text, "vm"), 1);
	free(text);
	text = print_with(r, &s);
	CHECK_INT(count_of(text, "vm"), 0);
	free(text);
	r->restart(r);
	text = print_with(r, &s);
	CHECK_INT(count_of(text, "run"), 1);
	CHECK_INT(count_of(text, "vm"), 2);
	free(text);
	/* Another run, of another host, with a VM of the same PID */
	s.run = &other;
	s.samples = &of_c;
	s.nr_samples = 1;
	text = print_with(r, &s);
	CHECK_INT(count_of(text, "run"), 1);
	CHECK_INT(count_of(text, "vm"), 1);
	o = record_of(text, "exit", 0);
	CHECK_STR(string(o, "node"), "host2");
	CHECK_STR(string(o, "run"), "4567cdef");
	json_decref(o);
	free(text);
	r->free(r);
	CHECK_INT(vm_a.refs, 0);
}

static void test_time(void)
{
	static const struct {
		__u64 end;
		const char *ts;
	} times[] = {
		{ 0, "1970-01-01T00:00:00.000Z" },
		{ 999999, "1970-01-01T00:00:00.000Z" },
		{ 1000000, "1970-01-01T00:00:00.001Z" },
		{ END + 995999999, "2026-01-01T00:00:20.999Z" },
		{ END + 996000000, "2026-01-01T00:00:21.000Z" },
		{ 1709251199100000000, "2024-02-29T23:59:59.100Z" },
	};
	size_t i;

	/* UTC wherever the host is */
	setenv("TZ", "XXX-3", 1);
	tzset();
	for (i = 0; i < ARRAY_SIZE(times); i++) {
		struct snapshot s = { .run = &host, .end = times[i].end };
		char *text = print(&plain, &s);
		json_t *o = record_of(text, "interval", 0);

		CHECK_STR(string(o, "ts"), times[i].ts);
		json_decref(o);
		free(text);
	}
}

/* Six bytes each as JSON */
#define WORST_15 "\1\2\3\4\5\6\7\10\13\14\16\17\20\21\22"
#define WORST_64 "\1\1\1\1" WORST_15 WORST_15 WORST_15 WORST_15
#define NAME_60 "a-very-long-name-of-a-device-which-goes-on-and-on-and-on-and-on"
#define QUOTES_8 "\"\\\"\\\"\\\"\\"
#define QUOTES_64 QUOTES_8 QUOTES_8 QUOTES_8 QUOTES_8 QUOTES_8 QUOTES_8 QUOTES_8 QUOTES_8

#define A16 "aaaaaaaaaaaaaaaa"
#define A64 A16 A16 A16 A16

static const struct run worst_run = {
	.node = A64,
	.id = "ffffffff",
	.start = ~0ull,
	.boot_id = "11111111-2222-3333-4444-555555555555",
	.kernel = QUOTES_64,
	.probe = "tracepoint_read",
	.version = "100.100.100-rc1",
	.options = QUOTES_64 QUOTES_64 QUOTES_64 QUOTES_8,
	.isa = "unknown",
};

/* A VM of that name, whose process has the last 15 characters of it; @name is ASCII */
static struct vm vm_named(const char *name)
{
	struct vm vm = {
		.node = worst_run.node, .pid = 4294967295, .start = ~0ull, .vmm = "cloud-hypervisor"
	};
	size_t len = strlen(name), comm = len > 15 ? 15 : len;

	utf8__clean(vm.name, sizeof(vm.name), name, len, VM_NAME_MAX);
	utf8__clean(vm.comm, sizeof(vm.comm), name + len - comm, comm, VM_COMM_MAX);
	snprintf(vm.uuid, sizeof(vm.uuid), "%s", vm_a.uuid);
	return vm;
}

enum {
	MANY = 500
};

/* A device of the longest name, wherever */
static struct devices *longest_device(void)
{
	static char text[] = "FlatView #0\nAS \"memory\"\n"
			     "0000000000000000-ffffffffffffffff (prio 0, i/o): " NAME_60 "\n"
			     "FlatView #1\nAS \"I/O\"\n";
	FILE *file = fmemopen(text, strlen(text), "r");
	struct devices *d = NULL;
	char why[64];

	CHECK_INT(devices__read(&d, file, why, sizeof(why)), 0);
	fclose(file);
	return d;
}

/* The largest of everything: @vm exited for very many reasons */
static struct snapshot worst(struct sample *s, struct vm *vm, size_t nr)
{
	const __u64 max = ~0ull;
	struct snapshot worst = { .run = &worst_run,
				  .samples = s,
				  .nr_samples = nr,
				  .details = true,
				  .seq = max,
				  .end = END,
				  .duration = max,
				  .vms = max,
				  .vcpus = max,
				  .exits = max,
				  .hidden = max };
	static struct times most;
	size_t i;

	memset(&most, 0xff, sizeof(most));
	/* The longest name is an unknown code's or VMGEXIT_...: either will do */
	for (i = 0; i < nr; i++)
		s[i] = (struct sample){
			.vm = vm,
			.tid = 4294967295,
			.vcpu = 4294967295,
			.isa = ISA_SVM,
			.code = 4294967295 - i,
			.count = max / nr,
			.total = max,
			.times = &most,
			.detail = detail_fault(max, ACCESS_WRITE, 1),
		};
	for (i = 0; i < NR_CAUSES; i++)
		worst.lost[i] = worst.lost_now[i] = max / NR_CAUSES;
	return worst;
}

/* With times: what they were spent on, after all else; and a record per thread */
static struct times times = {
	.part = { [PART_KVM] = 5,
		  [PART_USER] = 4,
		  [PART_WAIT] = 3,
		  [PART_POLL] = 2,
		  [PART_IDLE] = 1 },
	.max = 9,
	.untimed = 7,
	.buckets[1] = 1,
};
static struct times all_times = {
	.part = { 100, 5, 4, 3, 2, 1 },
	.wall = 115,
	.unseen = 6,
};
static struct sample timed_samples[] = {
	{ &vm_a, 10, 0, ISA_VMX, 12, 0, 8, &times, DETAIL_NONE },
	{ &vm_a, 10, 0, ISA_VMX, 48, 3, 3, &times, MMIO },
};
static struct sample threads[] = { { &vm_a, 10, 0, ISA_VMX, 0, 8, 0, &all_times } };

static struct snapshot timed_snapshot(unsigned int untold)
{
	return (struct snapshot){
		.run = &host,
		.samples = timed_samples,
		.nr_samples = ARRAY_SIZE(timed_samples),
		.threads = threads,
		.nr_threads = 1,
		.exits = 3,
		.end = END,
		.untold = untold,
	};
}

static void test_times(void)
{
	struct snapshot s = timed_snapshot(0);
	struct renderer *r = json__new(&plain);
	char *text = print_with(r, &s);

	CHECK(strstr(text, "\"count\":0,\"total\":8,\"time_ns\":15,\"kvm_ns\":5,\"user_ns\":4,"
			   "\"wait_ns\":3,\"poll_ns\":2,\"idle_ns\":1,\"max_ns\":9,\"p50_ns\":9,"
			   "\"p99_ns\":9,\"untimed\":7,\"node\":"));
	CHECK(strstr(text, "\"tid\":10,\"wall_ns\":115,\"guest_ns\":100,\"kvm_ns\":5,"
			   "\"user_ns\":4,\"wait_ns\":3,\"poll_ns\":2,\"idle_ns\":1,\"exits\":8,"
			   "\"unseen\":6,\"node\":"));
	free(text);
	/* Of a run that has no times there are none, whatever was told before */
	s = snap;
	s.run = &other;
	text = print_with(r, &s);
	CHECK(!strstr(text, "time_ns") && strstr(text, "\"total\":24110,\"node\":"));
	free(text);
	r->free(r);
	/* What the host does not tell is absent, not 0 */
	s = timed_snapshot(1u << PART_WAIT | 1u << PART_POLL);
	text = print(&plain, &s);
	CHECK(!strstr(text, "wait_ns") && !strstr(text, "poll_ns"));
	CHECK(strstr(text, "\"user_ns\":4,\"idle_ns\":1,\"max_ns\":9"));
	free(text);
	/* Of a detail only what is known of it; but of its reason, with others, all */
	s = timed_snapshot(0);
	s.details = true;
	text = print(&plain, &s);
	CHECK(strstr(text, "\"idle_ns\":1,\"untimed\":7,\"detail\":\"\",\"name\":\"\",\"node\":"));
	CHECK(!strstr(text, "max_ns") && !strstr(text, "p99_ns"));
	free(text);
	text = print(&cases[2].style, &s);
	CHECK(strstr(text, "\"idle_ns\":1,\"max_ns\":9,\"p50_ns\":9,"));
	CHECK(!strstr(text, "detail"));
	free(text);
	s = timed_snapshot(0);
	text = print(&cases[1].style, &s);
	CHECK(strstr(text, "\"count\":3,\"total\":3,\"time_ns\":30,"));
	CHECK(!strstr(text, "wall_ns"));
	free(text);
	text = print(&cases[7].style, &s);
	CHECK(strstr(text, "\"reasons\":{\"EPT_VIOLATION\":3},\"total\":3,\"time_ns\":30,"));
	free(text);
}

/* Each line is an object and not too long */
static void check_lines(const char *text, size_t limit)
{
	while (*text) {
		size_t len = strcspn(text, "\n") + 1;
		json_t *o = json_loadb(text, len, 0, NULL);

		CHECK(len < limit);
		if (!CHECK(o))
			fprintf(stderr, "\tin %.*s", (int)len, text);
		json_decref(o);
		text += len;
	}
}

static void test_worst(void)
{
	static const char *const names[] = {
		WORST_64,
		QUOTES_64,
		"\xf0\x9f\x92\xbb\xf0\x9f\x92\xbb\xf0\x9f\x92\xbb",
		"",
	};
	static struct sample many[MANY];
	size_t i, k;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		struct vm vm = vm_named(names[i]);
		struct snapshot s = worst(many, &vm, 1);

		s.devices = longest_device();
		for (k = 0; k < ARRAY_SIZE(cases); k++) {
			char *text = print(&cases[k].style, &s);
			json_t *o = record_of(text, "vm", 0);

			check_lines(text, cases[k].style.compact ? 16384 : 1024);
			CHECK_STR(string(o, "comm"), vm.comm);
			CHECK_STR(string(o, "vm"), vm.name);
			json_decref(o);
			free(text);
		}
		devices__free((struct devices *)s.devices);
	}
}

/* Too many reasons for a line are several lines of the same row; nothing is lost */
static void test_split(void)
{
	static struct sample many[MANY];
	struct vm vm = vm_named(WORST_64);
	struct snapshot s = worst(many, &vm, MANY);
	char *text = print(&cases[7].style, &s);
	size_t i, reasons_told = 0;
	json_t *o;

	check_lines(text, 16384);
	for (i = 0; (o = record_of(text, "sum", i)); i++) {
		CHECK_INT(number(o, "pid"), 4294967295);
		reasons_told += json_object_size(json_object_get(o, "reasons"));
		json_decref(o);
	}
	CHECK_INT(i, 3);
	CHECK_INT(reasons_told, MANY);
	o = record_of(text, "interval", 0);
	CHECK_INT(number(o, "records"), 3);
	json_decref(o);
	free(text);
}

/* Totals are those of the group since the start, whatever --top shows */
static void test_totals(void)
{
	static const struct json_style top = { { .keys = KEY_REASON, .top = 1 } };
	struct renderer *r = json__new(&top);
	struct snapshot s = snap;
	char *text = print_with(r, &s);
	json_t *o = record_of(text, "sum", 0);

	CHECK_STR(string(o, "reason"), "HLT");
	CHECK_INT(number(o, "total"), 12041);
	json_decref(o);
	free(text);
	s.samples += 2;
	s.nr_samples = 1;
	text = print_with(r, &s);
	o = record_of(text, "sum", 0);
	CHECK_STR(string(o, "reason"), "EPT_MISCONFIG");
	CHECK_INT(number(o, "count"), 311);
	CHECK_INT(number(o, "total"), 622);
	CHECK_INT(count_of(text, "rest"), 0);
	json_decref(o);
	free(text);
	r->free(r);
}

/*
 * What an interval of a fleet's host costs: 60 VMs of 8 vCPUs that exited for 15
 * reasons each. Full records have the size of 0.1.0's and who they are of.
 */
static void test_sizes(void)
{
	static const __u32 codes[] = { 0, 1, 7, 10, 12, 28, 29, 30, 31, 32, 40, 48, 49, 52, 54 };
	enum {
		VMS = 60,
		VCPUS = 8,
		REASONS = ARRAY_SIZE(codes)
	};
	static const struct {
		struct json_style style;
		size_t max;
	} sizes[] = {
		{ { .compact = false }, 2100000 },
		{ { { .keys = KEY_VM | KEY_REASON } }, 175000 },
		{ { { .keys = KEY_VM }, .compact = true }, 30000 },
	};
	static struct sample all[VMS * VCPUS * REASONS];
	static struct vm vms[VMS];
	struct snapshot s = { .run = &host,
			      .samples = all,
			      .nr_samples = ARRAY_SIZE(all),
			      .seq = 8640,
			      .end = END,
			      .duration = 10 * NSEC_PER_SEC };
	size_t i;

	for (i = 0; i < VMS; i++) {
		vms[i] = vm_a;
		vms[i].pid = 120000 + 37 * i;
		snprintf(vms[i].name, sizeof(vms[i].name), "vm%zu", i + 1);
	}
	for (i = 0; i < ARRAY_SIZE(all); i++) {
		struct vm *vm = &vms[i / REASONS / VCPUS];
		__u32 vcpu = i / REASONS % VCPUS;

		all[i] = (struct sample){ vm,	      vm->pid + 5 + vcpu, vcpu,
					  ISA_VMX,    codes[i % REASONS], 1 + i * 7919 % 4001,
					  1000000 + i };
	}
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct renderer *r = json__new(&sizes[i].style);
		char *text = print_with(r, &s);

		/* Of a day's file, most intervals are not the first */
		free(text);
		text = print_with(r, &s);
		if (!CHECK(strlen(text) <= sizes[i].max))
			fprintf(stderr, "\tcase %zu: %zu bytes\n", i, strlen(text));
		free(text);
		r->free(r);
	}
}

static void test_reasons(void)
{
	char *text = NULL, *p;
	size_t size = 0, i;
	FILE *out = open_memstream(&text, &size);

	CHECK_INT(json__print_reasons(out, NULL), 0);
	fclose(out);
	p = text;
	for (i = 0; i < reasons_count && *p; i++) {
		const struct reason *r = &reasons[i];
		size_t len = strcspn(p, "\n") + 1;
		char *want = NULL;

		/* No meaning has a character that JSON escapes but " */
		if (!strchr(r->meaning, '"') &&
		    asprintf(&want,
			     "{\"isa\":\"%s\",\"code\":%u,\"reason\":\"%s\",\"meaning\":\"%s\"}\n",
			     isa__name(r->isa), r->code, r->name, r->meaning) > 0)
			CHECK(strlen(want) == len && !memcmp(p, want, len));
		free(want);
		p += len;
	}
	CHECK_INT(i, reasons_count);
	CHECK_STR(p, "");
	free(text);
}

/* For the schema: every kind of record, idle, final, worst */
static int print_all(void)
{
	struct snapshot idle = { .run = &host, .end = END, .final = true }, s;
	struct vm vm = vm_named(WORST_64);
	static struct sample many[MANY];
	size_t i;
	int err = 0;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct renderer *r = json__new(&cases[i].style);

		s = detailed_snapshot();
		err = err || r->print(r, stdout, &snap) || r->print(r, stdout, &idle) ||
		      r->print(r, stdout, &s);
		s = worst(many, &vm, i % 2 ? 1 : MANY);
		err = err || r->print(r, stdout, &s);
		r->free(r);
	}
	for (i = 0; i <= ARRAY_SIZE(cases); i++) {
		static const struct json_style first = { { .keys = KEY_REASON, .top = 1 } };
		struct renderer *r = json__new(i ? &cases[i - 1].style : &first);
		struct snapshot told = timed_snapshot(0);
		struct snapshot untold = timed_snapshot(1u << PART_WAIT | 1u << PART_POLL);

		untold.run = &other;
		err = err || r->print(r, stdout, &told) || r->print(r, stdout, &untold);
		told.details = true;
		err = err || r->print(r, stdout, &told);
		r->free(r);
	}
	return err || fflush(stdout);
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "--print"))
		return print_all();
	test_golden(argc > 1 && !strcmp(argv[1], "--write"));
	test_numbers();
	test_new();
	test_time();
	test_worst();
	test_times();
	test_split();
	test_totals();
	test_sizes();
	test_reasons();
	return check__report("json");
}
