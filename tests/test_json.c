// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * JSON lines: exact text, limits, worst cases. With --print it prints records
 * for tests/test_schema.sh and tests nothing.
 */
#include <jansson.h>
#include <stdlib.h>
#include <time.h>

#include "../src/json.h"
#include "../src/options.h"
#include "../src/reasons.h"
#include "../src/run.h"
#include "../src/util.h"
#include "check.h"

/* Most cases have no need of the last fields */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#define NO_FLAGS "\",\"failed_entries\":0,\"bus_locks\":0,\"enclave_exits\":0}\n"

#define END 1767225620004000000 /* 2026-01-01T00:00:20.004Z */
/* With these PIDs and, as they are no processes, the names given here */
static const struct run host = { .node = "host1", .id = "0123abcd" };
static struct vm vm_a = {
	.run = &host, .pid = 2000000000, .comm = "qemu-system-x86", .name = "web1"
};
static struct vm vm_b = { .run = &host, .pid = 2000000001, .comm = "fc_vcpu 0", .name = "fc" };

#define HEAD(type) "{\"v\":1,\"type\":\"" type "\",\"ts\":\"2026-01-01T00:00:20.004Z\","

static char *print(const struct snapshot *snap)
{
	struct renderer *r = json__new();
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	CHECK_INT(r->print(r, out, snap), 0);
	CHECK_INT(fclose(out), 0);
	CHECK_INT(strlen(text), size);
	r->free(r);
	return text;
}

static void check_text(int line, const struct snapshot *snap, const char *want)
{
	char *text = print(snap);

	check__str(__FILE__, line, "JSON", text, want);
	free(text);
}

#define CHECK_TEXT(snap, want) check_text(__LINE__, snap, want)

static struct sample samples[] = {
	{ &vm_a, 4250, 0, ISA_VMX, 12, 12034, 24110 },
	{ &vm_a, 4251, 1, ISA_VMX, 49, 311, 640 },
	{ &vm_b, 1, 4294967295, ISA_SVM, 0x400, 1, 1 },
	{ &vm_b, 1, 4294967295, ISA_SVM, 4294967294, 2, 3 },
};

static struct snapshot snap = {
	.samples = samples,
	.nr_samples = ARRAY_SIZE(samples),
	.seq = 1,
	.end = END,
	.duration = 10000 * NSEC_PER_MSEC,
	.vms = 2,
	.vcpus = 3,
	.exits = 12348,
};

static void test_exact(void)
{
	CHECK_TEXT(
		&snap,
		HEAD("exit") "\"seq\":1,\"dur_ms\":10000,\"pid\":2000000000,"
			     "\"comm\":\"qemu-system-x86\",\"vm\":\"web1\",\"vcpu\":0,"
			     "\"tid\":4250,\"isa\":\"vmx\",\"reason\":\"HLT\",\"code\":12,"
			     "\"count\":12034,\"total\":24110}\n" HEAD(
				     "exit") "\"seq\":1,\"dur_ms\":10000,\"pid\":2000000000,"
					     "\"comm\":\"qemu-system-x86\",\"vm\":\"web1\",\"vcpu\":1,"
					     "\"tid\":4251,\"isa\":\"vmx\",\"reason\":\"EPT_MISCONFIG\",\"code\":49,"
					     "\"count\":311,\"total\":640}\n" HEAD(
						     "exit") "\"seq\":1,\"dur_ms\":10000,\"pid\":2000000001,\"comm\":\"fc_vcpu 0\","
							     "\"vm\":\"fc\",\"vcpu\":4294967295,\"tid\":1,\"isa\":\"svm\","
							     "\"reason\":\"NPF\",\"code\":1024,\"count\":1,\"total\":1}\n" HEAD(
								     "exit") "\"seq\":1,\"dur_ms\":10000,\"pid\":2000000001,\"comm\":\"fc_vcpu 0\","
									     "\"vm\":\"fc\",\"vcpu\":4294967295,\"tid\":1,\"isa\":\"svm\","
									     "\"reason\":\"UNKNOWN_4294967294\",\"code\":4294967294,\"count\":2,"
									     "\"total\":3}\n" HEAD(
										     "interval") "\"seq\":1,\"dur_ms\":10000,\"vms\":2,\"vcpus\":3,\"records\":4,"
												 "\"exits\":12348,\"lost\":0,\"final\":false,"
												 "\"version\":\"" KVMEXIT_VERSION
													 NO_FLAGS);
}

#define INTERVAL(seq, dur, exits, lost, final)                                                    \
	"\"seq\":" seq ",\"dur_ms\":" dur ",\"vms\":0,\"vcpus\":0,\"records\":0,\"exits\":" exits \
	",\"lost\":" lost ",\"final\":" final ",\"version\":\"" KVMEXIT_VERSION NO_FLAGS

/* Masked off the reasons, the flags are told here */
static void test_flags(void)
{
	struct snapshot flagged = { .end = END, .duration = 1000000, .flags = { 3, 2, 1 } };
	char *text = print(&flagged);

	CHECK(strstr(text, "\"failed_entries\":3,\"bus_locks\":2,\"enclave_exits\":1}\n"));
	free(text);
}

static void test_interval(void)
{
	/* Idle */
	CHECK_TEXT(&((struct snapshot){ .end = END, .duration = 1000000 }),
		   HEAD("interval") INTERVAL("0", "1", "0", "0", "false"));
	CHECK_TEXT(&((struct snapshot){ .end = END, .duration = 1000000, .final = true }),
		   HEAD("interval") INTERVAL("0", "1", "0", "0", "true"));
	/* At least 1 ms, whole ones otherwise */
	CHECK_TEXT(&((struct snapshot){ .end = END, .duration = 0 }),
		   HEAD("interval") INTERVAL("0", "1", "0", "0", "false"));
	CHECK_TEXT(&((struct snapshot){ .end = END, .duration = 999999 }),
		   HEAD("interval") INTERVAL("0", "1", "0", "0", "false"));
	CHECK_TEXT(&((struct snapshot){ .end = END, .duration = 1999999999 }),
		   HEAD("interval") INTERVAL("0", "1999", "0", "0", "false"));
	/* Lost: all causes and misses */
	CHECK_TEXT(&((struct snapshot){ .end = END,
					.duration = 1000000,
					.lost = { 1, 2, 3, 4, 5, 6, [LOST_MISSED] = 100 } }),
		   HEAD("interval") INTERVAL("0", "1", "0", "121", "false"));
	/* What a double does not hold */
	CHECK_TEXT(&((struct snapshot){ .end = END,
					.duration = 1000000,
					.seq = 9007199254740991,
					.exits = 9007199254740992,
					.lost = { 1ull << 63 } }),
		   HEAD("interval") INTERVAL("9007199254740991", "1", "9007199254740991",
					     "9007199254740991", "false"));
}

static void test_time(void)
{
	static const struct {
		__u64 end;
		const char *ts;
	} cases[] = {
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
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct snapshot s = { .end = cases[i].end };
		char *text = print(&s);
		json_t *o = json_loads(text, 0, NULL);

		CHECK_STR(json_string_value(json_object_get(o, "ts")), cases[i].ts);
		json_decref(o);
		free(text);
	}
}

/* The largest of everything */
static struct snapshot worst(struct sample *s, struct vm *vm)
{
	const __u64 max = ~0ull;
	static struct times most;

	memset(&most, 0xff, sizeof(most));
	*s = (struct sample){ vm, 4294967295, 4294967295, ISA_SVM, 4294967295, max, max, &most };
	/* The longest name is an unknown code's or VMGEXIT_...: either will do */
	return (struct snapshot){ .samples = s,
				  .nr_samples = 1,
				  .seq = max,
				  .end = END,
				  .duration = max,
				  .vms = max,
				  .vcpus = max,
				  .exits = max,
				  .lost = { [LOST_MISSED] = max } };
}

/* A VM of that name, whose process has the last 15 characters of it; @name is ASCII */
static struct vm vm_named(__u32 pid, const char *name)
{
	struct vm vm = { .run = &host, .pid = pid };
	size_t len = strlen(name);

	snprintf(vm.name, sizeof(vm.name), "%s", name);
	snprintf(vm.comm, sizeof(vm.comm), "%s", name + (len > 15 ? len - 15 : 0));
	return vm;
}

/*
 * One line per sample and one more, each less than 1024 bytes and an object;
 * comm and vm of the first as wanted.
 */
static void check_worst(const struct snapshot *s, const char *comm, const char *vm)
{
	char *text = print(s), *p = text;
	size_t lines = 0;

	while (*p) {
		size_t len = strcspn(p, "\n") + 1;
		json_t *o = json_loadb(p, len, 0, NULL);

		CHECK(len < 1024);
		if (!CHECK(o))
			fprintf(stderr, "\tin %.*s", (int)len, p);
		if (!lines && s->nr_samples) {
			CHECK_STR(json_string_value(json_object_get(o, "comm")), comm);
			CHECK_STR(json_string_value(json_object_get(o, "vm")), vm);
			CHECK(json_integer_value(json_object_get(o, "count")) == 9007199254740991);
			CHECK(json_integer_value(json_object_get(o, "total")) == 9007199254740991);
		}
		json_decref(o);
		lines++;
		p += len;
	}
	CHECK_INT(lines, s->nr_samples + 1);
	free(text);
}

/* Six bytes each as JSON */
#define WORST_15 "\1\2\3\4\5\6\7\10\13\14\16\17\20\21\22"
#define WORST_64 "\1\1\1\1" WORST_15 WORST_15 WORST_15 WORST_15

static void test_worst(void)
{
	static const char *const names[] = {
		WORST_64,
		"\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"",
		"\xf0\x9f\x92\xbb\xf0\x9f\x92\xbb\xf0\x9f\x92\xbb",
		"",
	};
	struct sample sample;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		struct vm vm = vm_named(4294967295, names[i]);
		struct snapshot s = worst(&sample, &vm);

		check_worst(&s, vm.comm, vm.name);
	}
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
static struct sample timed_samples[] = { { &vm_a, 10, 0, ISA_VMX, 12, 0, 8, &times } };
static struct sample threads[] = { { &vm_a, 10, 0, ISA_VMX, 0, 8, 0, &all_times } };

static struct snapshot timed_snapshot(unsigned int untold)
{
	return (struct snapshot){
		.samples = timed_samples,
		.nr_samples = 1,
		.threads = threads,
		.nr_threads = 1,
		.end = END,
		.untold = untold,
	};
}

static void test_times(void)
{
	struct snapshot s = timed_snapshot(0);
	char *text = print(&s);

	CHECK(strstr(text, "\"count\":0,\"total\":8,\"time_ns\":15,\"kvm_ns\":5,\"user_ns\":4,"
			   "\"wait_ns\":3,\"poll_ns\":2,\"idle_ns\":1,\"max_ns\":9,\"p50_ns\":9,"
			   "\"p99_ns\":9,\"untimed\":7}\n"));
	CHECK(strstr(text, "\"tid\":10,\"wall_ns\":115,\"guest_ns\":100,\"kvm_ns\":5,"
			   "\"user_ns\":4,\"wait_ns\":3,\"poll_ns\":2,\"idle_ns\":1,\"exits\":8,"
			   "\"unseen\":6}\n"));
	free(text);
	/* What the host does not tell is absent, not 0 */
	s = timed_snapshot(1u << PART_WAIT | 1u << PART_POLL);
	text = print(&s);
	CHECK(!strstr(text, "wait_ns") && !strstr(text, "poll_ns"));
	CHECK(strstr(text, "\"user_ns\":4,\"idle_ns\":1,\"max_ns\":9"));
	free(text);
}

/* Names change with the VM, also back */
static void test_names_follow_vm(void)
{
	struct sample three[] = {
		{ &vm_a, 10, 0, ISA_VMX, 12, 1, 1 },
		{ &vm_b, 20, 0, ISA_VMX, 12, 1, 1 },
		{ &vm_a, 11, 1, ISA_VMX, 12, 1, 1 },
	};
	static const char *const names[] = { "web1", "fc", "web1" };
	struct snapshot s = { .samples = three, .nr_samples = 3, .end = END };
	char *text = print(&s), *p = text;
	size_t i;

	for (i = 0; i < 3; i++) {
		size_t len = strcspn(p, "\n") + 1;
		json_t *o = json_loadb(p, len, 0, NULL);

		CHECK_STR(json_string_value(json_object_get(o, "vm")), names[i]);
		json_decref(o);
		p += len;
	}
	free(text);
}

static void test_reasons(void)
{
	char *text = NULL, *p;
	size_t size = 0, i;
	FILE *out = open_memstream(&text, &size);

	CHECK_INT(json__print_reasons(out), 0);
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

/* For the schema: plain, idle, final, worst, timed */
static int print_all(void)
{
	struct renderer *r = json__new();
	struct vm worst_vm = vm_named(4294967295, WORST_64);
	struct snapshot idle = { .end = END, .final = true }, s;
	struct sample sample;
	int err;

	err = r->print(r, stdout, &snap) || r->print(r, stdout, &idle);
	s = worst(&sample, &worst_vm);
	sample.times = NULL;
	err = err || r->print(r, stdout, &s);
	s = timed_snapshot(0);
	err = err || r->print(r, stdout, &s);
	s = timed_snapshot(1u << PART_WAIT | 1u << PART_POLL);
	err = err || r->print(r, stdout, &s);
	r->free(r);
	return err || fflush(stdout);
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "--print"))
		return print_all();
	test_exact();
	test_interval();
	test_flags();
	test_time();
	test_worst();
	test_times();
	test_names_follow_vm();
	test_reasons();
	return check__report("json");
}
