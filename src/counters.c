// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "counters.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

/*
 * gcc -fanalyzer takes what is put into the tree of vCPUs and the array of
 * threads for leaked: it cannot see that tsearch() keeps it, nor follow
 * reallocarray(). valgrind and LeakSanitizer find no leak (make check-sanitized).
 */
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

/* One exit reason of a thread */
struct cell {
	__u32 index; /* of the counter */
	__u64 seen; /* its value when last read */
	__u64 reported; /* its value at the last report */
};

/* One exit reason of a vCPU, over all threads that ran it */
struct total {
	__u32 isa;
	__u32 code;
	__u64 count;
};

/* A vCPU; kept as long as its process lives, so that its totals only grow */
struct vcpu {
	__u32 pid;
	__u32 id;
	__u32 users; /* threads that point here */
	bool listed; /* in the list of those without threads */
	struct vcpu *next;
	struct total *totals;
	size_t nr_totals;
	size_t room;
};

/* A thread that runs a vCPU, and the slot that counts for it */
struct thread {
	__u64 start; /* of the process */
	__u32 pid;
	__u32 tid;
	__u32 isa;
	__u32 slot;
	char comm[16];
	struct vcpu *vcpu;
	bool retired; /* ended, the slot taken from it: to be read once more */
	bool freed; /* the slot given back: to be reported once more */
	__u64 sum; /* of all counters when last read: they only grow */
	struct cell *cells;
	size_t nr_cells;
	size_t room;
	__u64 flags_seen[NR_FLAGS];
	__u64 flags_reported[NR_FLAGS];
};

struct counters {
	struct shared shared;
	__u32 max;
	bool *known; /* by slot: whether one of the threads below has it */
	struct thread **threads;
	size_t nr_threads;
	size_t room;
	bool sorted; /* the threads */
	void *vcpus; /* tsearch() tree */
	struct vcpu *unused; /* those whose threads have all ended */
	void (*met)(void *arg, __u32 pid, __u64 start, const char *comm);
	void *met_arg;
};

__u32 counter__code(const struct control *control, __u32 i)
{
	if (i < NR_LOW)
		return i;
	if (i < NR_LOW + NR_HIGH)
		return i - NR_LOW + HIGH_BASE;
	return control->extra[i - NR_LOW - NR_HIGH];
}

struct counters *counters__new(const struct shared *shared, __u32 max)
{
	struct counters *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->shared = *shared;
	c->max = max;
	c->known = calloc(max, sizeof(*c->known));
	if (!c->known) {
		free(c);
		return NULL;
	}
	return c;
}

void counters__on_new(struct counters *c,
		      void (*met)(void *arg, __u32 pid, __u64 start, const char *comm), void *arg)
{
	c->met = met;
	c->met_arg = arg;
}

static void vcpu__free(void *p)
{
	struct vcpu *v = p;

	free(v->totals);
	free(v);
}

static void thread__free(struct thread *t)
{
	if (t)
		free(t->cells);
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
	int order = THREE_WAY(x->pid, y->pid);

	return order ? order : THREE_WAY(x->id, y->id);
}

static struct vcpu *get_vcpu(struct counters *c, __u32 pid, __u32 id)
{
	struct vcpu *v = calloc(1, sizeof(*v)), **found;

	if (!v)
		return NULL;
	v->pid = pid;
	v->id = id;
	found = tsearch(v, &c->vcpus, compare_vcpus);
	if (!found || *found != v)
		free(v);
	return found ? *found : NULL;
}

static int add_thread(struct counters *c, __u32 nr)
{
	const struct slot *slot = &c->shared.slots[nr];
	struct thread *t, **grown;

	grown = array_grow(c->threads, &c->room, c->nr_threads, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	c->threads = grown;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->pid = slot->thread >> 32;
	t->tid = slot->thread;
	t->isa = slot->isa;
	t->slot = nr;
	memcpy(t->comm, slot->comm, sizeof(t->comm) - 1);
	t->vcpu = get_vcpu(c, t->pid, slot->vcpu);
	if (!t->vcpu) {
		free(t);
		return -ENOMEM;
	}
	t->vcpu->users++;
	c->threads[c->nr_threads++] = t;
	c->sorted = false;
	if (c->met)
		c->met(c->met_arg, t->pid, t->start, t->comm);
	return 0;
}

/* Slots that have an owner since the last time */
static int find_new(struct counters *c)
{
	__u32 nr;
	int err;

	for (nr = 0; nr < c->max; nr++) {
		if (c->known[nr] || !__atomic_load_n(&c->shared.taken[nr], __ATOMIC_ACQUIRE))
			continue;
		err = add_thread(c, nr);
		if (err)
			return err;
		c->known[nr] = true;
	}
	return 0;
}

/* A thread's cell of a counter; cells are in the order of their counters */
static struct cell *get_cell(struct thread *t, size_t *at, __u32 index)
{
	struct cell *grown;

	while (*at < t->nr_cells && t->cells[*at].index < index)
		++*at;
	if (*at < t->nr_cells && t->cells[*at].index == index)
		return &t->cells[*at];
	grown = array_grow(t->cells, &t->room, t->nr_cells, sizeof(*grown));
	if (!grown)
		return NULL;
	t->cells = grown;
	memmove(grown + *at + 1, grown + *at, (t->nr_cells - *at) * sizeof(*grown));
	t->nr_cells++;
	grown[*at] = (struct cell){ .index = index };
	return &grown[*at];
}

/* Reads a slot: 0, 1 where something was counted since the last time, -ENOMEM */
static int read_slot(struct counters *c, struct thread *t)
{
	const struct slot *slot = &c->shared.slots[t->slot];
	const volatile __u64 *count = slot->count;
	__u64 sum = 0;
	size_t i, at = 0;

	/* The one pass over an idle slot; vectorized, hence not volatile */
	for (i = 0; i < NR_COUNTERS; i++)
		sum += slot->count[i];
	if (sum == t->sum)
		return 0;
	/* What is counted between the two passes: once in `seen`, so never twice */
	sum = 0;
	for (i = 0; i < NR_COUNTERS; i++) {
		__u64 value = count[i];
		struct cell *cell;

		if (!value)
			continue;
		cell = get_cell(t, &at, i);
		if (!cell)
			return -ENOMEM;
		cell->seen = value;
		sum += value;
	}
	for (i = 0; i < NR_FLAGS; i++)
		t->flags_seen[i] = slot->flags[i];
	t->sum = sum;
	return 1;
}

/*
 * From now on the slot is nobody's. Should the TID have been given to a new
 * thread of the same process, that one finds another slot.
 */
static void retire(struct counters *c, struct thread *t)
{
	__atomic_store_n(&c->shared.slots[t->slot].thread, 0, __ATOMIC_RELEASE);
	t->retired = true;
}

static void give_back(struct counters *c, struct thread *t)
{
	struct slot *slot = &c->shared.slots[t->slot];
	__u64 tail = c->shared.control->tail;

	memset(slot->count, 0, sizeof(slot->count));
	memset(slot->flags, 0, sizeof(slot->flags));
	slot->old_thread = (__u64)t->pid << 32 | t->tid;
	c->shared.taken[t->slot] = 0;
	c->known[t->slot] = false;
	c->shared.ring[tail % c->max] = t->slot;
	__atomic_store_n(&c->shared.control->tail, tail + 1, __ATOMIC_RELEASE);
	t->freed = true;
}

int counters__collect(struct counters *c, bool (*is_gone)(__u32 pid, __u32 tid))
{
	int err = find_new(c);
	size_t i;

	for (i = 0; i < c->nr_threads; i++) {
		struct thread *t = c->threads[i];
		int changed;

		if (t->freed)
			continue;
		changed = read_slot(c, t);
		if (changed < 0)
			err = changed;
		else if (t->retired)
			give_back(c, t);
		else if (!changed && is_gone && is_gone(t->pid, t->tid))
			retire(c, t);
	}
	return err;
}

static struct total *get_total(struct vcpu *v, __u32 isa, __u32 code)
{
	struct total *grown;
	size_t i;

	for (i = 0; i < v->nr_totals; i++)
		if (v->totals[i].code == code && v->totals[i].isa == isa)
			return &v->totals[i];
	grown = array_grow(v->totals, &v->room, v->nr_totals, sizeof(*grown));
	if (!grown)
		return NULL;
	v->totals = grown;
	v->totals[v->nr_totals] = (struct total){ .isa = isa, .code = code };
	return &v->totals[v->nr_totals++];
}

/* The sample of a code among those from @first on, or NULL */
static struct sample *find_sample(struct snapshot *snap, size_t first, __u32 code)
{
	for (; first < snap->nr_samples; first++)
		if (snap->samples[first].code == code)
			return &snap->samples[first];
	return NULL;
}

/* @first: the samples from there on are of the same TID and vCPU as @t */
static int add_sample(struct snapshot *snap, size_t first, const struct thread *t,
		      struct cell *cell, __u32 code)
{
	struct total *total = get_total(t->vcpu, t->isa, code);
	struct sample *sample = find_sample(snap, first, code), *grown;
	__u64 count = cell->seen - cell->reported;

	if (!total)
		return -ENOMEM;
	if (!sample) {
		grown = array_grow(snap->samples, &snap->room, snap->nr_samples, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		snap->samples = grown;
		sample = &grown[snap->nr_samples++];
		*sample = (struct sample){
			.start = t->start,
			.pid = t->pid,
			.tid = t->tid,
			.vcpu = t->vcpu->id,
			.isa = t->isa,
			.code = code,
			.comm = t->comm,
		};
	}
	total->count += count;
	snap->exits += count;
	sample->count += count;
	sample->total = total->count;
	cell->reported = cell->seen;
	return 0;
}

static int report_thread(struct counters *c, struct snapshot *snap, size_t first, struct thread *t)
{
	size_t i;
	int err = 0;

	for (i = 0; i < t->nr_cells && !err; i++)
		if (t->cells[i].seen != t->cells[i].reported)
			err = add_sample(snap, first, t, &t->cells[i],
					 counter__code(c->shared.control, t->cells[i].index));
	for (i = 0; i < NR_FLAGS; i++) {
		snap->flags[i] += t->flags_seen[i] - t->flags_reported[i];
		t->flags_reported[i] = t->flags_seen[i];
	}
	return err;
}

static int compare_threads(const void *a, const void *b)
{
	const struct thread *x = *(struct thread *const *)a, *y = *(struct thread *const *)b;
	int order = compare_vcpus(x->vcpu, y->vcpu);

	if (!order)
		order = THREE_WAY(x->tid, y->tid);
	return order ? order : THREE_WAY(x->slot, y->slot);
}

static void count_vcpus(struct snapshot *snap)
{
	const struct sample *last = NULL, *s = snap->samples;
	size_t i;

	snap->vms = 0;
	snap->vcpus = 0;
	for (i = 0; i < snap->nr_samples; i++, last = s++) {
		bool new_vm = !last || last->pid != s->pid;

		snap->vms += new_vm;
		snap->vcpus += new_vm || last->vcpu != s->vcpu;
	}
}

int counters__report(struct counters *c, struct snapshot *snap)
{
	size_t i, first = 0;
	int err = 0;

	if (!c->sorted && c->nr_threads)
		qsort(c->threads, c->nr_threads, sizeof(*c->threads), compare_threads);
	c->sorted = true;
	snap->nr_samples = 0;
	snap->exits = 0;
	memset(snap->flags, 0, sizeof(snap->flags));
	for (i = 0; i < c->nr_threads && !err; i++) {
		struct thread *t = c->threads[i], *before = i ? c->threads[i - 1] : NULL;

		/* A TID that came back within an interval is one line, not two */
		if (!before || before->vcpu != t->vcpu || before->tid != t->tid)
			first = snap->nr_samples;
		err = report_thread(c, snap, first, t);
	}
	count_vcpus(snap);
	for (i = 0; i < NR_LOST; i++)
		snap->lost[i] = __atomic_load_n(&c->shared.control->lost[i], __ATOMIC_RELAXED);
	return err;
}

static void put_vcpu(struct counters *c, struct vcpu *v)
{
	if (--v->users || v->listed)
		return;
	v->listed = true;
	v->next = c->unused;
	c->unused = v;
}

void counters__forget(struct counters *c, bool (*is_gone)(__u32 pid, __u32 tid))
{
	struct vcpu **link = &c->unused;
	size_t i, left = 0;

	for (i = 0; i < c->nr_threads; i++) {
		struct thread *t = c->threads[i];

		if (!t->freed) {
			c->threads[left++] = t;
			continue;
		}
		put_vcpu(c, t->vcpu);
		thread__free(t);
	}
	c->nr_threads = left;
	while (*link) {
		struct vcpu *v = *link;
		bool gone = !v->users && is_gone(v->pid, v->pid);

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
