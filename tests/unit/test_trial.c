// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What a self-test says of counts that are right, and of each way to be wrong; and how
 * that is printed, against tests/golden/selftest*.txt. To be run where tests/ is. With
 * --write the golden file is made anew: read the difference. With --print it prints
 * records for tests/system/test_schema.sh and tests nothing.
 */
#include <stdlib.h>

#include "check.h"
#include "lib/util.h"
#include "names/details.h"
#include "names/reasons.h"
#include "selftest/expect.h"
#include "selftest/guest_process.h"
#include "selftest/result.h"
#include "snapshot/snapshot.h"

#define NOW 5000000000ull
#define BEGUN 1000000000ull
#define WALL 3990000000ull

static struct stage_memory memory;
static struct stage stage = { .pid = 4000, .shared = &memory };
static struct sample samples[4 * MAX_MADE + 1], threads[2];
static struct times times[4 * MAX_MADE + 1], thread_times[2];
static struct snapshot snap = { .samples = samples, .threads = threads };

static __u32 isa_of(const char *isa)
{
	return ON_ARM64 ? ISA_ARM64 : strcmp(isa, "svm") ? ISA_VMX : ISA_SVM;
}

static void add_sample(__u32 isa, __u32 vcpu, const char *reason, __u64 count)
{
	struct times *t = &times[snap.nr_samples];
	struct sample *s = &samples[snap.nr_samples++];

	*s = (struct sample){
		.tid = 4001 + vcpu, .vcpu = vcpu, .isa = isa, .count = count, .times = t
	};
	CHECK(reason__parse(isa, reason, &s->code));
	*t = (struct times){ 0 };
	t->buckets[5] = count;
}

/* A host that counted all that the guest made; the last sample of a vCPU is its end */
static const struct deed *count_all(struct findings *f, const char *isa)
{
	struct plan plan;
	const struct deed *deeds;
	size_t i;
	__u32 vcpu;

	*f = (struct findings){ 0 };
	deeds = trial__plan(f, &plan, isa);
	snap.nr_samples = 0;
	snap.nr_threads = STAGE_VCPUS;
	snap.lost[0] = 0;
	memory = (struct stage_memory){ 0 };
	for (vcpu = 0; vcpu < STAGE_VCPUS; vcpu++) {
		struct played *p = &memory.played[vcpu];

		*p = (struct played){ .tid = 4001 + vcpu, .begun = BEGUN, .returned = BEGUN + 1e8 };
		for (i = 0; i < f->nr_made; i++) {
			add_sample(isa_of(isa), vcpu, f->made[i].reason, f->made[i].times / 2);
			p->exits += f->made[i].times / 2;
		}
		times[snap.nr_samples - 1].buckets[5]--;
		thread_times[vcpu] = (struct times){ .wall = WALL, .part[PART_KVM] = WALL };
		threads[vcpu] = (struct sample){ .tid = 4001 + vcpu,
						 .vcpu = vcpu,
						 .times = &thread_times[vcpu] };
	}
	return deeds;
}

static struct trial try_it(const struct deed *deeds)
{
	struct trial t = { .probe = "direct", .time = true };

	trial__check(&t, deeds, &stage, &snap, NOW);
	return t;
}

static const char *reason_of(const char *kind, __u32 isa)
{
	static const char *const names[][3] = {
		{ "io", "IO_INSTRUCTION", "IOIO" },   { "cpuid", "CPUID", "CPUID" },
		{ "rdmsr", "MSR_READ", "MSR" },	      { "wrmsr", "MSR_WRITE", "MSR" },
		{ "hypercall", "VMCALL", "VMMCALL" }, { "ud", "EXCEPTION_NMI", "EXCP_UD" },
		{ "sysreg", NULL, "SYS64" },	      { "hvc", NULL, "HVC64" },
		{ "mmio", NULL, "DABT_LOW" },	      { "iabt", NULL, "IABT_LOW" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(names[i][0], kind))
			return names[i][isa == ISA_VMX ? 1 : 2];
	return "";
}

/* What was counted, told apart by what was behind it */
static void add_details(const struct findings *f)
{
	size_t i, k, n = snap.nr_samples;
	char name[REASON_NAME_MAX];

	for (k = 0; k < n; k++) {
		struct sample *s = &samples[k];

		for (i = 0; i < f->nr_behind; i++) {
			const struct made *b = &f->behind[i];
			struct sample *split;

			if (strcmp(reason_of(b->what, s->isa),
				   reason__name(s->isa, s->code, name, sizeof(name))))
				continue;
			split = &samples[snap.nr_samples++];
			*split = *s;
			split->count = b->times / 2;
			s->count -= split->count;
			CHECK(detail__parse(s->isa, s->code, b->reason, &split->detail));
		}
	}
}

static void test_details(const char *isa)
{
	struct findings f;
	const struct deed *deeds = count_all(&f, isa);
	struct trial t = { .probe = "direct", .detail = true };
	size_t first = snap.nr_samples;
	char text[128];
	__u64 detail;

	add_details(&f);
	trial__check(&t, deeds, &stage, &snap, NOW);
	CHECK_INT(t.verdict, VERDICT_EXACT);
	CHECK_STR(t.why, "");
	CHECK_INT(f.nr_behind, ON_ARM64 ? 4 : 6);
	/* An unknown detail is none */
	detail = samples[first].detail;
	samples[first].detail = 0;
	t = (struct trial){ .probe = "direct", .detail = true };
	trial__check(&t, deeds, &stage, &snap, NOW);
	CHECK_INT(t.verdict, VERDICT_EXACT);
	CHECK_INT(t.behind[0], f.behind[0].times / 2);
	/* Another's is wrong, the reason's sum is right as it may */
	samples[first].detail = detail ^ 1;
	t = (struct trial){ .probe = "direct", .detail = true };
	trial__check(&t, deeds, &stage, &snap, NOW);
	CHECK_INT(t.verdict, VERDICT_WRONG);
	snprintf(text, sizeof(text), "%s: 0 counted, and the guest made %llu", f.behind[0].reason,
		 f.behind[0].times / 2);
	CHECK(strstr(t.why, text));
}

#define CHECK_WRONG(deeds, text)                                       \
	do {                                                           \
		struct trial wrong = try_it(deeds);                    \
		CHECK_INT(wrong.verdict, VERDICT_WRONG);               \
		if (!CHECK(strstr(wrong.why, text)))                   \
			fprintf(stderr, "\twhy: \"%s\"\n", wrong.why); \
	} while (0)

static void test_right(const char *isa)
{
	struct findings f;
	const struct deed *deeds = count_all(&f, isa);
	struct trial t = try_it(deeds);

	CHECK_INT(t.verdict, VERDICT_EXACT);
	CHECK_STR(t.why, "");
	CHECK_INT(t.open, 2);
	CHECK_INT(t.exits, t.kvm);
	CHECK_INT(t.timed + t.untimed + t.open, t.exits);
	CHECK_INT(t.wall, 2 * WALL);
}

/* Each mistake that counting could make */
static void test_wrong(const char *isa)
{
	struct findings f;
	const struct deed *deeds;

	deeds = count_all(&f, isa);
	samples[1].count--;
	memory.played[0].exits--;
	CHECK_WRONG(deeds, f.made[1].reason);
	deeds = count_all(&f, isa);
	samples[1].count++;
	CHECK_WRONG(deeds, f.made[1].reason);
	/* The sum is right, each vCPU's is not */
	deeds = count_all(&f, isa);
	samples[1].count++;
	samples[1 + f.nr_made].count--;
	CHECK_WRONG(deeds, f.made[1].reason);
	deeds = count_all(&f, isa);
	samples[0].vcpu = 7;
	CHECK_WRONG(deeds, "counted for vCPU 7");
	deeds = count_all(&f, isa);
	samples[0].tid = 17;
	CHECK_WRONG(deeds, "of a thread 17");
	deeds = count_all(&f, isa);
	add_sample(isa_of(isa), 0, ON_ARM64 ? "SVE" : "RDPMC", 3);
	CHECK_WRONG(deeds, "which the guest did not make");
	deeds = count_all(&f, isa);
	snap.lost[0] = 4;
	CHECK_WRONG(deeds, "4 exits lost");
	deeds = count_all(&f, isa);
	memory.played[1].exits++;
	CHECK_WRONG(deeds, "KVM's own statistics");
	deeds = count_all(&f, isa);
	times[0].buckets[5]--;
	CHECK_WRONG(deeds, "should be open");
	deeds = count_all(&f, isa);
	thread_times[1].part[PART_USER] = 1;
	CHECK_WRONG(deeds, "add up to");
	deeds = count_all(&f, isa);
	thread_times[0].wall = thread_times[0].part[PART_KVM] = WALL - 2e8;
	CHECK_WRONG(deeds, "on the clock");
	deeds = count_all(&f, isa);
	snap.nr_threads = 1;
	CHECK_WRONG(deeds, "times of 1 thread,");
}

/* What comes as it does, and what may be more, is no mistake */
static void test_unbidden(const char *isa)
{
	struct findings f;
	const struct deed *deeds = count_all(&f, isa);
	const __u32 number = isa_of(isa);
	struct trial t;

	add_sample(number, 0,
		   number == ISA_VMX ? "EXTERNAL_INTERRUPT"
		   : ON_ARM64	     ? "IRQ"
				     : "INTR",
		   9);
	memory.played[0].exits += 9;
	t = try_it(deeds);
	CHECK_INT(t.verdict, VERDICT_EXACT);
	CHECK_INT(t.others, 9);
	/* Before 5.14 KVM tells nothing */
	memory.played[0].exits = memory.played[1].exits = 0;
	CHECK_INT(try_it(deeds).verdict, VERDICT_EXACT);
}

static void test_cost(void)
{
	struct cost cost = { { 1000, 1010, 990, 5000, 1005 }, { 1070, 1071, 1060, 1200, 1066 }, 5 };

	CHECK_INT(cost__base(&cost), 1005);
	CHECK_INT(cost__added(&cost).median, 61);
	CHECK_INT(cost__added(&cost).low, 61);
	CHECK_INT(cost__added(&cost).high, 70);
	cost.pairs = 0;
	CHECK_INT(cost__added(&cost).median, 0);
}

/*
 * A host that counts all, but one probe, which lost an exit, and one it has not; of some
 * exits it does not tell what was behind them
 */
static void fill(struct findings *f, const struct run *run)
{
	const struct deed *deeds = count_all(f, "svm");

	f->run = run;
	f->quickest = "CPUID";
	snprintf(f->cpu, sizeof(f->cpu), "AMD EPYC 7763 64-Core Processor");
	snprintf(f->vendor, sizeof(f->vendor), "AuthenticAMD");
	snprintf(f->modules, sizeof(f->modules), "kvm_amd");
	f->trials[0] = (struct trial){ .probe = "direct" };
	f->trials[1] = (struct trial){ .probe = "direct", .time = true };
	f->trials[2] = (struct trial){ .probe = "read" };
	f->trials[3] = (struct trial){ .probe = "legacy", .why = "there is none" };
	f->trials[4] = (struct trial){ .probe = "direct", .detail = true };
	f->nr_trials = 5;
	trial__check(&f->trials[0], deeds, &stage, &snap, NOW);
	trial__check(&f->trials[1], deeds, &stage, &snap, NOW);
	f->trials[0].cost = (struct cost){ { 1000, 1010, 990 }, { 1060, 1071, 1052 }, 3 };
	f->trials[1].cost = (struct cost){ { 1000, 1010, 990 }, { 3060, 1071, 1352 }, 3 };
	samples[1].count--;
	trial__check(&f->trials[2], deeds, &stage, &snap, NOW);
	samples[1].count++;
	add_details(f);
	samples[snap.nr_samples - 1].detail = 0;
	trial__check(&f->trials[4], deeds, &stage, &snap, NOW);
	f->verdict = VERDICT_WRONG;
}

static const struct run run = {
	.id = "0badcafe",
	.start = 1767225620004000000,
	.kernel = "6.12.9",
	.version = "1.2.3",
	.isa = "svm",
};

static void test_golden(bool make)
{
	const char *path =
		ON_ARM64 ? "tests/golden/selftest-arm64.txt" : "tests/golden/selftest.txt";
	char want[8192], *text = NULL;
	struct findings f;
	size_t size;
	FILE *out = make ? fopen(path, "w") : open_memstream(&text, &size);

	if (!CHECK(out))
		return;
	fill(&f, &run);
	findings__print(out, &f);
	fclose(out);
	CHECK(read_file(path, want, sizeof(want)) > 0);
	if (!make)
		CHECK_STR(text, want);
	free(text);
}

/* The longest texts and numbers there can be still make a line that was promised */
static void test_limits(void)
{
	struct run longest = run;
	struct findings f;
	char *text, *line;
	size_t size, i;
	FILE *out;

	fill(&f, &longest);
	memset(longest.kernel, 'k', sizeof(longest.kernel) - 1);
	memset(longest.node, 'n', sizeof(longest.node) - 1);
	memset(longest.version, 'v', sizeof(longest.version) - 1);
	memset(f.cpu, 'c', sizeof(f.cpu) - 1);
	memset(f.vendor, 'v', sizeof(f.vendor) - 1);
	memset(f.modules, 'm', sizeof(f.modules) - 1);
	for (i = 0; i < f.nr_trials; i++)
		memset(f.trials[i].why, 'w', sizeof(f.trials[i].why) - 1);
	out = open_memstream(&text, &size);
	if (!CHECK(out))
		return;
	CHECK_INT(findings__print_records(out, &f), 0);
	fclose(out);
	for (i = 0, line = strtok(text, "\n"); line; line = strtok(NULL, "\n"), i++)
		CHECK(strlen(line) < 1023);
	CHECK_INT(i, f.nr_trials);
	free(text);
}

static int print_records(void)
{
	struct findings f;

	fill(&f, &run);
	findings__print_records(stdout, &f);
	f = (struct findings){ .run = &run, .why = "no /dev/kvm" };
	findings__print_records(stdout, &f);
	return check__failed > 0;
}

int main(int argc, char **argv)
{
	static const char *const isas[] = { "vmx", "svm" };
	size_t i;

	if (argc > 1 && !strcmp(argv[1], "--print"))
		return print_records();
	for (i = 0; i < (ON_ARM64 ? 1 : ARRAY_SIZE(isas)); i++) {
		test_right(isas[i]);
		test_wrong(isas[i]);
		test_unbidden(isas[i]);
		test_details(isas[i]);
	}
	test_cost();
	test_golden(argc > 1 && !strcmp(argv[1], "--write"));
	test_limits();
	return check__report("trial");
}
