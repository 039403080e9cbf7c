// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Counters, slots, reports: on memory made here, the kernel's part played by
 * exits(), which does what kvmexit.bpf.c does with slots, ring and thread map.
 */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

#include "../src/counters.h"
#include "../src/run.h"
#include "../src/util.h"
#include "../src/vm.h"
#include "check.h"

#define MAX_SLOTS 80

struct entry {
	__u64 key;
	__u32 slot;
	bool used;
};

static const struct run this_run = { .node = "host", .id = "00000001" };

struct host {
	__u32 max;
	struct slot slots[MAX_SLOTS];
	__u64 owned[MAX_SLOTS];
	__u64 ring[MAX_SLOTS];
	struct control control;
	struct entry threads[MAX_SLOTS]; /* the thread map: no more entries than slots */
	__u32 queue[MAX_SLOTS]; /* the free slots */
	__u32 nr_free;
	__u64 handed; /* slots handed out so far */
	__u64 now; /* ns */
	struct vms *vms;
	struct counters *counters;
	struct snapshot snap;
};

/* What is_gone() answers */
static __u32 dead[16];
static size_t nr_dead;

static bool is_gone(__u32 pid, __u64 start)
{
	size_t i;

	CHECK_INT(start, pid * 10);
	for (i = 0; i < nr_dead; i++)
		if (dead[i] == pid)
			return true;
	return false;
}

static void end_process(__u32 pid)
{
	dead[nr_dead++] = pid;
}

/* What quiesce() answers, and how often it was asked */
static int quiesced;
static unsigned int asked;

static int quiesce(void)
{
	asked++;
	return quiesced;
}

static struct host *host_new(__u32 max)
{
	struct host *h = calloc(1, sizeof(*h));
	struct shared shared = { .slots = h->slots,
				 .owned = h->owned,
				 .ring = h->ring,
				 .control = &h->control,
				 .quiesce = quiesce,
				 .layout = layout_of(0, 0) };

	h->max = max;
	for (h->nr_free = 0; h->nr_free < max; h->nr_free++)
		h->queue[h->nr_free] = h->nr_free;
	h->vms = vms__new(&this_run);
	h->counters = counters__new(&shared, max, h->vms);
	h->now = 1000 * NSEC_PER_SEC;
	nr_dead = 0;
	quiesced = 0;
	return h;
}

static void host_free(struct host *h)
{
	counters__free(h->counters);
	vms__free(h->vms);
	free(h->snap.samples);
	free(h);
}

static struct entry *find_entry(struct host *h, __u64 key)
{
	__u32 i;

	for (i = 0; i < h->max; i++)
		if (h->threads[i].used && h->threads[i].key == key)
			return &h->threads[i];
	return NULL;
}

/* From the ring to the queue, as far as the ring goes, at most 8 at once */
static void drain(struct host *h)
{
	__u32 i;

	for (i = 0; i < 8 && h->control.head != h->control.tail; i++) {
		if (!CHECK(h->nr_free < h->max))
			return;
		h->queue[h->nr_free++] = h->ring[h->control.head++ % h->max];
	}
}

/* The next free slot, not yet named; NULL: none */
static struct slot *take_slot(struct host *h, __u64 key)
{
	struct entry *e;
	struct slot *slot;
	__u32 nr, i;

	drain(h);
	if (!h->nr_free) {
		h->control.lost[7].count[LOST_FULL]++;
		return NULL;
	}
	nr = h->queue[0];
	slot = &h->slots[nr];
	for (i = 0; i < NR_COUNTERS && !slot->count[i]; i++)
		;
	CHECK_INT(i, NR_COUNTERS); /* a free slot counts from 0 */
	CHECK(!slot->key && !slot->flags[0] && !slot->flags[1] && !slot->flags[2]);
	CHECK(!h->owned[nr]);
	if (slot->old_key) {
		e = find_entry(h, slot->old_key);
		if (e && e->slot == nr)
			e->used = false;
		slot->old_key = 0;
	}
	e = find_entry(h, key);
	for (i = 0; !e && i < h->max; i++)
		if (!h->threads[i].used)
			e = &h->threads[i];
	if (!e) {
		h->control.lost[0].count[LOST_MAP]++;
		return NULL;
	}
	*e = (struct entry){ .key = key, .slot = nr, .used = true };
	memmove(h->queue, h->queue + 1, --h->nr_free * sizeof(*h->queue));
	h->handed++;
	return slot;
}

/* The hint of a key, NULL: it has none */
static struct hint *find_hint(struct host *h, __u64 key)
{
	__u32 first = hint_offset(key) / sizeof(struct hint), i;

	for (i = first; i < first + NR_WAYS; i++)
		if (h->control.hints[i].key == key)
			return &h->control.hints[i];
	return NULL;
}

static void remember(struct host *h, __u64 key, __u32 nr)
{
	struct hint *hint = &h->control.hints[hint_offset(key) / sizeof(*hint)];

	while (hint->key)
		hint++;
	*hint = (struct hint){ .key = key, .slot = nr };
}

static __u64 key_of(__u32 pid, __u32 tid, __u32 vcpu)
{
	return thread_key((__u64)pid << 32 | tid, vcpu);
}

static void name_slot(struct host *h, struct slot *slot, __u32 pid, __u32 tid, __u32 vcpu,
		      __u32 isa)
{
	slot->start = pid * 10;
	slot->pid = pid;
	slot->tid = tid;
	slot->vcpu = vcpu;
	slot->isa = isa;
	slot->key = key_of(pid, tid, vcpu);
	h->owned[slot - h->slots] = 1;
}

/* By hint, by the thread map, or a new one: as src/bpf/slots.h does it */
static struct slot *slot_of(struct host *h, __u32 pid, __u32 tid, __u32 vcpu, __u32 isa)
{
	__u64 key = key_of(pid, tid, vcpu);
	struct hint *hint = find_hint(h, key);
	struct entry *e = find_entry(h, key);
	struct slot *slot = NULL;

	if (hint && hint->slot < SLOT_NONE)
		return &h->slots[hint->slot];
	if (hint && !CHECK_INT(hint->slot, SLOT_LOST(LOST_FULL)))
		return NULL;
	if (hint) {
		h->control.lost[1].count[LOST_FULL]++;
		return NULL;
	}
	if (e && h->slots[e->slot].key == key)
		slot = &h->slots[e->slot];
	else if ((slot = take_slot(h, key)))
		name_slot(h, slot, pid, tid, vcpu, isa);
	remember(h, key, slot ? slot - h->slots : SLOT_LOST(LOST_FULL));
	return slot;
}

static __u32 index_of(struct host *h, __u32 isa, __u32 code)
{
	__u64 wanted = (__u64)isa << 32 | code;
	__u32 i;

	if (code < NR_LOW)
		return code;
	if (code >= HIGH_BASE && code < HIGH_BASE + NR_HIGH)
		return code - HIGH_BASE + NR_LOW;
	for (i = 0; h->control.extra[i] && h->control.extra[i] != wanted; i++)
		;
	h->control.extra[i] = wanted;
	return NR_LOW + NR_HIGH + i;
}

/* @n exits of a vCPU thread; false: no slot for it */
static bool exits_isa(struct host *h, __u32 pid, __u32 tid, __u32 vcpu, __u32 isa, __u32 code,
		      __u64 n)
{
	struct slot *slot = slot_of(h, pid, tid, vcpu, isa);

	if (slot)
		slot->count[index_of(h, isa, code)] += n;
	return slot;
}

static bool exits(struct host *h, __u32 pid, __u32 tid, __u32 vcpu, __u32 code, __u64 n)
{
	return exits_isa(h, pid, tid, vcpu, ISA_VMX, code, n);
}

static void collect(struct host *h)
{
	CHECK_INT(counters__collect(h->counters, h->now), 0);
}

/* So much time passes for which nothing exits; then */
static void idle(struct host *h, __u64 ms)
{
	h->now += ms * NSEC_PER_MSEC;
	collect(h);
}

/* As the main loop does it, but for counters__forget() */
static void report(struct host *h)
{
	collect(h);
	CHECK_INT(counters__report(h->counters, &h->snap, h->now), 0);
}

static void forget(struct host *h)
{
	counters__forget(h->counters, is_gone);
	vms__forget(h->vms);
}

struct want {
	__u32 pid, tid, vcpu, isa, code;
	__u64 count, total;
};

static void check_sample(const char *file, int line, const struct host *h, size_t i,
			 const struct want *want)
{
	const struct sample *s = &h->snap.samples[i];

	if (!check__cond(file, line, "there is such a sample", i < h->snap.nr_samples))
		return;
	check__int(file, line, "pid", s->vm->pid, want->pid);
	check__int(file, line, "tid", s->tid, want->tid);
	check__int(file, line, "vcpu", s->vcpu, want->vcpu);
	check__int(file, line, "isa", s->isa, want->isa ? want->isa : ISA_VMX);
	check__int(file, line, "code", s->code, want->code);
	check__int(file, line, "count", s->count, want->count);
	check__int(file, line, "total", s->total, want->total);
}

#define CHECK_SAMPLE(h, i, ...) \
	check_sample(__FILE__, __LINE__, h, i, &(struct want){ __VA_ARGS__ })

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
	host_free(h);
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
	test_not_yet_named();
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
	test_totals();
	test_same_pid_again();
	test_two_vcpus_one_thread();
	test_order_and_figures();
	test_random(1, 3);
	test_random(2, 13);
	test_random(3, MAX_SLOTS);
	return check__report("counters");
}
