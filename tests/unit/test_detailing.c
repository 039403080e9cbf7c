// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What was behind exits, from the table to the report: on memory made here, the
 * kernel's part played by this test.
 */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "collect/counters.h"
#include "collect/detail_table.h"
#include "lib/util.h"
#include "snapshot/run.h"
#include "vm/vm.h"

enum {
	SLOTS = 2,
	MSR = 0x7c,
	IO = 30,
	CPUID = 0x72,
	HLT = 0x78
};

static struct {
	struct slot slot;
	struct details details;
} slots[SLOTS];
static __u64 owned[SLOTS], ring[SLOTS];
static struct control control;
static struct snapshot snap;
static struct run run;
static struct vms *vms;
static __u64 now;

static int quiesce(void)
{
	return 0;
}

static bool is_gone(__u32 pid, __u64 start)
{
	(void)pid;
	(void)start;
	return false;
}

static struct counters *begin(void)
{
	struct shared shared = { .slots = slots,
				 .owned = owned,
				 .ring = ring,
				 .control = &control,
				 .quiesce = quiesce,
				 .layout = layout_of(0, 1) };

	shared.detailed[ISA_SVM - ISA_VMX][MSR] = shared.detailed[ISA_SVM - ISA_VMX][CPUID] = 1;
	shared.detailed[0][IO] = 1;
	memset(slots, 0, sizeof(slots));
	memset(owned, 0, sizeof(owned));
	memset(&control, 0, sizeof(control));
	snap.final = false;
	now = 5000 * NSEC_PER_SEC;
	return counters__new(&shared, SLOTS, vms);
}

static void own(__u32 nr, __u32 tid, __u32 isa)
{
	slots[nr].slot.pid = 100;
	slots[nr].slot.tid = tid;
	slots[nr].slot.isa = isa;
	slots[nr].slot.key = 7000 + tid;
	owned[nr] = 1;
}

static __u64 key_of(__u32 index, __u64 detail)
{
	return (__u64)(index + 1) << DETAIL_INDEX_SHIFT | detail;
}

/* @n exits, and what was behind them in entry @at */
static void behind(__u32 nr, __u32 at, __u32 code, __u64 detail, __u64 n)
{
	slots[nr].slot.count[code] += n;
	slots[nr].details.entries[at].key = key_of(code, detail);
	slots[nr].details.entries[at].count += n;
}

static void report(struct counters *c)
{
	counters__forget(c, is_gone);
	now += NSEC_PER_MSEC;
	CHECK_INT(counters__collect(c, now), 0);
	CHECK_INT(counters__report(c, &snap, now), 0);
}

/* How many exits the last report has of this, and how many of the vCPU's there were */
static __u64 told(__u32 code, __u64 detail, __u64 *total)
{
	size_t i;

	for (i = 0; i < snap.nr_samples; i++)
		if (snap.samples[i].code == code && snap.samples[i].detail == detail) {
			if (total)
				*total = snap.samples[i].total;
			return snap.samples[i].count;
		}
	return 0;
}

static void test_report(void)
{
	const __u64 deadline = detail_msr(0x6e0, 1), eoi = detail_msr(0x80b, 1);
	struct counters *c = begin();
	__u64 total = 0;

	own(0, 101, ISA_SVM);
	behind(0, 5, MSR, deadline, 10);
	behind(0, 40, MSR, eoi, 3);
	behind(0, 6, MSR, eoi | DETAIL_L2, 2);
	behind(0, 7, MSR, 0, 1); /* not known */
	behind(0, 8, CPUID, detail_leaf(1, 0), 4);
	slots[0].slot.count[HLT] = 20; /* of which there are none */
	report(c);
	CHECK_INT(snap.nr_samples, 6);
	CHECK_INT(snap.exits, 40);
	CHECK_INT(told(MSR, deadline, NULL), 10);
	CHECK_INT(told(MSR, eoi, NULL), 3);
	CHECK_INT(told(MSR, eoi | DETAIL_L2, NULL), 2);
	CHECK_INT(told(MSR, 0, NULL), 1);
	CHECK_INT(told(CPUID, detail_leaf(1, 0), NULL), 4);
	CHECK_INT(told(HLT, DETAIL_NONE, NULL), 20);
	report(c);
	CHECK_INT(snap.nr_samples, 0);
	/* Those that find no room any more */
	slots[0].details.reasons[0] = CPUID + 1;
	slots[0].details.crowded[0] = 7;
	slots[0].details.reasons[1] = MSR + 1;
	slots[0].details.crowded[1] = 9;
	slots[0].slot.count[CPUID] += 7;
	slots[0].slot.count[MSR] += 9;
	behind(0, 5, MSR, deadline, 2);
	report(c);
	CHECK_INT(snap.nr_samples, 3);
	CHECK_INT(told(MSR, deadline, &total), 2);
	CHECK_INT(total, 12);
	CHECK_INT(told(MSR, DETAIL_OTHER, NULL), 9);
	CHECK_INT(told(CPUID, DETAIL_OTHER, NULL), 7);
	counters__free(c);
}

/* An exit whose detail is still to come is told with it; at the end without */
static void test_pending(void)
{
	const __u64 port = detail_port(0x3f8, 1, 0, 0);
	struct counters *c = begin();

	own(0, 101, ISA_VMX);
	behind(0, 0, IO, port, 5);
	slots[0].slot.count[IO]++;
	slots[0].details.pending = key_of(IO, 0);
	report(c);
	CHECK_INT(told(IO, port, NULL), 5);
	CHECK_INT(snap.exits, 5);
	/* It comes, and no further exit */
	slots[0].details.pending = 0;
	slots[0].details.entries[0].count++;
	report(c);
	CHECK_INT(told(IO, port, NULL), 1);
	CHECK_INT(snap.exits, 1);
	slots[0].slot.count[IO]++;
	slots[0].details.pending = key_of(IO, 0);
	report(c);
	CHECK_INT(snap.exits, 0);
	snap.final = true;
	report(c);
	CHECK_INT(told(IO, 0, NULL), 1);
	CHECK_INT(snap.exits, 1);
	counters__free(c);
}

/* The same for a page fault: that it was one is known from the beginning */
static void test_pending_fault(void)
{
	const __u64 fault = detail_fault(0x40200000, ACCESS_WRITE, 0);
	struct counters *c = begin();
	int i;

	own(0, 101, ISA_VMX);
	own(1, 102, ISA_VMX);
	slots[0].slot.count[IO] = slots[1].slot.count[IO] = 1;
	slots[0].details.pending = slots[1].details.pending = key_of(IO, 0) | DETAIL_L2;
	slots[0].details.fault = slots[1].details.fault = fault;
	report(c);
	CHECK_INT(snap.exits, 0);
	/* One slot is freed, the other has it until the end */
	slots[1].slot.count[CPUID]++;
	for (i = 0; i < 3 && owned[0]; i++) {
		slots[1].slot.count[CPUID]++;
		behind(1, 0, CPUID, detail_leaf(1, 0), i + 2);
		now += NSEC_PER_SEC;
		report(c);
	}
	CHECK(!owned[0]);
	CHECK_INT(told(IO, fault | DETAIL_L2, NULL), 1);
	snap.final = true;
	report(c);
	CHECK_INT(told(IO, fault | DETAIL_L2, NULL), 1);
	CHECK_INT(told(IO, 0, NULL), 0);
	CHECK_INT(snap.exits, 1);
	counters__free(c);
}

/* A slot that is freed: nothing is to come any more, and the next owner begins anew */
static void test_slot(void)
{
	const __u64 port = detail_port(0x3f8, 1, 0, 0);
	struct counters *c = begin();
	int i;

	own(0, 101, ISA_VMX);
	own(1, 102, ISA_VMX);
	behind(0, 0, IO, port, 5);
	slots[0].slot.count[IO]++;
	slots[0].details.pending = key_of(IO, 0);
	report(c);
	CHECK_INT(told(IO, port, NULL), 5);
	for (i = 0; i < 3 && owned[0]; i++) {
		now += NSEC_PER_SEC;
		report(c);
	}
	CHECK(!owned[0]);
	CHECK_INT(told(IO, 0, NULL), 1);
	CHECK_INT(snap.exits, 1);
	CHECK(!slots[0].details.pending && !slots[0].details.entries[0].key &&
	      !slots[0].details.entries[0].count);
	/* The same thread comes back before it is forgotten */
	own(0, 101, ISA_VMX);
	behind(0, 9, IO, port, 4);
	report(c);
	CHECK_INT(told(IO, port, NULL), 4);
	CHECK_INT(snap.exits, 4);
	counters__free(c);
}

/* The same before a report, an exit of the old slot being still without a detail */
static void test_back_soon(void)
{
	const __u64 port = detail_port(0x3f8, 1, 0, 0);
	struct counters *c = begin();
	__u64 told_so_far;
	int i;

	own(0, 101, ISA_VMX);
	behind(0, 0, IO, port, 5);
	slots[0].slot.count[IO]++;
	slots[0].details.pending = key_of(IO, 0);
	for (i = 0; i < 20 && owned[0]; i++) {
		now += NSEC_PER_SEC;
		CHECK_INT(counters__collect(c, now), 0);
	}
	CHECK(!owned[0]);
	own(0, 101, ISA_VMX);
	behind(0, 9, IO, port, 4);
	report(c);
	told_so_far = snap.exits;
	snap.final = true;
	report(c);
	CHECK_INT(told_so_far + snap.exits, 10);
	counters__free(c);
}

/* Whatever order they come in: each is told once, and all of them are the reason's */
static void test_random(void)
{
	struct counters *c = begin();
	__u64 made = 0, seen = 0, state = 1;
	__u64 counts[16] = { 0 }, got[16] = { 0 };
	size_t i, k;

	own(0, 101, ISA_VMX);
	for (i = 0; i < 20000; i++) {
		state = state * 6364136223846793005ull + 1442695040888963407ull;
		k = state >> 60;
		if (slots[0].details.pending) {
			behind(0, k, IO, detail_port(k, 1, 0, 0), 1);
			slots[0].slot.count[IO]--; /* it was counted before */
			slots[0].details.pending = 0;
			counts[k]++;
		} else {
			slots[0].slot.count[IO]++;
			made++;
			slots[0].details.pending = key_of(IO, 0);
		}
		if (state >> 50 & 15)
			continue;
		report(c);
		seen += snap.exits;
		CHECK_INT(told(IO, 0, NULL), 0);
		for (k = 0; k < 16; k++)
			got[k] += told(IO, detail_port(k, 1, 0, 0), NULL);
	}
	snap.final = true;
	report(c);
	seen += snap.exits;
	CHECK_INT(seen, made);
	for (k = 0; k < 16; k++)
		got[k] += told(IO, detail_port(k, 1, 0, 0), NULL);
	CHECK(!memcmp(got, counts, sizeof(got)));
	counters__free(c);
}

/* Parts of one detail, in ms, and what it shares */
static void set_ns(struct detail_entry *e, __u64 kvm, __u64 user, __u64 idle)
{
	e->time += (kvm + user + idle) * NSEC_PER_MSEC;
	e->user += user * NSEC_PER_MSEC;
	e->idle += idle * NSEC_PER_MSEC;
}

static __u64 part_of(struct detailing *d, __u64 key, enum part part)
{
	struct behind *b;
	size_t n;

	for (b = detailing__of(d, (key >> DETAIL_INDEX_SHIFT) - 1, &n); n; n--, b++)
		if (b->key == key)
			return b->times->part[part] / NSEC_PER_MSEC;
	return 0;
}

/* A guest fills its table with details that nobody has seen before, and one that it had */
static void fill_table(__u32 round)
{
	__u32 i;

	own(0, 101, ISA_SVM);
	behind(0, 63, MSR, detail_msr(0x6e0, 1), 100);
	for (i = 0; i < 60; i++)
		behind(0, i, CPUID, detail_leaf(round * 60 + i, 0), 1);
	slots[0].details.reasons[0] = CPUID + 1;
	slots[0].details.crowded[0] = 5;
	slots[0].slot.count[CPUID] += 5;
	slots[0].details.open = NR_DETAILS;
}

/* What a guest did when it booted does not take the room of what it does later for good */
static void test_crowded(void)
{
	const __u64 deadline = detail_msr(0x6e0, 1);
	struct counters *c = begin();
	__u64 total = 0;

	own(0, 101, ISA_SVM);
	behind(0, 5, MSR, deadline, 10);
	slots[0].details.reasons[0] = CPUID + 1;
	slots[0].details.crowded[0] = 7;
	slots[0].slot.count[CPUID] = 7;
	report(c);
	CHECK_INT(told(CPUID, DETAIL_OTHER, NULL), 7);
	/* It has to find another slot at once */
	CHECK(!slots[0].slot.key && !slots[0].details.reasons[0] && !owned[0]);
	own(1, 101, ISA_SVM);
	behind(1, 5, MSR, deadline, 4);
	behind(1, 6, CPUID, detail_leaf(1, 0), 6);
	report(c);
	CHECK_INT(told(MSR, deadline, &total), 4);
	CHECK_INT(total, 14);
	CHECK_INT(told(CPUID, detail_leaf(1, 0), NULL), 6);
	CHECK_INT(told(CPUID, DETAIL_OTHER, NULL), 0);
	/* That one stays, as it has room */
	now += 20 * NSEC_PER_SEC;
	behind(1, 5, MSR, deadline, 1);
	report(c);
	CHECK_INT(told(MSR, deadline, NULL), 1);
	CHECK(slots[1].slot.key);
	counters__free(c);
}

/* The first times as soon as it is seen; then it takes twice as long each time, up to 10 s */
static void test_crowded_again(void)
{
	static const __u64 ms[] = { 0, 0, 0, 200, 400, 800, 1600, 3200, 6400, 10000, 10000 };
	struct counters *c = begin();
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ms); i++) {
		fill_table(i);
		report(c);
		CHECK_INT(!owned[0], !ms[i]);
		if (!ms[i])
			continue;
		now += (ms[i] - 2) * NSEC_PER_MSEC;
		behind(0, 63, MSR, detail_msr(0x6e0, 1), 1);
		report(c);
		CHECK(owned[0]);
		now += NSEC_PER_MSEC;
		report(c);
		CHECK(!owned[0]);
	}
	counters__free(c);
}

/* A table with exits of two ports, of which the open one is the last */
static struct details *two_ports(__u64 one, __u64 two, __u32 open)
{
	struct details *table = &slots[0].details;

	memset(table, 0, sizeof(*table));
	table->entries[0].key = one;
	table->entries[1].key = two;
	table->open = open;
	return table;
}

/* Shares @all among what the table has by now */
static void share(struct detailing *d, const struct details *table, const struct times *all)
{
	CHECK_INT(detailing__read(d, table), 0);
	CHECK_INT(detailing__share(d, IO, all), 0);
}

/* A reason's time is shared out to the last ns, whatever the table says by now */
static void test_times(void)
{
	const __u64 one = key_of(IO, detail_port(1, 1, 0, 0));
	const __u64 two = key_of(IO, detail_port(2, 1, 0, 0));
	struct times all = {
		.part = { [PART_KVM] = 10 * NSEC_PER_MSEC, [PART_USER] = 30 * NSEC_PER_MSEC },
		.max = 77,
		.untimed = 3
	};
	struct detailing d = { 0 };
	struct details *table = two_ports(one, two, 1);

	/* Two's span is open */
	set_ns(&table->entries[0], 4, 20, 0);
	set_ns(&table->entries[1], 6, 9, 0);
	share(&d, table, &all);
	CHECK_INT(part_of(&d, one, PART_KVM), 4);
	CHECK_INT(part_of(&d, one, PART_USER), 20);
	CHECK_INT(part_of(&d, two, PART_KVM), 6);
	CHECK_INT(part_of(&d, two, PART_USER), 10);
	CHECK_INT(d.list[1].times->max, 77);
	CHECK_INT(d.list[1].times->untimed, 3);
	/* It ends, and all of it is in the table, though most was told before */
	set_ns(&table->entries[1], 1, 5, 0);
	set_ns(&table->entries[0], 2, 0, 0);
	all = (struct times){
		.part = { [PART_KVM] = 3 * NSEC_PER_MSEC, [PART_USER] = 2 * NSEC_PER_MSEC }
	};
	/* And the next one waits for its detail */
	table->open = NR_DETAILS;
	table->pending = key_of(IO, 0);
	share(&d, table, &all);
	CHECK_INT(part_of(&d, one, PART_KVM), 2);
	CHECK_INT(part_of(&d, two, PART_KVM), 1);
	CHECK_INT(part_of(&d, two, PART_USER), 2);
	all = (struct times){ .part = { [PART_KVM] = 8 * NSEC_PER_MSEC } };
	CHECK_INT(detailing__share(&d, IO, &all), 0);
	CHECK_INT(part_of(&d, key_of(IO, 0), PART_KVM), 8);
	CHECK_INT(part_of(&d, one, PART_KVM) + part_of(&d, two, PART_KVM), 0);
	/* Of exits for whose details there was no room all is told, also when they are over */
	table->pending = 0;
	table->reasons[0] = IO + 1;
	table->crowded[0] = 5;
	share(&d, table, &all);
	CHECK_INT(part_of(&d, key_of(IO, DETAIL_OTHER), PART_KVM), 8);
	CHECK_INT(part_of(&d, key_of(IO, 0), PART_KVM), 0);
	detailing__free(&d);
}

/* What is kept for reasons only is no reason to tell of a detail without exits and time */
static void test_nothing_left(void)
{
	const __u64 one = key_of(IO, detail_port(1, 1, 0, 0));
	const __u64 two = key_of(IO, detail_port(2, 1, 0, 0));
	struct times all = { .part = { [PART_KVM] = 10 * NSEC_PER_MSEC },
			     .max = 77,
			     .buckets = { [3] = 5 } };
	struct detailing d = { 0 };
	struct details *table = two_ports(one, two, NR_DETAILS);
	struct behind *unknown;
	size_t n;

	set_ns(&table->entries[0], 10, 0, 0);
	share(&d, table, &all);
	unknown = detailing__of(&d, IO, &n);
	CHECK_INT(n, 3);
	CHECK_INT(unknown[0].key, key_of(IO, 0));
	CHECK_INT(times__spans(unknown[0].times), 0);
	CHECK_INT(times__spans(unknown[1].times), 5);
	CHECK_INT(unknown[1].times->max, 77);
	detailing__free(&d);
}

/* Read in the middle of an entry: what was KVM's own so far turns out to be user space's */
static void test_torn(void)
{
	const __u64 one = key_of(IO, detail_port(1, 1, 0, 0));
	const __u64 two = key_of(IO, detail_port(2, 1, 0, 0));
	struct times all = { .part = { [PART_KVM] = 10 * NSEC_PER_MSEC } };
	struct detailing d = { 0 };
	struct details *table = two_ports(one, two, NR_DETAILS);

	set_ns(&table->entries[0], 10, 0, 0);
	share(&d, table, &all);
	CHECK_INT(part_of(&d, one, PART_KVM), 10);
	table->entries[0].user += 4 * NSEC_PER_MSEC;
	set_ns(&table->entries[1], 20, 0, 0);
	all = (struct times){ .part = { [PART_KVM] = 20 * NSEC_PER_MSEC } };
	share(&d, table, &all);
	CHECK_INT(part_of(&d, one, PART_KVM), 0);
	CHECK_INT(part_of(&d, two, PART_KVM), 20);
	detailing__free(&d);
}

/* An exit that is still open at the report is its last, and all that is told when it ends */
static void test_long(void)
{
	const __u64 one = key_of(IO, detail_port(1, 1, 0, 0));
	const __u64 two = key_of(IO, detail_port(2, 1, 0, 0));
	struct times all = { .part = { [PART_USER] = 90 * NSEC_PER_MSEC } };
	struct detailing d = { 0 };
	struct details *table = two_ports(one, two, 0);

	share(&d, table, &all);
	CHECK_INT(part_of(&d, one, PART_USER), 90);
	set_ns(&table->entries[0], 0, 100, 0);
	set_ns(&table->entries[1], 0, 50, 0);
	table->open = 1;
	all.part[PART_USER] = 60 * NSEC_PER_MSEC;
	share(&d, table, &all);
	CHECK_INT(part_of(&d, one, PART_USER), 10);
	CHECK_INT(part_of(&d, two, PART_USER), 50);
	detailing__free(&d);
}

static __u64 in_use(void)
{
	return mallinfo2().uordblks;
}

/* Totals of all details that are in a report; @rounds later the memory is the same */
static void test_new_details(bool one_report)
{
	struct counters *c = begin();
	__u64 sum = 0, total = 0, used = 0;
	__u32 round;

	for (round = 0; round < 600; round++) {
		fill_table(round);
		now += NSEC_PER_SEC;
		CHECK_INT(counters__collect(c, now), 0);
		now += 10 * NSEC_PER_SEC;
		CHECK_INT(counters__collect(c, now), 0);
		CHECK(!owned[0]);
		if (!one_report) {
			report(c);
			sum += snap.exits;
			CHECK_INT(told(CPUID, detail_leaf(round * 60, 0), NULL), 1);
		}
		if (round == 100)
			used = in_use();
	}
	/* Some KB for what the allocator keeps; without a bound it were MB */
	CHECK(in_use() < used + 16384);
	if (one_report) {
		report(c);
		sum = snap.exits;
		CHECK(snap.nr_samples <= 1100);
	}
	CHECK_INT(sum, 600 * 165);
	CHECK_INT(told(MSR, detail_msr(0x6e0, 1), &total), one_report ? 60000 : 100);
	CHECK_INT(total, 60000);
	told(CPUID, DETAIL_OTHER, &total);
	CHECK(total > 600 * 65 - 1100);
	counters__free(c);
}

int main(void)
{
	vms = vms__new(run.node);
	test_report();
	test_crowded();
	test_crowded_again();
	test_pending();
	test_pending_fault();
	test_slot();
	test_back_soon();
	test_random();
	test_times();
	test_nothing_left();
	test_torn();
	test_long();
	test_new_details(false);
	test_new_details(true);
	vms__free(vms);
	free(snap.samples);
	return check__report("detailing");
}
