/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A host for tests of counters and slots: memory made here, the kernel's part played by
 * exits(), which does what kvmexit.bpf.c does with slots, ring and thread map.
 */
#ifndef KVMEXIT_TESTS_SLOTS_HOST_H
#define KVMEXIT_TESTS_SLOTS_HOST_H

#include <stdlib.h>

#include "check.h"
#include "collect/counters.h"
#include "lib/util.h"
#include "snapshot/run.h"
#include "vm/vm.h"

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

static inline bool is_gone(__u32 pid, __u64 start)
{
	size_t i;

	CHECK_INT(start, pid * 10);
	for (i = 0; i < nr_dead; i++)
		if (dead[i] == pid)
			return true;
	return false;
}

static inline void end_process(__u32 pid)
{
	dead[nr_dead++] = pid;
}

/* What quiesce() answers, and how often it was asked */
static int quiesced;
static unsigned int asked;

static inline int quiesce(void)
{
	asked++;
	return quiesced;
}

static inline struct host *host_new(__u32 max)
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
	h->vms = vms__new(this_run.node);
	h->counters = counters__new(&shared, max, h->vms);
	h->now = 1000 * NSEC_PER_SEC;
	nr_dead = 0;
	quiesced = 0;
	return h;
}

static inline void host_free(struct host *h)
{
	counters__free(h->counters);
	vms__free(h->vms);
	free(h->snap.samples);
	free(h);
}

static inline struct entry *find_entry(struct host *h, __u64 key)
{
	__u32 i;

	for (i = 0; i < h->max; i++)
		if (h->threads[i].used && h->threads[i].key == key)
			return &h->threads[i];
	return NULL;
}

/* From the ring to the queue, as far as the ring goes, at most 8 at once */
static inline void drain(struct host *h)
{
	__u32 i;

	for (i = 0; i < 8 && h->control.head != h->control.tail; i++) {
		if (!CHECK(h->nr_free < h->max))
			return;
		h->queue[h->nr_free++] = h->ring[h->control.head++ % h->max];
	}
}

/* The next free slot, not yet named; NULL: none */
static inline struct slot *take_slot(struct host *h, __u64 key)
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
static inline struct hint *find_hint(struct host *h, __u64 key)
{
	__u32 first = hint_offset(key) / sizeof(struct hint), i;

	for (i = first; i < first + NR_WAYS; i++)
		if (h->control.hints[i].key == key)
			return &h->control.hints[i];
	return NULL;
}

static inline void remember(struct host *h, __u64 key, __u32 nr)
{
	struct hint *hint = &h->control.hints[hint_offset(key) / sizeof(*hint)];

	while (hint->key)
		hint++;
	*hint = (struct hint){ .key = key, .slot = nr };
}

static inline __u64 key_of(__u32 pid, __u32 tid, __u32 vcpu)
{
	return thread_key((__u64)pid << 32 | tid, vcpu);
}

static inline void name_slot(struct host *h, struct slot *slot, __u32 pid, __u32 tid, __u32 vcpu,
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

/* By hint, by the thread map, or a new one: as src/bpf/slots.bpf.h does it */
static inline struct slot *slot_of(struct host *h, __u32 pid, __u32 tid, __u32 vcpu, __u32 isa)
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

static inline __u32 index_of(struct host *h, __u32 isa, __u32 code)
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
static inline bool exits_isa(struct host *h, __u32 pid, __u32 tid, __u32 vcpu, __u32 isa,
			     __u32 code, __u64 n)
{
	struct slot *slot = slot_of(h, pid, tid, vcpu, isa);

	if (slot)
		slot->count[index_of(h, isa, code)] += n;
	return slot;
}

static inline bool exits(struct host *h, __u32 pid, __u32 tid, __u32 vcpu, __u32 code, __u64 n)
{
	return exits_isa(h, pid, tid, vcpu, ISA_VMX, code, n);
}

static inline void collect(struct host *h)
{
	CHECK_INT(counters__collect(h->counters, h->now), 0);
}

/* So much time passes for which nothing exits; then */
static inline void idle(struct host *h, __u64 ms)
{
	h->now += ms * NSEC_PER_MSEC;
	collect(h);
}

/* As the main loop does it, but for counters__forget() */
static inline void report(struct host *h)
{
	collect(h);
	CHECK_INT(counters__report(h->counters, &h->snap, h->now), 0);
}

static inline void forget(struct host *h)
{
	counters__forget(h->counters, is_gone);
	vms__forget(h->vms);
}

struct want {
	__u32 pid, tid, vcpu, isa, code;
	__u64 count, total;
};

static inline void check_sample(const char *file, int line, const struct host *h, size_t i,
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

#endif /* KVMEXIT_TESTS_SLOTS_HOST_H */
