// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The life of a slot: taken, retired, drained, given to the next */
#include <errno.h>
#include <malloc.h>

#include "slots_host.h"

/* Slots come back from whoever is idle, and soon where few are free */
static void test_patience(void)
{
	struct host *h = host_new(80);
	__u32 i;

	for (i = 0; i < 16; i++)
		exits(h, 50, 51 + i, i, 12, 3);
	collect(h);
	idle(h, 9999);
	CHECK_INT(h->control.tail, 0);
	exits(h, 50, 51, 0, 12, 1);
	idle(h, 1);
	CHECK_INT(h->control.tail, 15); /* not the one that has counted since */
	CHECK(h->slots[0].key);
	for (i = 0; i < 16; i++)
		exits(h, 60, 71 + i, i, 12, 3); /* leaves 63 */
	collect(h);
	idle(h, 199);
	CHECK_INT(h->control.tail, 15);
	exits(h, 50, 51, 0, 12, 1);
	idle(h, 1);
	CHECK_INT(h->control.tail, 31);
	report(h);
	CHECK_INT(h->snap.exits, 16 * 3 + 2 + 16 * 3);
	host_free(h);
}

/* As many slots as there are come back, however few those are, and not only some */
static void test_all_come_back(void)
{
	struct host *h = host_new(8);
	__u32 i;

	for (i = 0; i < 6; i++) {
		exits(h, 50, 51 + i, i, 12, 3);
		collect(h);
		h->now += 20 * NSEC_PER_MSEC;
	}
	idle(h, 200);
	CHECK_INT(h->control.tail, 6);
	for (i = 0; i < 6; i++)
		CHECK(exits(h, 60, 61 + i, i, 12, 3));
	host_free(h);
}

static void test_retire(void)
{
	struct host *h = host_new(1);

	exits(h, 50, 51, 0, 12, 3);
	report(h);
	/* The kernel can't say when all runs of the program are over: by time */
	quiesced = -EINVAL;
	idle(h, 200);
	CHECK(!h->slots[0].key && !find_hint(h, key_of(50, 51, 0)));
	CHECK_INT(h->control.tail, 0);
	CHECK(!exits(h, 50, 52, 0, 12, 1));
	/* What a racing exit still put there is counted, then the slot is free */
	h->slots[0].count[12] += 2;
	h->slots[0].count[48] += 1;
	h->slots[0].flags[FLAG_BUS_LOCK] += 1;
	idle(h, 999);
	CHECK_INT(h->control.tail, 0);
	idle(h, 1);
	CHECK_INT(h->control.tail, 1);
	CHECK(h->slots[0].old_key == key_of(50, 51, 0));
	idle(h, 1000);
	CHECK_INT(h->control.tail, 1);
	report(h);
	CHECK_INT(h->snap.nr_samples, 2);
	CHECK_SAMPLE(h, 0, .pid = 50, .tid = 51, .code = 12, .count = 2, .total = 5);
	CHECK_SAMPLE(h, 1, .pid = 50, .tid = 51, .code = 48, .count = 1, .total = 1);
	CHECK_INT(h->snap.flags[FLAG_BUS_LOCK], 1);
	report(h);
	CHECK_INT(h->snap.nr_samples, 0);
	forget(h);
	report(h);
	CHECK_INT(h->snap.nr_samples, 0);

	/* Another thread in the same slot, with nothing of the first */
	CHECK(exits(h, 60, 61, 7, 12, 8));
	report(h);
	CHECK_INT(h->snap.nr_samples, 1);
	CHECK_SAMPLE(h, 0, .pid = 60, .tid = 61, .vcpu = 7, .code = 12, .count = 8, .total = 8);
	host_free(h);
}

/* While a report is on its way to a slow reader, another VM comes and goes */
static void test_ended_while_reporting(void)
{
	struct host *h = host_new(1);

	exits(h, 50, 51, 0, 12, 3);
	report(h);
	idle(h, 200);
	CHECK(exits(h, 60, 61, 0, 12, 4));
	collect(h);
	idle(h, 200);
	CHECK_INT(h->control.tail, 2);
	forget(h);
	report(h);
	CHECK_INT(h->snap.nr_samples, 1);
	CHECK_SAMPLE(h, 0, .pid = 60, .tid = 61, .code = 12, .count = 4, .total = 4);
	host_free(h);
}

/* A thread that loses its slot again and again is still one, until the next report */
static void test_long_interval(void)
{
	struct host *h = host_new(2);
	size_t before = 0;
	int i;

	for (i = 0; i < 1000; i++) {
		CHECK(exits(h, 50, 51, 0, i % 2 ? 12 : 48, 1));
		h->slots[slot_of(h, 50, 51, 0, ISA_VMX) - h->slots].flags[FLAG_BUS_LOCK] += 2;
		collect(h);
		idle(h, 2500);
		CHECK_INT(h->control.tail, i + 1);
		if (i == 10)
			before = mallinfo2().uordblks;
	}
	CHECK(mallinfo2().uordblks <= before);
	report(h);
	CHECK_INT(h->snap.nr_samples, 2);
	CHECK_SAMPLE(h, 0, .pid = 50, .tid = 51, .code = 12, .count = 500, .total = 500);
	CHECK_SAMPLE(h, 1, .pid = 50, .tid = 51, .code = 48, .count = 500, .total = 500);
	CHECK_INT(h->snap.flags[FLAG_BUS_LOCK], 2000);
	/* Between a report and what is forgotten after it */
	CHECK(exits(h, 50, 51, 0, 12, 1));
	collect(h);
	forget(h);
	report(h);
	CHECK_SAMPLE(h, 0, .pid = 50, .tid = 51, .code = 12, .count = 1, .total = 501);
	host_free(h);
}

/* The kernel is asked to wait only where a slot was retired */
static void test_grace(void)
{
	struct host *h = host_new(4);

	asked = 0;
	exits(h, 90, 91, 0, 12, 1);
	collect(h);
	idle(h, 199);
	CHECK_INT(asked, 0);
	idle(h, 1);
	CHECK_INT(asked, 1);
	CHECK_INT(h->control.tail, 1);
	idle(h, 20000);
	CHECK_INT(asked, 1);
	host_free(h);
}

/* A thread that was turned away gets a slot once there is one */
static void test_refused(void)
{
	struct host *h = host_new(1);

	CHECK(exits(h, 50, 51, 0, 12, 1));
	CHECK(!exits(h, 50, 52, 1, 12, 1));
	CHECK(!exits(h, 50, 52, 1, 12, 1));
	collect(h);
	CHECK(!exits(h, 50, 52, 1, 12, 1));
	CHECK(exits(h, 50, 51, 0, 12, 1));
	collect(h);
	idle(h, 200);
	CHECK(exits(h, 50, 52, 1, 12, 1));
	report(h);
	CHECK_INT(h->snap.exits, 3);
	CHECK_INT(h->snap.lost[LOST_FULL], 3);
	/* Refused when a slot has just been freed: the next look puts it right */
	idle(h, 200);
	CHECK_INT(h->control.tail, 2);
	remember(h, key_of(50, 53, 2), SLOT_LOST(LOST_FULL));
	CHECK(!exits(h, 50, 53, 2, 12, 1));
	collect(h);
	CHECK(exits(h, 50, 53, 2, 12, 1));
	host_free(h);
}

/* A slot that has changed hands between two reports: both are told */
static void test_reuse_within_interval(void)
{
	struct host *h = host_new(1);

	exits(h, 50, 51, 0, 12, 3);
	collect(h);
	idle(h, 200);
	CHECK(exits(h, 50, 52, 1, 12, 4));
	report(h);
	CHECK_INT(h->snap.nr_samples, 2);
	CHECK_SAMPLE(h, 0, .pid = 50, .tid = 51, .vcpu = 0, .code = 12, .count = 3, .total = 3);
	CHECK_SAMPLE(h, 1, .pid = 50, .tid = 52, .vcpu = 1, .code = 12, .count = 4, .total = 4);
	CHECK_INT(h->snap.exits, 7);
	host_free(h);
}

/* An idle thread whose slot was taken finds another, the old one not yet free */
static void test_same_key_again(void)
{
	struct host *h = host_new(3);

	exits(h, 50, 51, 0, 12, 3);
	report(h);
	quiesced = -EINVAL;
	idle(h, 10000); /* retires */
	exits(h, 50, 51, 0, 12, 4);
	CHECK_INT(h->handed, 2);
	idle(h, 1000); /* frees the first slot */
	report(h);
	CHECK_INT(h->snap.exits, 4);
	forget(h);
	exits(h, 50, 51, 0, 12, 5);
	/* The first slot's next owner must not take the key from the second */
	exits(h, 50, 52, 1, 12, 1);
	exits(h, 50, 53, 2, 12, 1);
	exits(h, 50, 51, 0, 12, 6);
	CHECK_INT(h->handed, 4);
	report(h);
	CHECK_INT(h->snap.nr_samples, 3);
	CHECK_SAMPLE(h, 0, .pid = 50, .tid = 51, .code = 12, .count = 11, .total = 18);
	host_free(h);
}

/* Many more threads than slots, one after the other, often round the ring */
static void test_round_the_ring(void)
{
	struct host *h = host_new(7);
	__u64 sum = 0;
	__u32 i, k;

	for (i = 1; i <= 100; i++) {
		CHECK(exits(h, 500, 1000 + i, i % 4, 10, i));
		for (k = 0; k < 2; k++) {
			report(h);
			sum += h->snap.exits;
			forget(h);
			h->now += 40 * NSEC_PER_MSEC;
		}
	}
	CHECK_INT(sum, 100 * 101 / 2);
	CHECK_INT(h->snap.lost[LOST_FULL] + h->snap.lost[LOST_MAP], 0);
	CHECK_INT(h->handed, 100);
	host_free(h);
}

/* One thread may run more vCPUs than there are slots, in turn */
static void test_many_ids(void)
{
	struct host *h = host_new(4);
	__u32 i;

	for (i = 0; i < 40; i++) {
		exits(h, 80, 81, i, 12, 1);
		idle(h, 100);
	}
	exits(h, 90, 91, 0, 12, 1);
	report(h);
	CHECK_INT(h->snap.exits, 41);
	CHECK_INT(snapshot__lost(&h->snap), 0);
	host_free(h);
}

/* A slot whose owner is seen late, or in part: as on a CPU that reorders the program's stores */
static void test_stale_owner(void)
{
	struct host *h = host_new(4);
	struct slot *slot;

	exits(h, 10, 11, 3, 12, 5);
	slot = slot_of(h, 10, 11, 3, ISA_VMX);
	/* The mark is there before the owner */
	slot->tid = 0;
	collect(h);
	report(h);
	CHECK_INT(h->snap.nr_samples, 0);
	/* The process and the vCPU are still those of before */
	slot->tid = 11;
	slot->pid = 20;
	slot->vcpu = 7;
	collect(h);
	slot->pid = 10;
	slot->vcpu = 3;
	exits(h, 10, 11, 3, 12, 2);
	report(h);
	CHECK_INT(h->snap.nr_samples, 1);
	CHECK_SAMPLE(h, 0, .pid = 10, .tid = 11, .vcpu = 3, .code = 12, .count = 7, .total = 7);
	CHECK_INT(h->snap.vms, 1);
	exits(h, 10, 11, 3, 12, 1);
	report(h);
	CHECK_SAMPLE(h, 0, .pid = 10, .tid = 11, .vcpu = 3, .code = 12, .count = 1, .total = 8);
	host_free(h);
}

int main(void)
{
	test_stale_owner();
	test_patience();
	test_all_come_back();
	test_retire();
	test_ended_while_reporting();
	test_long_interval();
	test_grace();
	test_refused();
	test_reuse_within_interval();
	test_same_key_again();
	test_round_the_ring();
	test_many_ids();
	return check__report("slots");
}
