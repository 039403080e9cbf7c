// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Where the time went, on clocks made here as src/bpf/time.bpf.h makes them */
#include <stdlib.h>

#include "check.h"
#include "collect/counters.h"
#include "lib/util.h"
#include "names/reason_codes.h"
#include "snapshot/run.h"
#include "vm/vm.h"

#define MSEC NSEC_PER_MSEC
#define HLT 12
#define CPUID 10

static struct clock clock_;
static struct timing *timing;
static const struct times *account;
static __u64 now; /* ns */

static void begin(void)
{
	memset(&clock_, 0, sizeof(clock_));
	timing__free(timing);
	timing = timing__new();
	now = 5000 * NSEC_PER_SEC;
}

static void leave_guest(__u32 index, __u64 after)
{
	now += after;
	if (!clock_.first)
		clock_.first = clock_.entry = now;
	clock_.index = index;
	clock_.exit = now;
}

static struct spans *row(__u32 index)
{
	if (!clock_.row_of[index] && clock_.nr_rows < NR_ROWS - 1)
		clock_.row_of[index] = ++clock_.nr_rows;
	return &clock_.rows[clock_.row_of[index]];
}

/* As many ms after the exit; of which so many in user space, waiting and idle */
static void enter_guest(__u64 after, __u64 user, __u64 wait, __u64 idle)
{
	struct spans *r = row(clock_.index);
	__u64 busy = (after - idle) * MSEC;

	now = clock_.exit + after * MSEC;
	clock_.guest += clock_.exit - clock_.entry;
	clock_.entry = now;
	r->time += after * MSEC;
	r->user += user * MSEC;
	r->wait += wait * MSEC;
	r->idle += idle * MSEC;
	if (busy > r->max)
		r->max = busy;
	r->buckets[busy >= 128 * MSEC ? NR_BUCKETS - 1 : busy >= MSEC ? 25 : 0]++;
	clock_.exit = 0;
	clock_.user = 0;
}

/* Reads and reports; the parts and the guest must be all the time there was */
static void report(__u64 at)
{
	CHECK_INT(timing__read(timing, &clock_, ISA_VMX, at, false), 0);
	account = timing__report(timing);
	CHECK_INT(times__sum(account), account->wall);
}

static void check_parts(const __u64 *part, int kvm, int user, int wait, int poll, int idle)
{
	CHECK_INT(part[PART_KVM], kvm * MSEC);
	CHECK_INT(part[PART_USER], user * MSEC);
	CHECK_INT(part[PART_WAIT], wait * MSEC);
	CHECK_INT(part[PART_POLL], poll * MSEC);
	CHECK_INT(part[PART_IDLE], idle * MSEC);
}

static void test_closed(void)
{
	struct times *times;

	begin();
	leave_guest(CPUID, 0);
	enter_guest(10, 4, 3, 0);
	leave_guest(CPUID, 20 * MSEC);
	enter_guest(1, 0, 0, 0);
	report(now + 5 * MSEC);
	CHECK_INT(account->wall, 36 * MSEC);
	CHECK_INT(account->part[PART_GUEST], 25 * MSEC);
	check_parts(account->part, 4, 4, 3, 0, 0);
	times = timing__reason(timing, CPUID, 2);
	check_parts(times->part, 4, 4, 3, 0, 0);
	CHECK_INT(times->max, 10 * MSEC);
	CHECK_INT(times__spans(times), 2);
	CHECK_INT(times->untimed, 0);
	/* What was told is not told again; nor is a maximum */
	report(now + 6 * MSEC);
	CHECK_INT(account->wall, 1 * MSEC);
	CHECK_INT(account->part[PART_GUEST], 1 * MSEC);
	times = timing__reason(timing, CPUID, 0);
	check_parts(times->part, 0, 0, 0, 0, 0);
	CHECK_INT(times->max + times__spans(times), 0);
	leave_guest(CPUID, 20 * MSEC);
	enter_guest(2, 0, 0, 0);
	report(now);
	CHECK_INT(timing__reason(timing, CPUID, 1)->max, 2 * MSEC);
}

/*
 * A report between the moment an event takes its time and the moment it stores that: the
 * report has told more of what ended there than there was. What comes after pays.
 */
static void test_late_stamp(void)
{
	struct times *times;

	begin();
	leave_guest(CPUID, 0);
	report(now + 5 * MSEC);
	check_parts(account->part, 5, 0, 0, 0, 0);
	enter_guest(4, 0, 0, 0);
	report(now + 11 * MSEC);
	CHECK_INT(account->wall, 10 * MSEC);
	CHECK_INT(account->part[PART_GUEST], 10 * MSEC);
	check_parts(account->part, 0, 0, 0, 0, 0);
	/* The same of the guest, which is not entered again for long */
	leave_guest(HLT, 9 * MSEC);
	report(now + 102 * MSEC);
	CHECK_INT(account->wall, 100 * MSEC);
	CHECK_INT(account->part[PART_GUEST], 0);
	times = timing__reason(timing, HLT, 1);
	check_parts(times->part, 0, 0, 0, 0, 100);
	enter_guest(110, 0, 0, 110);
	report(now + 10 * MSEC);
	CHECK_INT(account->part[PART_GUEST], 8 * MSEC);
	check_parts(account->part, 0, 0, 0, 0, 10);
	/* Once there is more of it, it has what the others paid */
	leave_guest(CPUID, 10 * MSEC);
	enter_guest(10, 0, 0, 0);
	report(now);
	CHECK_INT(account->part[PART_GUEST], 1 * MSEC);
	check_parts(account->part, 9, 0, 0, 0, 0);
}

/* A HLT of ten seconds is one second in each of ten intervals */
static void test_open(void)
{
	struct times *times;
	__u64 began;
	int i;

	begin();
	leave_guest(CPUID, 0);
	enter_guest(1, 0, 0, 0);
	leave_guest(HLT, 99 * MSEC);
	report(now);
	CHECK_INT(account->wall, 100 * MSEC);
	began = now;
	for (i = 1; i < 10; i++) {
		report(began + i * NSEC_PER_SEC);
		CHECK_INT(account->wall, NSEC_PER_SEC);
		times = timing__reason(timing, HLT, 0);
		check_parts(times->part, 0, 0, 0, 0, 1000);
		CHECK_INT(times->max + times__spans(times), 0);
	}
	/* It ends: 3 ms of it waiting, 2 in KVM, of which nothing was known before */
	enter_guest(10000, 0, 3, 9995);
	report(now);
	times = timing__reason(timing, HLT, 0);
	check_parts(times->part, 2, 0, 3, 0, 995);
	CHECK_INT(times->max, 5 * MSEC);
	CHECK_INT(times__spans(times), 1);
}

/* What was taken for idle turns out to be something else, all of it and more */
static void test_guess(void)
{
	struct times *times;
	__u64 sum[NR_PARTS] = { 0 };
	int i, k;

	begin();
	leave_guest(HLT, 0);
	report(now + 8 * MSEC);
	check_parts(timing__reason(timing, HLT, 1)->part, 0, 0, 0, 0, 8);
	enter_guest(10, 0, 9, 0);
	report(now);
	check_parts(timing__reason(timing, HLT, 0)->part, 0, 0, 2, 0, 0);
	/* It is made up for by what comes later */
	leave_guest(HLT, 0);
	enter_guest(100, 0, 0, 90);
	report(now);
	times = timing__reason(timing, HLT, 1);
	check_parts(times->part, 11, 0, 7, 0, 82);
	/* With whatever guesses, in the end it is what the kernel told */
	for (i = 0; i < 50; i++) {
		leave_guest(HLT, 1 * MSEC);
		if (i % 3 == 0)
			clock_.user = now + 2 * MSEC;
		report(now + i % 7 * MSEC);
		times = timing__reason(timing, HLT, 1);
		for (k = 0; k < NR_PARTS; k++)
			sum[k] += times->part[k];
		enter_guest(9, 3, 2, i % 4);
	}
	leave_guest(HLT, 1 * MSEC);
	enter_guest(1000, 200, 200, 200);
	report(now);
	times = timing__reason(timing, HLT, 1);
	for (k = 0; k < NR_PARTS; k++)
		sum[k] += times->part[k];
	CHECK_INT(sum[PART_USER], 350 * MSEC);
	CHECK_INT(sum[PART_WAIT], 300 * MSEC);
	CHECK_INT(sum[PART_IDLE], (12 * 6 + 1 + 200) * MSEC);
	CHECK_INT(sum[PART_KVM], (1450 - 350 - 300 - 273) * MSEC);
}

/* Of an open span that KVM may halt, what is not the VMM's is idle */
static void test_user(void)
{
	begin();
	leave_guest(HLT, 0);
	clock_.user = now + 3 * MSEC;
	report(now + 10 * MSEC);
	check_parts(timing__reason(timing, HLT, 1)->part, 0, 7, 0, 0, 3);
	report(now + 20 * MSEC);
	check_parts(timing__reason(timing, HLT, 0)->part, 0, 10, 0, 0, 0);
	begin();
	leave_guest(CPUID, 0);
	report(now + 10 * MSEC);
	check_parts(timing__reason(timing, CPUID, 1)->part, 10, 0, 0, 0, 0);
}

/* A signal interrupts a halt: the visits to user space that are over end there */
static void test_kicked(void)
{
	begin();
	leave_guest(HLT, 0);
	clock_.in_user = 2 * MSEC;
	report(now + 10 * MSEC);
	check_parts(timing__reason(timing, HLT, 1)->part, 0, 2, 0, 0, 8);
	clock_.user = now + 15 * MSEC;
	report(now + 20 * MSEC);
	check_parts(timing__reason(timing, HLT, 0)->part, 0, 5, 0, 0, 5);
	/* Half written: the visit is over, and still there */
	begin();
	leave_guest(HLT, 0);
	clock_.in_user = 9 * MSEC;
	clock_.user = now + 1 * MSEC;
	report(now + 10 * MSEC);
	check_parts(timing__reason(timing, HLT, 1)->part, 0, 10, 0, 0, 0);
	/* Its thread ends there: SIGKILL makes one last return to user space */
	begin();
	leave_guest(HLT, 0);
	clock_.in_user = 1 * MSEC;
	clock_.user = now + 8 * MSEC;
	timing__finish(timing, &clock_, ISA_VMX, now + 5000 * MSEC, true);
	account = timing__report(timing);
	CHECK_INT(account->wall, 8 * MSEC);
	check_parts(account->part, 0, 1, 0, 0, 7);
}

/* Reasons that may halt the vCPU, and some that do not */
static void test_halts(void)
{
	static const struct {
		__u32 isa, index;
		bool halts;
	} cases[] = {
		{ ISA_VMX, REASON_VMX_HLT, true },
		{ ISA_VMX, REASON_VMX_TDCALL, true },
		{ ISA_VMX, REASON_VMX_VMCALL, true }, /* Xen's SCHEDOP_poll */
		{ ISA_VMX, REASON_VMX_VMLAUNCH, true }, /* of a nested guest that is halted */
		{ ISA_VMX, REASON_VMX_VMRESUME, true },
		{ ISA_VMX, REASON_VMX_EXTERNAL_INTERRUPT, false },
		{ ISA_VMX, REASON_VMX_MWAIT_INSTRUCTION, false }, /* KVM skips it */
		{ ISA_SVM, REASON_SVM_HLT, true },
		{ ISA_SVM, REASON_SVM_IDLE_HLT, true },
		{ ISA_SVM, REASON_SVM_VMMCALL, true },
		{ ISA_SVM, REASON_SVM_VMRUN, false },
		{ ISA_SVM, COUNTER_OF(REASON_SVM_VMGEXIT), true },
		{ ISA_SVM, COUNTER_OF(REASON_SVM_NPF), false },
		{ ISA_SVM, REASON_VMX_HLT, false },
		{ ISA_ARM64, REASON_ARM64_WFX, true },
		{ ISA_ARM64, REASON_ARM64_HVC64, true },
		{ ISA_ARM64, REASON_ARM64_SMC32, true },
		{ ISA_ARM64, REASON_ARM64_SYS64, false },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		begin();
		leave_guest(cases[i].index, 0);
		CHECK_INT(timing__read(timing, &clock_, cases[i].isa, now + 10 * MSEC, false), 0);
		account = timing__report(timing);
		if (!CHECK_INT(account->part[PART_IDLE], cases[i].halts ? 10 * MSEC : 0))
			fprintf(stderr, "\tin case %zu\n", i);
	}
	/* KVM told of a halt, whatever the reason is: an INIT can come at any exit */
	begin();
	leave_guest(CPUID, 0);
	clock_.halted = 1 * MSEC;
	clock_.in_user = 2 * MSEC;
	report(now + 10 * MSEC);
	check_parts(timing__reason(timing, CPUID, 1)->part, 0, 2, 0, 0, 8);
}

/* One that was before the exit, by an entry that was not seen or a clock that stepped back */
static void test_early_user(void)
{
	begin();
	leave_guest(CPUID, 0);
	clock_.user = now - 1 * MSEC;
	report(now + 10 * MSEC);
	check_parts(timing__reason(timing, CPUID, 1)->part, 0, 10, 0, 0, 0);
}

/* A thread that has ended does nothing any more, whatever its clock says */
static void test_gone(void)
{
	begin();
	leave_guest(CPUID, 0);
	report(now + 10 * MSEC);
	timing__finish(timing, &clock_, ISA_VMX, now + 5000 * MSEC, true);
	account = timing__report(timing);
	CHECK_INT(account->wall, 0);
	CHECK_INT(timing__reason(timing, CPUID, 0)->untimed, 1);
	/* Nor is it told twice */
	account = timing__report(timing);
	CHECK_INT(timing__reason(timing, CPUID, 0)->untimed, 0);
	begin();
	leave_guest(CPUID, 0);
	enter_guest(5, 0, 0, 0);
	timing__finish(timing, &clock_, ISA_VMX, now + 7 * MSEC, false);
	account = timing__report(timing);
	CHECK_INT(account->wall, 12 * MSEC);
	CHECK_INT(account->part[PART_GUEST], 7 * MSEC);
	CHECK_INT(timing__reason(timing, CPUID, 1)->untimed, 0);
}

/* Reasons without a row: their exits are untimed, their time is the thread's */
static void test_crowded(void)
{
	__u32 i;

	begin();
	for (i = 0; i < NR_ROWS - 1; i++) {
		leave_guest(40 + i, MSEC);
		enter_guest(1, 0, 0, 0);
	}
	for (i = 0; i < 3; i++) {
		leave_guest(100, MSEC);
		enter_guest(1, 0, 0, 0);
	}
	report(now);
	CHECK_INT(account->crowded, 3);
	CHECK_INT(timing__reason(timing, 100, 3)->untimed, 3);
	CHECK_INT(times__sum(timing__reason(timing, 100, 3)), 0);
	CHECK_INT(timing__reason(timing, 40, 1)->untimed, 0);
}

/* In the middle of an entry, however long: nothing is told, and nothing twice */
static void test_torn(void)
{
	begin();
	leave_guest(CPUID, 0);
	enter_guest(5, 0, 0, 0);
	leave_guest(CPUID, 5 * MSEC);
	report(now);
	clock_.entry = now + MSEC;
	row(CPUID)->time += MSEC;
	report(now + MSEC);
	CHECK_INT(account->wall, 0);
	clock_.exit = 0;
	clock_.guest += 5 * MSEC;
	row(CPUID)->buckets[25]++;
	report(now + 2 * MSEC);
	CHECK_INT(account->wall, 2 * MSEC);
	CHECK_INT(account->part[PART_GUEST], 1 * MSEC);
	check_parts(account->part, 1, 0, 0, 0, 0);
	/* Counters of 32 bits wrap */
	row(CPUID)->buckets[25] += 0xfffffff0u;
	report(now + 3 * MSEC);
	CHECK(times__spans(timing__reason(timing, CPUID, 0)) == 0xfffffff0u);
	row(CPUID)->buckets[25] += 0x20;
	report(now + 4 * MSEC);
	CHECK_INT(times__spans(timing__reason(timing, CPUID, 0)), 0x20);
}

/* Processors like Arm's may show what was stored last before the rest: that is torn, too */
static void test_reordered(void)
{
	/* When it was started, but not yet since when it counts */
	begin();
	leave_guest(CPUID, 0);
	clock_.entry = clock_.exit = 0;
	report(now + 3 * MSEC);
	CHECK_INT(account->wall, 0);
	begin();
	leave_guest(CPUID, 0);
	enter_guest(5, 0, 0, 0);
	leave_guest(CPUID, 5 * MSEC);
	report(now);
	row(CPUID)->time += 3 * MSEC;
	report(now + 3 * MSEC);
	CHECK_INT(account->wall, 0);
	row(CPUID)->time -= 3 * MSEC;
	row(CPUID)->user += 6 * MSEC;
	report(now + 3 * MSEC);
	CHECK_INT(account->wall, 0);
	row(CPUID)->user -= 6 * MSEC;
	enter_guest(3, 2, 0, 0);
	report(now);
	CHECK_INT(account->wall, 3 * MSEC);
	check_parts(account->part, 1, 2, 0, 0, 0);
}

static void test_quantiles(void)
{
	static const struct {
		__u64 from, to; /* of a bucket, ns */
		unsigned int bucket;
	} cases[] = {
		{ 256, 384, 1 },
		{ 384, 512, 2 },
		{ 1024, 1536, 5 },
		{ 1536, 2048, 6 },
		{ 100663296, 134217728, 38 },
		{ 134217728, 201326592, 39 },
		{ 201326592, 268435456, 40 },
		{ 12884901888, 17179869184, 52 },
	};
	struct times times, sum = { 0 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		__u64 p;

		times = (struct times){ .max = ~0ull };
		times.buckets[cases[i].bucket] = 7;
		p = times__quantile(&times, 50);
		CHECK(p * 10 <= cases[i].from * 12 && (p + 1) * 10 >= cases[i].to * 8);
		CHECK_INT(times__quantile(&times, 99), p);
		times.max = cases[i].from;
		CHECK_INT(times__quantile(&times, 50), cases[i].from);
	}
	times = (struct times){ .max = 900 * MSEC };
	CHECK_INT(times__quantile(&times, 50), 0);
	times.buckets[1] = 990;
	times.buckets[NR_BUCKETS - 1] = 10;
	CHECK_INT(times__quantile(&times, 99), 307);
	times__add(&sum, &times);
	sum.buckets[NR_BUCKETS - 1]++;
	CHECK_INT(times__quantile(&sum, 50), 307);
	CHECK_INT(times__quantile(&sum, 99), 900 * MSEC);
	/* 19 halts of 150 ms and one of 2.15 s */
	times = (struct times){ .max = 2150 * MSEC, .buckets = { [39] = 19, [47] = 1 } };
	CHECK_INT(times__quantile(&times, 50) / MSEC, 161);
	CHECK_INT(times__quantile(&times, 99) / MSEC, 2150);
}

#define SLOTS 4

static struct {
	struct slot slot;
	struct clock clock;
} slots[SLOTS];
static __u64 owned[SLOTS], ring[SLOTS];
static struct control control;
static struct snapshot snap;
static __u32 ended; /* a TID */

static bool is_gone(__u32 pid, __u32 tid)
{
	CHECK_INT(pid, 100);
	return tid == ended;
}

static bool process_is_gone(__u32 pid, __u64 start)
{
	(void)pid;
	(void)start;
	return false;
}

static int quiesce(void)
{
	return 0;
}

static struct run run;
static struct vms *vms;

static struct counters *counters_with_clocks(void)
{
	const struct shared shared = { .slots = slots,
				       .owned = owned,
				       .ring = ring,
				       .control = &control,
				       .quiesce = quiesce,
				       .layout = layout_of(1, 0),
				       .is_gone = is_gone };

	memset(slots, 0, sizeof(slots));
	memset(owned, 0, sizeof(owned));
	memset(&control, 0, sizeof(control));
	ended = 0;
	now = 5000 * NSEC_PER_SEC;
	return counters__new(&shared, SLOTS, vms);
}

/* A thread has slot @nr, and left its guest with a HLT */
static void halt(__u32 nr)
{
	slots[nr].slot.pid = 100;
	slots[nr].slot.tid = 101 + nr;
	slots[nr].slot.vcpu = nr;
	slots[nr].slot.isa = ISA_VMX;
	slots[nr].slot.key = 77 + nr;
	slots[nr].slot.count[HLT]++;
	slots[nr].clock.thread = 1000 + nr;
	slots[nr].clock.first = slots[nr].clock.entry = slots[nr].clock.exit = now;
	slots[nr].clock.index = HLT;
	owned[nr] = 1;
}

static void report_after(struct counters *c, __u64 ns)
{
	counters__forget(c, process_is_gone);
	now += ns;
	CHECK_INT(counters__collect(c, now), 0);
	CHECK_INT(counters__report(c, &snap, now), 0);
}

/* Who is idle is told of in every interval, and keeps its slot as long as it lives */
static void test_idle(void)
{
	struct counters *c = counters_with_clocks();
	int i;

	halt(0);
	for (i = 0; i < 60; i++) {
		report_after(c, NSEC_PER_SEC);
		CHECK_INT(snap.nr_threads, 1);
		CHECK_INT(snap.nr_samples, 1);
		CHECK_INT(snap.samples[0].code, HLT);
		CHECK_INT(snap.samples[0].count, !i);
		CHECK_INT(snap.samples[0].times->part[PART_IDLE], NSEC_PER_SEC);
		CHECK_INT(snap.threads[0].times->wall, NSEC_PER_SEC);
		CHECK_INT(snap.threads[0].tid, 101);
		CHECK_INT(snap.threads[0].count, !i);
	}
	CHECK_INT(owned[0], 1);
	/* It ends; the clock is cleared but for its owner */
	ended = 101;
	report_after(c, NSEC_PER_SEC);
	CHECK_INT(snap.threads[0].times->wall, 0);
	CHECK_INT(snap.samples[0].times->untimed, 1);
	CHECK_INT(owned[0], 0);
	CHECK(!slots[0].clock.exit && !slots[0].clock.first && slots[0].clock.thread == 1000);
	report_after(c, NSEC_PER_SEC);
	CHECK_INT(snap.nr_samples + snap.nr_threads, 0);
	counters__free(c);
}

/* A reason's first exit came after its count was read, and before its time was */
static void test_between(void)
{
	struct counters *c = counters_with_clocks();

	halt(0);
	slots[0].slot.count[HLT] = 0;
	report_after(c, NSEC_PER_SEC);
	CHECK_INT(snap.nr_samples, 1);
	CHECK_INT(snap.samples[0].count, 0);
	CHECK_INT(times__sum(snap.samples[0].times), times__sum(snap.threads[0].times));
	slots[0].slot.count[HLT] = 1;
	report_after(c, NSEC_PER_SEC);
	CHECK_INT(snap.samples[0].count, 1);
	CHECK_INT(snap.samples[0].total, 1);
	counters__free(c);
}

/* Unless slots are wanted: then its time is told up to there */
static void test_short(void)
{
	struct counters *c = counters_with_clocks();
	__u64 wall = 0;
	__u32 i;

	for (i = 0; i < SLOTS; i++)
		halt(i);
	for (i = 0; i < 5; i++) {
		report_after(c, NSEC_PER_SEC);
		wall += snap.nr_threads ? snap.threads[0].times->wall : 0;
	}
	CHECK(owned[0] + owned[1] + owned[2] + owned[3] < SLOTS);
	CHECK(!owned[0] && wall >= NSEC_PER_SEC);
	counters__free(c);
}

int main(void)
{
	vms = vms__new(run.node);
	test_idle();
	test_between();
	test_short();
	test_closed();
	test_late_stamp();
	test_open();
	test_guess();
	test_user();
	test_kicked();
	test_halts();
	test_early_user();
	test_gone();
	test_crowded();
	test_torn();
	test_reordered();
	test_quantiles();
	timing__free(timing);
	vms__free(vms);
	free(snap.samples);
	free(snap.threads);
	return check__report("times");
}
