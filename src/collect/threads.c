// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "collect/threads.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>

#include "lib/util.h"
#include "vm/vm.h"

/*
 * gcc -fanalyzer reports leaks for what goes into the tree of vCPUs and the array of
 * threads. It cannot see that tsearch() keeps it, and cannot follow reallocarray().
 * valgrind and LeakSanitizer find no leak (make check-sanitized).
 */
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

struct counters *counters__new(const struct shared *shared, __u32 max, struct vms *vms)
{
	struct counters *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->shared = *shared;
	c->vms = vms;
	c->max = max;
	c->nr_free = max;
	c->known = calloc(max, sizeof(*c->known));
	if (!c->known) {
		free(c);
		return NULL;
	}
	return c;
}

static void vcpu__free(void *p)
{
	struct vcpu *v = p;

	v->vm->users--;
	totals__free(&v->totals);
	free(v);
}

static void thread__free(struct thread *t)
{
	if (t) {
		detailing__free(&t->detailing);
		timing__free(t->timing);
		free(t->cells);
	}
	free(t);
}

void counters__free(struct counters *c)
{
	size_t i;

	if (!c)
		return;
	for (i = 0; i < c->nr_threads; i++)
		thread__free(c->threads[i]);
	tdestroy(c->vcpus, vcpu__free);
	free(c->threads);
	free(c->known);
	free(c);
}

static int compare_vcpus(const void *a, const void *b)
{
	const struct vcpu *x = a, *y = b;
	int order = vm__compare(x->vm, y->vm);

	return order ? order : THREE_WAY(x->id, y->id);
}

/* The vCPU that a slot counts for. Reads its VM's name early, as the VM may end soon. */
static struct vcpu *get_vcpu(struct counters *c, const struct slot *slot)
{
	struct vcpu *v = calloc(1, sizeof(*v)), **found = NULL;

	if (!v)
		return NULL;
	v->vm = vms__get(c->vms, slot->pid, slot->start);
	v->id = slot->vcpu;
	if (v->vm)
		found = tsearch(v, &c->vcpus, compare_vcpus);
	if (found && *found == v)
		v->vm->users++;
	else
		free(v);
	return found ? *found : NULL;
}

/* The next slot will count from 0. What is not reported yet is kept. */
static void count_from_zero(struct thread *t)
{
	size_t i;

	for (i = 0; i < t->nr_cells; i++) {
		t->cells[i].reported -= t->cells[i].seen;
		t->cells[i].seen = 0;
	}
	for (i = 0; i < NR_FLAGS; i++) {
		t->flags_reported[i] -= t->flags_seen[i];
		t->flags_seen[i] = 0;
	}
	detailing__from_zero(&t->detailing);
	t->sum = 0;
}

static struct thread *get_thread(struct counters *c, struct vcpu *v, const struct slot *slot)
{
	struct thread *t = v->last, **grown;

	if (t && t->state >= FREED && t->tid == slot->tid && t->isa == slot->isa && !t->timing) {
		count_from_zero(t);
		return t;
	}
	grown = array_grow(c->threads, &c->room, c->nr_threads, sizeof(*grown));
	if (!grown)
		return NULL;
	c->threads = grown;
	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	t->tid = slot->tid;
	t->isa = slot->isa;
	t->timing = c->shared.layout.timed ? timing__new() : NULL;
	if (c->shared.layout.timed && !t->timing) {
		thread__free(t);
		return NULL;
	}
	t->vcpu = v;
	v->users++;
	v->last = t;
	c->threads[c->nr_threads++] = t;
	c->sorted = false;
	return t;
}

struct thread *threads__get(struct counters *c, const struct slot *slot)
{
	struct vcpu *v = get_vcpu(c, slot);

	return v ? get_thread(c, v, slot) : NULL;
}

/*
 * Details without room may be those of a guest that boots, whose firmware asks 256 CPUID
 * leaves once each. So the first times a vCPU gets a new slot as SOON as that is seen; then
 * it takes twice as long each time, so that a guest with ever new details costs little.
 */
#define SOON 3

static __u64 crowded_patience(const struct vcpu *v)
{
	__u64 wait = v->crowded < SOON ? 0 : IMPATIENCE << (v->crowded - SOON);

	return wait < PATIENCE ? wait : PATIENCE;
}

/* With clocks each slot has a thread of its own until the next report; so many of a vCPU */
#define MOST_THREADS 32

bool thread__takes_new_slot(struct thread *t, __u64 now)
{
	struct vcpu *v = t->vcpu;
	__u64 wait = crowded_patience(v);

	if (!t->detailing.crowded || (t->timing && v->users > MOST_THREADS) ||
	    now - t->taken < wait)
		return false;
	v->crowded += wait < PATIENCE;
	return true;
}

static bool is_owner(const struct thread *t, const struct slot *slot)
{
	return t->key == slot->key && t->tid == slot->tid && t->isa == slot->isa &&
	       t->vcpu->id == slot->vcpu && t->vcpu->vm->pid == slot->pid &&
	       t->vcpu->vm->start == slot->start;
}

static int compare_threads(const void *a, const void *b)
{
	const struct thread *x = *(struct thread *const *)a, *y = *(struct thread *const *)b;
	int order = compare_vcpus(x->vcpu, y->vcpu);

	if (!order)
		order = THREE_WAY(x->tid, y->tid);
	return order ? order : THREE_WAY(x->slot, y->slot);
}

void threads__sort(struct counters *c)
{
	if (!c->sorted && c->nr_threads)
		qsort(c->threads, c->nr_threads, sizeof(*c->threads), compare_threads);
	c->sorted = true;
}

static void put_vcpu(struct counters *c, struct vcpu *v)
{
	v->users--;
	v->unused = c->now;
	if (v->users || v->listed)
		return;
	v->listed = true;
	v->next = c->unused;
	c->unused = v;
}

int thread__confirm(struct counters *c, struct thread *t, const struct slot *slot)
{
	struct vcpu *v;

	t->confirmed = is_owner(t, slot);
	if (t->confirmed)
		return 0;
	v = get_vcpu(c, slot);
	if (!v)
		return -ENOMEM;
	if (t->vcpu->last == t)
		t->vcpu->last = NULL;
	v->users++;
	put_vcpu(c, t->vcpu);
	v->last = t;
	t->vcpu = v;
	t->key = slot->key;
	t->tid = slot->tid;
	t->isa = slot->isa;
	t->confirmed = true;
	c->sorted = false;
	return 0;
}

/* Without exits for so long a vCPU is forgotten if nobody can tell whether its process lives */
#define LONG_UNUSED (600 * NSEC_PER_SEC)

static bool may_forget(const struct counters *c, const struct vcpu *v,
		       bool (*is_gone)(__u32 pid, __u64 start))
{
	return !v->users &&
	       (is_gone ? is_gone(v->vm->pid, v->vm->start) : c->now - v->unused >= LONG_UNUSED);
}

void counters__forget(struct counters *c, bool (*is_gone)(__u32 pid, __u64 start))
{
	struct vcpu **link = &c->unused;
	size_t i, left = 0;

	for (i = 0; i < c->nr_threads; i++) {
		struct thread *t = c->threads[i];

		if (t->state != REPORTED) {
			c->threads[left++] = t;
			continue;
		}
		if (t->vcpu->last == t)
			t->vcpu->last = NULL;
		put_vcpu(c, t->vcpu);
		thread__free(t);
	}
	c->nr_threads = left;
	while (*link) {
		struct vcpu *v = *link;
		bool gone = may_forget(c, v, is_gone);

		if (!v->users && !gone) {
			link = &v->next;
			continue;
		}
		*link = v->next;
		v->listed = false;
		if (gone) {
			tdelete(v, &c->vcpus, compare_vcpus);
			vcpu__free(v);
		}
	}
}
