// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Counters and the reports made of them; the life of their slots is in test_slots.c */
#include <errno.h>
#include <malloc.h>

#include "slots_host.h"

static void test_deltas(void)
{
	struct host *h = host_new(4);

	report(h);
	CHECK_INT(h->snap.nr_samples, 0);
	CHECK_INT(h->snap.exits, 0);

	exits(h, 10, 11, 0, 12, 5);
	report(h);
	CHECK_INT(h->snap.nr_samples, 1);
	CHECK_SAMPLE(h, 0, .pid = 10, .tid = 11, .vcpu = 0, .code = 12, .count = 5, .total = 5);

	/* Nothing new, nothing told */
	report(h);
	CHECK_INT(h->snap.nr_samples, 0);
	CHECK_INT(h->snap.exits, 0);
	CHECK_INT(h->snap.vms, 0);
	CHECK_INT(h->snap.vcpus, 0);

	/* Several collects, one report; several reports, one collect */
	exits(h, 10, 11, 0, 12, 1);
	collect(h);
	exits(h, 10, 11, 0, 12, 2);
	exits(h, 10, 11, 0, 1, 7);
	collect(h);
	collect(h);
	exits(h, 10, 11, 0, 12, 4);
	report(h);
	CHECK_INT(h->snap.nr_samples, 2);
	CHECK_SAMPLE(h, 0, .pid = 10, .tid = 11, .code = 1, .count = 7, .total = 7);
	CHECK_SAMPLE(h, 1, .pid = 10, .tid = 11, .code = 12, .count = 7, .total = 12);
	CHECK_INT(h->snap.exits, 14);
	CHECK_INT(counters__report(h->counters, &h->snap, h->now), 0);
	CHECK_INT(h->snap.nr_samples, 0);

	/* What comes after the collect belongs to the next report */
	collect(h);
	exits(h, 10, 11, 0, 12, 9);
	CHECK_INT(counters__report(h->counters, &h->snap, h->now), 0);
	CHECK_INT(h->snap.exits, 0);
	report(h);
	CHECK_INT(h->snap.exits, 9);
	CHECK_SAMPLE(h, 0, .pid = 10, .tid = 11, .code = 12, .count = 9, .total = 21);
	host_free(h);
}

/* Counts beyond 32 bits, and more of them than a double holds */
static void test_large(void)
{
	struct host *h = host_new(1);

	exits(h, 1, 2, 0, 12, 1ull << 60);
	report(h);
	CHECK_SAMPLE(h, 0, .pid = 1, .tid = 2, .code = 12, .count = 1ull << 60,
		     .total = 1ull << 60);
	exits(h, 1, 2, 0, 12, 1);
	report(h);
	CHECK_SAMPLE(h, 0, .pid = 1, .tid = 2, .code = 12, .count = 1, .total = (1ull << 60) + 1);
	host_free(h);
}

static void test_codes(void)
{
	static const __u32 codes[] = {
		0,
		1,
		NR_LOW - 1,
		HIGH_BASE,
		HIGH_BASE + NR_HIGH - 1,
		NR_LOW /* extra 0 */,
		0xffffffff,
		0x80000018,
		0xffff,
	};
	struct host *h = host_new(2);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(codes); i++)
		exits_isa(h, 20, 21, 3, ISA_SVM, codes[i], i + 1);
	report(h);
	CHECK_INT(h->snap.nr_samples, ARRAY_SIZE(codes));
	/* The extra ones come last, in the order they were first seen */
	for (i = 0; i < ARRAY_SIZE(codes); i++)
		CHECK_SAMPLE(h, i, .pid = 20, .tid = 21, .vcpu = 3, .isa = ISA_SVM,
			     .code = codes[i], .count = i + 1, .total = i + 1);
	CHECK_INT(counter__code(&h->control, NR_LOW + NR_HIGH), NR_LOW);
	CHECK_INT(counter__code(&h->control, NR_LOW), HIGH_BASE);
	host_free(h);
}

static void test_flags_and_lost(void)
{
	struct host *h = host_new(2);

	exits(h, 30, 31, 0, 33, 2);
	exits(h, 30, 32, 1, 33, 1);
	slot_of(h, 30, 31, 0, ISA_VMX)->flags[FLAG_FAILED_ENTRY] += 2;
	slot_of(h, 30, 32, 1, ISA_VMX)->flags[FLAG_FAILED_ENTRY] += 1;
	slot_of(h, 30, 32, 1, ISA_VMX)->flags[FLAG_ENCLAVE] += 1;
	CHECK(!exits(h, 30, 33, 2, 33, 1));
	report(h);
	CHECK_INT(h->snap.flags[FLAG_FAILED_ENTRY], 3);
	CHECK_INT(h->snap.flags[FLAG_BUS_LOCK], 0);
	CHECK_INT(h->snap.flags[FLAG_ENCLAVE], 1);
	CHECK_INT(h->snap.lost[LOST_FULL], 1);
	CHECK_INT(snapshot__lost(&h->snap), 1);

	/* Flags per interval, lost since the start */
	exits(h, 30, 31, 0, 33, 1);
	slot_of(h, 30, 31, 0, ISA_VMX)->flags[FLAG_BUS_LOCK] += 1;
	h->control.lost[0].count[LOST_CODES] = 4;
	h->control.lost[NR_LOST_LINES - 1].count[LOST_CODES] = 6;
	report(h);
	CHECK_INT(h->snap.flags[FLAG_FAILED_ENTRY], 0);
	CHECK_INT(h->snap.flags[FLAG_BUS_LOCK], 1);
	CHECK_INT(h->snap.flags[FLAG_ENCLAVE], 0);
	CHECK_INT(h->snap.lost[LOST_FULL], 1);
	CHECK_INT(h->snap.lost[LOST_CODES], 10);
	h->control.lost[1].count[LOST_CODES] = 5;
	report(h);
	CHECK_INT(h->snap.lost[LOST_FULL], 1);
	CHECK_INT(h->snap.lost_now[LOST_FULL], 0);
	CHECK_INT(h->snap.lost_now[LOST_CODES], 5);
	h->snap.lost[LOST_MISSED] = 95;
	CHECK_INT(snapshot__lost(&h->snap), 111);
	/* What was lost only grows: a reading that says less is wrong */
	snapshot__set_lost(&h->snap, LOST_MISSED, 0);
	CHECK_INT(h->snap.lost[LOST_MISSED], 95);
	CHECK_INT(h->snap.lost_now[LOST_MISSED], 0);
	host_free(h);
}

/* What programs missed goes to what it makes uncertain; where it is unknown, nothing shrinks */
static void test_missed(void)
{
	const unsigned int times = 1u << UNSURE_TIMES, details = 1u << UNSURE_DETAILS;
	struct snapshot snap = { .lost = { [LOST_FULL] = 2 } };
	struct misses m = { 0 };
	char text[MISSES_ROOM];

	misses__add(&m, 1u << UNSURE_EXITS, 5);
	misses__add(&m, times, 3);
	misses__add(&m, times | details, 4);
	misses__add(&m, details, 0);
	snapshot__set_missed(&snap, &m);
	CHECK_INT(snap.lost[LOST_MISSED], 5);
	CHECK_INT(snapshot__lost(&snap), 7);
	CHECK_INT(snap.missed_now.count[UNSURE_TIMES], 7);
	CHECK_INT(snap.missed_now.count[UNSURE_DETAILS], 4);
	misses__format(text, &snap.missed_now);
	CHECK_STR(text, "times 7, details 4");
	/* One program of each kind cannot be read; the sums are too small */
	m = (struct misses){ .count = { 0, 9, 1 }, .unknown = 1u << UNSURE_EXITS | details };
	snapshot__set_missed(&snap, &m);
	CHECK_INT(snap.lost[LOST_MISSED], 5);
	CHECK_INT(snap.lost_now[LOST_MISSED], 0);
	CHECK_INT(snap.missed.count[UNSURE_TIMES], 9);
	CHECK_INT(snap.missed_now.count[UNSURE_TIMES], 2);
	CHECK_INT(snap.missed.count[UNSURE_DETAILS], 4);
	CHECK_INT(snap.missed_now.count[UNSURE_DETAILS], 0);
	misses__format(text, &snap.missed_now);
	CHECK_STR(text, "exits unknown, times 2, details unknown");
	misses__parse(&m, text);
	CHECK_INT(m.unknown, snap.missed_now.unknown);
	CHECK_INT(m.count[UNSURE_TIMES], 2);
	misses__parse(&m, "timesx 3, later 9, details 18446744073709551615,,");
	CHECK_INT(m.unknown, 0);
	CHECK_INT(m.count[UNSURE_TIMES], 0);
	CHECK_INT(m.count[UNSURE_DETAILS], ~0ull);
	/* It can be read again */
	m = (struct misses){ .count = { 8, 9, 6 } };
	snapshot__set_missed(&snap, &m);
	CHECK_INT(snap.lost_now[LOST_MISSED], 3);
	CHECK_INT(snap.missed_now.count[UNSURE_DETAILS], 2);
	CHECK_INT(snap.missed.unknown | snap.missed_now.unknown, 0);
}

/* The kernel takes a slot first and marks it last: user space may look between */
static void test_not_yet_named(void)
{
	struct host *h = host_new(3);
	struct slot *slot = take_slot(h, key_of(40, 41, 0));

	exits(h, 40, 42, 1, 10, 1);
	report(h);
	CHECK_INT(h->snap.nr_samples, 1);
	report(h);
	CHECK_INT(h->snap.nr_samples, 0);
	name_slot(h, slot, 40, 41, 0, ISA_SVM);
	slot->count[0x7c] = 6;
	report(h);
	CHECK_INT(h->snap.nr_samples, 1);
	CHECK_SAMPLE(h, 0, .pid = 40, .tid = 41, .isa = ISA_SVM, .code = 0x7c, .count = 6,
		     .total = 6);
	report(h);
	CHECK_INT(h->snap.nr_samples, 0);
	host_free(h);
}

/* A vCPU's total goes on when another thread runs it, until its process ends */
static void test_totals(void)
{
	struct host *h = host_new(4);

	exits(h, 70, 71, 0, 12, 10);
	exits(h, 70, 79, 1, 12, 1);
	report(h);
	forget(h);
	idle(h, 10000);
	forget(h);
	exits(h, 70, 72, 0, 12, 5);
	report(h);
	forget(h);
	CHECK_SAMPLE(h, 0, .pid = 70, .tid = 72, .vcpu = 0, .code = 12, .count = 5, .total = 15);

	/* Old and new thread in one interval: each total includes what is above it */
	exits(h, 70, 72, 0, 12, 1);
	exits(h, 70, 73, 0, 12, 2);
	report(h);
	forget(h);
	CHECK_INT(h->snap.nr_samples, 2);
	CHECK_SAMPLE(h, 0, .pid = 70, .tid = 72, .code = 12, .count = 1, .total = 16);
	CHECK_SAMPLE(h, 1, .pid = 70, .tid = 73, .code = 12, .count = 2, .total = 18);

	/* The process has ended, but its last threads still have slots */
	end_process(70);
	forget(h);
	exits(h, 70, 73, 0, 12, 1);
	report(h);
	forget(h);
	CHECK_SAMPLE(h, 0, .pid = 70, .tid = 73, .code = 12, .count = 1, .total = 19);

	/* Those too; its PID comes back */
	idle(h, 10000);
	report(h);
	forget(h);
	nr_dead = 0;
	exits(h, 70, 71, 0, 12, 4);
	exits(h, 70, 71, 1, 12, 5);
	report(h);
	CHECK_INT(h->snap.nr_samples, 2);
	CHECK_SAMPLE(h, 0, .pid = 70, .tid = 71, .vcpu = 0, .code = 12, .count = 4, .total = 4);
	CHECK_SAMPLE(h, 1, .pid = 70, .tid = 71, .vcpu = 1, .code = 12, .count = 5, .total = 5);
	host_free(h);
}

/* In another PID namespace nobody can tell who lives: a vCPU is forgotten when it is idle for long
 */
static void test_unknown_life(void)
{
	struct host *h = host_new(4);
	size_t used = 0;
	__u32 i;

	exits(h, 70, 71, 0, 12, 10);
	report(h);
	for (i = 0; i < 3000; i++) {
		exits(h, 1000 + i, 1000 + i, 0, 12, 1);
		exits(h, 1000 + i, 1000 + i, 0, 30, 1);
		idle(h, 5000);
		report(h);
		counters__forget(h->counters, NULL);
		vms__forget(h->vms);
		/* One that is never idle for ten minutes keeps its total */
		if (i % 100 == 99) {
			exits(h, 70, 71, 0, 12, 1);
			report(h);
			CHECK_SAMPLE(h, 0, .pid = 70, .tid = 71, .code = 12, .count = 1,
				     .total = 10 + i / 100 + 1);
		}
		if (i == 500)
			used = mallinfo2().uordblks;
	}
	CHECK(mallinfo2().uordblks < used + 16384);
	host_free(h);
}

/* A PID that was given out again at once is another process */
static void test_same_pid_again(void)
{
	struct host *h = host_new(4);

	exits(h, 70, 71, 0, 12, 1000);
	report(h);
	h->slots[0].count[12] += 1;
	exits(h, 70, 72, 0, 12, 5);
	slot_of(h, 70, 72, 0, ISA_VMX)->start = 999;
	report(h);
	CHECK_INT(h->snap.nr_samples, 2);
	CHECK_INT(h->snap.vms, 2);
	CHECK_SAMPLE(h, 0, .pid = 70, .tid = 71, .code = 12, .count = 1, .total = 1001);
	CHECK_INT(h->snap.samples[0].vm->start, 700);
	CHECK_SAMPLE(h, 1, .pid = 70, .tid = 72, .code = 12, .count = 5, .total = 5);
	CHECK_INT(h->snap.samples[1].vm->start, 999);
	host_free(h);
}

static void test_two_vcpus_one_thread(void)
{
	struct host *h = host_new(4);

	exits(h, 80, 81, 0, 12, 1);
	exits(h, 80, 81, 1, 12, 2);
	exits(h, 80, 81, 0, 12, 3);
	exits(h, 80, 81, 1, 48, 4);
	report(h);
	CHECK_INT(h->snap.nr_samples, 3);
	CHECK_SAMPLE(h, 0, .pid = 80, .tid = 81, .vcpu = 0, .code = 12, .count = 4, .total = 4);
	CHECK_SAMPLE(h, 1, .pid = 80, .tid = 81, .vcpu = 1, .code = 12, .count = 2, .total = 2);
	CHECK_SAMPLE(h, 2, .pid = 80, .tid = 81, .vcpu = 1, .code = 48, .count = 4, .total = 4);
	CHECK_INT(h->snap.vms, 1);
	CHECK_INT(h->snap.vcpus, 2);
	host_free(h);
}

static void test_order_and_figures(void)
{
	struct host *h = host_new(16);

	exits(h, 300, 301, 0, 12, 1);
	exits(h, 2, 9, 10, 12, 1);
	exits(h, 2, 7, 2, 30, 1);
	exits(h, 2, 7, 2, 10, 1);
	exits(h, 2, 6, 2, 12, 1);
	exits(h, 2, 8, 1, 12, 1);
	exits(h, 300, 300, 1, 12, 1);
	exits(h, 0xfffffffe, 0xffffffff, 0, 12, 1);
	report(h);
	CHECK_INT(h->snap.nr_samples, 8);
	CHECK_SAMPLE(h, 0, .pid = 2, .tid = 8, .vcpu = 1, .code = 12, .count = 1, .total = 1);
	CHECK_SAMPLE(h, 1, .pid = 2, .tid = 6, .vcpu = 2, .code = 12, .count = 1, .total = 1);
	CHECK_SAMPLE(h, 2, .pid = 2, .tid = 7, .vcpu = 2, .code = 10, .count = 1, .total = 1);
	CHECK_SAMPLE(h, 3, .pid = 2, .tid = 7, .vcpu = 2, .code = 30, .count = 1, .total = 1);
	CHECK_SAMPLE(h, 4, .pid = 2, .tid = 9, .vcpu = 10, .code = 12, .count = 1, .total = 1);
	CHECK_SAMPLE(h, 5, .pid = 300, .tid = 301, .vcpu = 0, .code = 12, .count = 1, .total = 1);
	CHECK_SAMPLE(h, 6, .pid = 300, .tid = 300, .vcpu = 1, .code = 12, .count = 1, .total = 1);
	CHECK_SAMPLE(h, 7, .pid = 0xfffffffe, .tid = 0xffffffff, .code = 12, .count = 1,
		     .total = 1);
	CHECK_INT(h->snap.vms, 3);
	CHECK_INT(h->snap.vcpus, 6); /* vCPU 2 of PID 2 has two threads */
	CHECK_INT(h->snap.exits, 8);

	/* A late thread goes to its place; the idle ones are in no figure */
	exits(h, 300, 301, 0, 12, 1);
	exits(h, 2, 5, 0, 12, 1);
	report(h);
	CHECK_SAMPLE(h, 0, .pid = 2, .tid = 5, .vcpu = 0, .code = 12, .count = 1, .total = 1);
	CHECK_SAMPLE(h, 1, .pid = 300, .tid = 301, .vcpu = 0, .code = 12, .count = 1, .total = 2);
	CHECK_INT(h->snap.vms, 2);
	CHECK_INT(h->snap.vcpus, 2);
	host_free(h);
}

/*
 * A random host: 3 processes of 4 vCPUs, whose threads are busy or idle. What was reported must be
 * what was counted.
 */
#define PIDS 3
#define TIDS 9
#define VCPUS 4

static const __u32 random_codes[] = { 0, 12, 48, NR_LOW - 1, HIGH_BASE, 0xf0000000, 0xffff, 1 };

#define CODES ARRAY_SIZE(random_codes)

static __u64 counted[PIDS][VCPUS][TIDS][CODES], reported[PIDS][VCPUS][TIDS][CODES];
static __u64 totals[PIDS][VCPUS][CODES];
static __u64 random_state;

static __u32 random_below(__u32 n)
{
	random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
	return (random_state >> 33) % n;
}

static size_t code_number(__u32 code)
{
	size_t i;

	for (i = 0; i < CODES - 1 && random_codes[i] != code; i++)
		;
	return i;
}

static void take_random_report(struct host *h)
{
	__u64 sum = 0;
	size_t i;

	report(h);
	for (i = 0; i < h->snap.nr_samples; i++) {
		const struct sample *s = &h->snap.samples[i];
		__u32 p = s->vm->pid - 1000, t = s->tid - 2000;
		size_t c = code_number(s->code);

		if (!CHECK(p < PIDS && t < TIDS && s->vcpu < VCPUS && s->count))
			return;
		sum += s->count;
		reported[p][s->vcpu][t][c] += s->count;
		totals[p][s->vcpu][c] += s->count;
		CHECK_INT(s->total, totals[p][s->vcpu][c]);
		CHECK(i == 0 || s[-1].vm->pid < s->vm->pid ||
		      (s[-1].vm == s->vm &&
		       (s[-1].vcpu < s->vcpu || (s[-1].vcpu == s->vcpu && s[-1].tid <= s->tid))));
	}
	CHECK_INT(h->snap.exits, sum);
	forget(h);
}

static void random_step(struct host *h)
{
	__u32 p = random_below(PIDS), t = random_below(TIDS), v = random_below(VCPUS);
	__u32 c = random_below(CODES), what = random_below(100), n = 1 + random_below(1000);

	h->now += random_below(60) * NSEC_PER_MSEC;
	quiesced = random_below(3) ? 0 : -EINVAL;
	if (what < 75) {
		/* A thread runs one vCPU, rarely another */
		v = random_below(20) ? t % VCPUS : v;
		if (exits(h, p + 1000, t + 2000, v, random_codes[c], n))
			counted[p][v][t][c] += n;
	} else if (what < 90) {
		collect(h);
	} else {
		take_random_report(h);
	}
}

static void test_random(__u64 seed, __u32 max)
{
	struct host *h = host_new(max);
	__u64 used = 0;
	size_t i;

	random_state = seed;
	memset(counted, 0, sizeof(counted));
	memset(reported, 0, sizeof(reported));
	memset(totals, 0, sizeof(totals));
	for (i = 0; i < 20000; i++)
		random_step(h);
	take_random_report(h);
	if (!CHECK(!memcmp(counted, reported, sizeof(counted))))
		fprintf(stderr, "\twith seed %llu and %u slots\n", seed, max);
	for (i = 0; i < sizeof(counted) / sizeof(__u64); i++)
		used += !!((__u64 *)counted)[i];
	CHECK(used > 100);
	CHECK(h->handed > 5 * max);
	CHECK(h->control.head > 5 * max);
	CHECK_INT(counters__lost(h->counters, LOST_MAP), 0);
	host_free(h);
}

int main(void)
{
	test_deltas();
	test_large();
	test_codes();
	test_flags_and_lost();
	test_missed();
	test_not_yet_named();
	test_totals();
	test_unknown_life();
	test_same_pid_again();
	test_two_vcpus_one_thread();
	test_order_and_figures();
	test_random(1, 3);
	test_random(2, 13);
	test_random(3, MAX_SLOTS);
	return check__report("counters");
}
