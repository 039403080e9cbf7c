// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Counters, slots, reports: on memory made here, the kernel's part played by
 * exits(), which does what kvmexit.bpf.c does with slots, ring and thread map.
 */
#include <stdlib.h>

#include "../src/counters.h"
#include "../src/util.h"
#include "check.h"

#define MAX_SLOTS 64

struct entry {
	__u64 thread;
	__u32 vcpu;
	__u32 slot;
	bool used;
};

struct host {
	__u32 max;
	struct slot slots[MAX_SLOTS];
	__u64 taken[MAX_SLOTS];
	__u64 ring[MAX_SLOTS];
	struct control control;
	struct entry threads[MAX_SLOTS]; /* the thread map: no more entries than slots */
	__u32 queue[MAX_SLOTS]; /* the free slots */
	__u32 nr_free;
	__u64 handed; /* slots handed out so far */
	struct counters *counters;
	struct snapshot snap;
};

/* What is_gone() answers: threads, or whole processes as (pid, pid) */
static struct {
	__u32 pid, tid;
} dead[256];
static size_t nr_dead;
static unsigned int asked; /* calls of is_gone() */

static bool is_gone(__u32 pid, __u32 tid)
{
	size_t i;

	asked++;
	for (i = 0; i < nr_dead; i++)
		if (dead[i].pid == pid && dead[i].tid == tid)
			return true;
	return false;
}

static void end_thread(__u32 pid, __u32 tid)
{
	dead[nr_dead].pid = pid;
	dead[nr_dead++].tid = tid;
}

static struct host *host_new(__u32 max)
{
	struct host *h = calloc(1, sizeof(*h));
	struct shared shared = { h->slots, h->taken, h->ring, &h->control };

	h->max = max;
	for (h->nr_free = 0; h->nr_free < max; h->nr_free++)
		h->queue[h->nr_free] = h->nr_free;
	h->counters = counters__new(&shared, max);
	nr_dead = 0;
	return h;
}

static void host_free(struct host *h)
{
	counters__free(h->counters);
	free(h->snap.samples);
	free(h);
}

static struct entry *find_entry(struct host *h, __u64 thread, __u32 vcpu)
{
	__u32 i;

	for (i = 0; i < h->max; i++)
		if (h->threads[i].used && h->threads[i].thread == thread &&
		    h->threads[i].vcpu == vcpu)
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
static struct slot *take_slot(struct host *h, __u32 pid, __u32 tid, __u32 vcpu)
{
	__u64 thread = (__u64)pid << 32 | tid;
	struct entry *e;
	struct slot *slot;
	__u32 nr, i;

	drain(h);
	if (!h->nr_free) {
		h->control.lost[LOST_FULL]++;
		return NULL;
	}
	nr = h->queue[0];
	slot = &h->slots[nr];
	for (i = 0; i < NR_COUNTERS && !slot->count[i]; i++)
		;
	CHECK_INT(i, NR_COUNTERS); /* a free slot counts from 0 */
	CHECK(!slot->thread && !slot->flags[0] && !slot->flags[1] && !slot->flags[2]);
	CHECK(!h->taken[nr]);
	if (slot->old_thread) {
		e = find_entry(h, slot->old_thread, slot->vcpu);
		if (e && e->slot == nr)
			e->used = false;
		slot->old_thread = 0;
	}
	e = find_entry(h, thread, vcpu);
	for (i = 0; !e && i < h->max; i++)
		if (!h->threads[i].used)
			e = &h->threads[i];
	if (!e) {
		h->control.lost[LOST_MAP]++;
		return NULL;
	}
	*e = (struct entry){ .thread = thread, .vcpu = vcpu, .slot = nr, .used = true };
	memmove(h->queue, h->queue + 1, --h->nr_free * sizeof(*h->queue));
	h->handed++;
	slot->vcpu = vcpu;
	return slot;
}

static struct slot *slot_of(struct host *h, __u32 pid, __u32 tid, __u32 vcpu, __u32 isa)
{
	__u64 thread = (__u64)pid << 32 | tid;
	struct entry *e = find_entry(h, thread, vcpu);
	struct slot *slot = e ? &h->slots[e->slot] : NULL;

	if (slot && slot->thread == thread && slot->vcpu == vcpu)
		return slot;
	slot = take_slot(h, pid, tid, vcpu);
	if (slot) {
		slot->isa = isa;
		snprintf(slot->comm, sizeof(slot->comm), "CPU %u/KVM", vcpu);
		slot->thread = thread;
		h->taken[slot - h->slots] = 1;
	}
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
	CHECK_INT(counters__collect(h->counters, is_gone), 0);
}

/* As the main loop does it, but for counters__forget() */
static void report(struct host *h)
{
	collect(h);
	CHECK_INT(counters__report(h->counters, &h->snap), 0);
}

static void forget(struct host *h)
{
	counters__forget(h->counters, is_gone);
}

static void check_sample(const char *file, int line, const struct host *h, size_t i,
			 const struct sample *want)
{
	const struct sample *s = &h->snap.samples[i];

	if (!check__cond(file, line, "there is such a sample", i < h->snap.nr_samples))
		return;
	check__int(file, line, "pid", s->pid, want->pid);
	check__int(file, line, "tid", s->tid, want->tid);
	check__int(file, line, "vcpu", s->vcpu, want->vcpu);
	check__int(file, line, "isa", s->isa, want->isa ? want->isa : ISA_VMX);
	check__int(file, line, "code", s->code, want->code);
	check__int(file, line, "count", s->count, want->count);
	check__int(file, line, "total", s->total, want->total);
}

#define CHECK_SAMPLE(h, i, ...) \
	check_sample(__FILE__, __LINE__, h, i, &(struct sample){ __VA_ARGS__ })

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
	if (h->snap.nr_samples)
		CHECK_STR(h->snap.samples[0].comm, "CPU 0/KVM");

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
	CHECK_INT(counters__report(h->counters, &h->snap), 0);
	CHECK_INT(h->snap.nr_samples, 0);

	/* What comes after the collect belongs to the next report */
	collect(h);
	exits(h, 10, 11, 0, 12, 9);
	CHECK_INT(counters__report(h->counters, &h->snap), 0);
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
	h->control.lost[LOST_CODES] = 10;
	report(h);
	CHECK_INT(h->snap.flags[FLAG_FAILED_ENTRY], 0);
	CHECK_INT(h->snap.flags[FLAG_BUS_LOCK], 1);
	CHECK_INT(h->snap.flags[FLAG_ENCLAVE], 0);
	CHECK_INT(h->snap.lost[LOST_FULL], 1);
	CHECK_INT(h->snap.lost[LOST_CODES], 10);
	h->snap.misses = 100;
	CHECK_INT(snapshot__lost(&h->snap), 111);
	host_free(h);
}

/* The kernel takes a slot first and marks it last: user space may look between */
static void test_not_yet_named(void)
{
	struct host *h = host_new(3);
	struct slot *slot = take_slot(h, 40, 41, 0);

	exits(h, 40, 42, 1, 10, 1);
	report(h);
	CHECK_INT(h->snap.nr_samples, 1);
	report(h);
	CHECK_INT(h->snap.nr_samples, 0);
	slot->isa = ISA_SVM;
	slot->thread = 40ull << 32 | 41;
	h->taken[slot - h->slots] = 1;
	slot->count[0x7c] = 6;
	report(h);
	CHECK_INT(h->snap.nr_samples, 1);
	CHECK_SAMPLE(h, 0, .pid = 40, .tid = 41, .isa = ISA_SVM, .code = 0x7c, .count = 6,
		     .total = 6);
	report(h);
	CHECK_INT(h->snap.nr_samples, 0);
	host_free(h);
}

static void test_retire(void)
{
	struct host *h = host_new(1);

	exits(h, 50, 51, 0, 12, 3);
	report(h);
	forget(h);
	CHECK_INT(h->control.tail, 0);

	/* A thread that still counts is not asked for */
	exits(h, 50, 51, 0, 12, 1);
	end_thread(50, 51);
	collect(h);
	CHECK(h->slots[0].thread);
	/* Ended: the slot is taken from it, but not yet given to another */
	collect(h);
	CHECK(!h->slots[0].thread);
	CHECK_INT(h->control.tail, 0);
	CHECK(!exits(h, 50, 52, 0, 12, 1));
	/* What a racing exit still put there is counted, then the slot is free */
	h->slots[0].count[12] += 2;
	h->slots[0].count[48] += 1;
	h->slots[0].flags[FLAG_BUS_LOCK] += 1;
	collect(h);
	CHECK_INT(h->control.tail, 1);
	CHECK_INT(h->slots[0].old_thread, 50ll << 32 | 51);
	collect(h);
	CHECK_INT(h->control.tail, 1);
	report(h);
	CHECK_INT(h->snap.nr_samples, 2);
	CHECK_SAMPLE(h, 0, .pid = 50, .tid = 51, .code = 12, .count = 3, .total = 6);
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

/* A slot that has changed hands between two reports: both are told */
static void test_reuse_within_interval(void)
{
	struct host *h = host_new(1);

	exits(h, 50, 51, 0, 12, 3);
	end_thread(50, 51);
	collect(h); /* counts */
	collect(h); /* retires */
	collect(h); /* gives back */
	CHECK(exits(h, 50, 52, 1, 12, 4));
	report(h);
	CHECK_INT(h->snap.nr_samples, 2);
	CHECK_SAMPLE(h, 0, .pid = 50, .tid = 51, .vcpu = 0, .code = 12, .count = 3, .total = 3);
	CHECK_SAMPLE(h, 1, .pid = 50, .tid = 52, .vcpu = 1, .code = 12, .count = 4, .total = 4);
	CHECK_INT(h->snap.exits, 7);
	host_free(h);
}

/* Without a way to tell who has ended, nobody has */
static void test_no_is_gone(void)
{
	struct host *h = host_new(1);

	exits(h, 50, 51, 0, 12, 3);
	end_thread(50, 51);
	CHECK_INT(counters__collect(h->counters, NULL), 0);
	CHECK_INT(counters__collect(h->counters, NULL), 0);
	CHECK_INT(counters__collect(h->counters, NULL), 0);
	CHECK(h->slots[0].thread);
	/* Retired by one call, given back by the next, whatever that one knows */
	collect(h);
	CHECK_INT(counters__collect(h->counters, NULL), 0);
	CHECK_INT(h->control.tail, 1);
	host_free(h);
}

/* The TID was given to a new thread of the same process, for the same vCPU */
static void test_same_key_again(void)
{
	struct host *h = host_new(3);
	__u64 sum = 0;
	size_t i;

	exits(h, 50, 51, 0, 12, 3);
	report(h);
	end_thread(50, 51);
	report(h); /* retires */
	nr_dead = 0;
	exits(h, 50, 51, 0, 12, 4);
	CHECK_INT(h->handed, 2);
	report(h); /* gives the first slot back */
	for (i = 0; i < h->snap.nr_samples; i++)
		sum += h->snap.samples[i].count;
	CHECK_INT(sum, 4);
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
		__u32 tid = 1000 + i;

		/* The last three stay */
		CHECK(exits(h, 500, tid, i % 4, 10, i));
		for (k = 0; k < 3; k++) {
			report(h);
			sum += h->snap.exits;
			forget(h);
		}
		nr_dead = 0;
		for (k = i > 6 ? i - 6 : 1; k + 2 < i; k++)
			end_thread(500, 1000 + k);
	}
	CHECK_INT(sum, 100 * 101 / 2);
	CHECK_INT(h->snap.lost[LOST_FULL] + h->snap.lost[LOST_MAP], 0);
	CHECK_INT(h->handed, 100);
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
	end_thread(70, 71);
	report(h);
	forget(h);
	report(h);
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

	/* All its threads have ended, the process has not: the total is kept */
	end_thread(70, 72);
	end_thread(70, 73);
	end_thread(70, 79);
	report(h);
	forget(h);
	report(h);
	forget(h);
	exits(h, 70, 74, 0, 12, 1);
	report(h);
	CHECK_SAMPLE(h, 0, .pid = 70, .tid = 74, .code = 12, .count = 1, .total = 19);

	/* The process has ended, but its last thread still has a slot */
	end_thread(70, 70);
	forget(h);
	exits(h, 70, 74, 0, 12, 1);
	report(h);
	forget(h);
	CHECK_SAMPLE(h, 0, .pid = 70, .tid = 74, .code = 12, .count = 1, .total = 20);

	/* That too; its PID comes back */
	end_thread(70, 74);
	report(h);
	forget(h);
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
	/* Both slots of an ended thread come back */
	end_thread(80, 81);
	collect(h);
	collect(h);
	CHECK_INT(h->control.tail, 2);
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

/* Only idle threads are asked about: a busy one is there */
static void test_asks_the_idle(void)
{
	struct host *h = host_new(4);

	exits(h, 90, 91, 0, 12, 1);
	exits(h, 90, 92, 1, 12, 1);
	collect(h);
	asked = 0;
	exits(h, 90, 91, 0, 12, 1);
	collect(h);
	CHECK_INT(asked, 1);
	host_free(h);
}

/*
 * A random host: 3 processes of 4 vCPUs, whose threads come and go with TIDs
 * that are soon given again. What was reported must be what was counted.
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
		__u32 p = s->pid - 1000, t = s->tid - 2000;
		size_t c = code_number(s->code);

		if (!CHECK(p < PIDS && t < TIDS && s->vcpu < VCPUS && s->count))
			return;
		sum += s->count;
		reported[p][s->vcpu][t][c] += s->count;
		totals[p][s->vcpu][c] += s->count;
		CHECK_INT(s->total, totals[p][s->vcpu][c]);
		CHECK(i == 0 || s[-1].pid < s->pid ||
		      (s[-1].pid == s->pid &&
		       (s[-1].vcpu < s->vcpu || (s[-1].vcpu == s->vcpu && s[-1].tid <= s->tid))));
	}
	CHECK_INT(h->snap.exits, sum);
	forget(h);
}

static void random_step(struct host *h, bool alive[PIDS][TIDS])
{
	__u32 p = random_below(PIDS), t = random_below(TIDS), v = random_below(VCPUS);
	__u32 c = random_below(CODES), what = random_below(100), n = 1 + random_below(1000), i;

	if (what < 60) {
		/* A thread that exits is alive, also one that had ended */
		alive[p][t] = true;
		for (i = 0; i < nr_dead; i++)
			if (dead[i].pid == p + 1000 && dead[i].tid == t + 2000)
				dead[i] = dead[--nr_dead];
		/* A thread runs one vCPU, rarely another */
		v = random_below(20) ? t % VCPUS : v;
		if (exits(h, p + 1000, t + 2000, v, random_codes[c], n))
			counted[p][v][t][c] += n;
	} else if (what < 75 && alive[p][t]) {
		alive[p][t] = false;
		end_thread(p + 1000, t + 2000);
	} else if (what < 90) {
		collect(h);
	} else {
		take_random_report(h);
	}
}

static void test_random(__u64 seed, __u32 max)
{
	bool alive[PIDS][TIDS] = { 0 };
	struct host *h = host_new(max);
	__u64 used = 0;
	size_t i;

	random_state = seed;
	memset(counted, 0, sizeof(counted));
	memset(reported, 0, sizeof(reported));
	memset(totals, 0, sizeof(totals));
	for (i = 0; i < 20000; i++)
		random_step(h, alive);
	take_random_report(h);
	if (!CHECK(!memcmp(counted, reported, sizeof(counted))))
		fprintf(stderr, "\twith seed %llu and %u slots\n", seed, max);
	for (i = 0; i < sizeof(counted) / sizeof(__u64); i++)
		used += !!((__u64 *)counted)[i];
	CHECK(used > 100);
	CHECK(h->handed > 10 * max);
	CHECK(h->control.head > 10 * max);
	CHECK_INT(h->control.lost[LOST_MAP], 0);
	host_free(h);
}

int main(void)
{
	test_deltas();
	test_large();
	test_codes();
	test_flags_and_lost();
	test_not_yet_named();
	test_retire();
	test_reuse_within_interval();
	test_no_is_gone();
	test_same_key_again();
	test_round_the_ring();
	test_totals();
	test_two_vcpus_one_thread();
	test_order_and_figures();
	test_asks_the_idle();
	test_random(1, 3);
	test_random(2, 13);
	test_random(3, MAX_SLOTS);
	return check__report("counters");
}
