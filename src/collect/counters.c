// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "collect/counters.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "collect/threads.h"
#include "lib/util.h"
#include "vm/vm.h"

/*
 * A slot is retired if nothing was counted in it for this time, even if its owner is
 * alive: an idle thread can cheaply get another slot, and nobody can tell whether a thread
 * of another PID namespace is alive. The time is shorter if fewer slots are free than one
 * or two VMs may want at once.
 */
#define RESERVE 64 /* slots; or a quarter of all, if that is more */

static __u64 patience(__u32 nr_free, __u32 max)
{
	return nr_free < RESERVE || nr_free < max / 4 ? IMPATIENCE : PATIENCE;
}

/* The grace period if the kernel cannot tell when no program is running any more */
#define GRACE NSEC_PER_SEC

/*
 * The program describes the slot before it marks it, so what is read after the mark is the
 * owner. free_slot() has removed the one before: if the new one is not all there yet, the
 * slot is looked at next time; and each owner is read once more then (thread__confirm()).
 */
static bool is_described(const struct slot *slot)
{
	return slot->key && slot->pid && slot->tid && slot->isa;
}

static int add_thread(struct counters *c, __u32 nr, __u64 now)
{
	const struct slot *slot = shared__slot(&c->shared, nr);
	const __u64 key = slot->key;
	struct thread *t = threads__get(c, slot);

	if (!t)
		return -ENOMEM;
	t->slot = nr;
	t->key = key;
	t->confirmed = false;
	t->state = OWNED;
	t->since = t->taken = now;
	return 0;
}

/* Those found the last time */
static int confirm_owners(struct counters *c)
{
	size_t i;
	int err = 0;

	for (i = 0; i < c->nr_threads && !err; i++) {
		struct thread *t = c->threads[i];

		if (t->state == OWNED && !t->confirmed)
			err = thread__confirm(c, t, shared__slot(&c->shared, t->slot));
	}
	return err;
}

/* Finds slots that got an owner since the last time */
static int find_new(struct counters *c, __u64 now)
{
	__u32 nr;
	int err;

	for (nr = 0; nr < c->max; nr++) {
		if (c->known[nr] || !__atomic_load_n(&c->shared.owned[nr], __ATOMIC_ACQUIRE) ||
		    !is_described(shared__slot(&c->shared, nr)))
			continue;
		err = add_thread(c, nr, now);
		if (err)
			return err;
		c->known[nr] = true;
		c->nr_free--;
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

static bool has_ended(const struct counters *c, const struct thread *t)
{
	return c->shared.is_gone && c->shared.is_gone(t->vcpu->vm->pid, t->tid);
}

/* 0 or -ENOMEM */
static int read_clock(struct counters *c, struct thread *t, __u64 now)
{
	t->timed_sum = t->sum;
	return timing__read(t->timing, shared__clock(&c->shared, t->slot), t->isa, now,
			    has_ended(c, t));
}

/* Whether there are details of the exits at a counter */
static bool is_detailed(const struct counters *c, __u32 isa, __u32 index)
{
	return isa - ISA_VMX < ARRAY_SIZE(c->shared.detailed) &&
	       c->shared.detailed[isa - ISA_VMX][index];
}

/* Whether details are missing for some of the exits that should have one */
static bool is_behind(const struct counters *c, struct thread *t)
{
	__u64 exits = 0, details = 0;
	size_t i;

	for (i = 0; i < t->nr_cells; i++)
		if (is_detailed(c, t->isa, t->cells[i].index))
			exits += t->cells[i].seen;
	for (i = 0; i < t->detailing.nr; i++)
		details += t->detailing.list[i].seen;
	return exits != details;
}

/* Reads a slot: 0, 1 where something was counted since the last time, -ENOMEM */
static int read_slot(struct counters *c, struct thread *t)
{
	const struct slot *slot = shared__slot(&c->shared, t->slot);
	const struct details *details = shared__details(&c->shared, t->slot);
	const volatile __u64 *count = slot->count;
	__u64 sum = 0, before = t->sum;
	size_t i, at = 0;

	/* The one pass over an idle slot; vectorized, hence not volatile */
	for (i = 0; i < NR_COUNTERS; i++)
		sum += slot->count[i];
	if (sum == t->sum && !t->behind)
		return 0;
	if (details && detailing__read(&t->detailing, details))
		return -ENOMEM;
	/* Exits counted between the two passes: `seen` has them then, so none counts twice */
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
	t->behind = details && is_behind(c, t);
	return sum != before;
}

/* Removes the hint of a key from its set or the next one */
static void remove_hint(struct control *control, __u64 key)
{
	__u32 first = hint_offset(key) / sizeof(struct hint), i;

	for (i = 0; i < 2 * NR_WAYS; i++) {
		struct hint *h = &control->hints[(first + i) % (NR_SETS * NR_WAYS)];
		__u64 found = key;

		__atomic_compare_exchange_n(&h->key, &found, 0, false, __ATOMIC_SEQ_CST,
					    __ATOMIC_RELAXED);
	}
}

/*
 * Takes the slot from its owner, which gets another one when it exits again. First the
 * slot, then the hint: the program does it the other way round, it writes a hint and then
 * looks at the slot once more. So one of the two sees what the other did.
 */
static void retire(struct counters *c, struct thread *t, __u64 now)
{
	struct slot *slot = shared__slot(&c->shared, t->slot);

	slot->old_key = slot->key;
	__atomic_exchange_n(&slot->key, 0, __ATOMIC_SEQ_CST);
	remove_hint(c->shared.control, slot->old_key);
	t->state = RETIRED;
	t->since = now;
}

/* Keeps the last owner in the clock, because the program still has to forget it */
static void clear_clock(struct clock *clock)
{
	__u64 thread = clock->thread;

	memset(clock, 0, sizeof(*clock));
	clock->thread = thread;
}

static void free_slot(struct counters *c, struct thread *t)
{
	struct slot *slot = shared__slot(&c->shared, t->slot);
	struct details *details = shared__details(&c->shared, t->slot);
	__u64 tail = c->shared.control->tail;

	if (t->timing)
		clear_clock(shared__clock(&c->shared, t->slot));
	if (details)
		memset(details, 0, sizeof(*details));
	memset(slot->count, 0, sizeof(slot->count));
	memset(slot->flags, 0, sizeof(slot->flags));
	slot->start = 0;
	slot->pid = slot->tid = slot->vcpu = slot->isa = 0;
	c->shared.owned[t->slot] = 0;
	c->known[t->slot] = false;
	c->nr_free++;
	c->shared.ring[tail % c->max] = t->slot;
	__atomic_store_n(&c->shared.control->tail, tail + 1, __ATOMIC_RELEASE);
	t->state = FREED;
}

/*
 * Whether the owner of an idle slot loses it. With clocks, idle time is part of the report:
 * so while enough slots are free, only threads that have ended lose theirs.
 */
static bool is_over(const struct counters *c, const struct thread *t, __u64 now, __u64 limit)
{
	bool idle = now - t->since >= limit;

	if (!t->timing || !c->shared.is_gone)
		return idle;
	return has_ended(c, t) || (idle && c->nr_free < c->max / 4);
}

/* Clocks have counters of 32 bits; they must be read before they wrap */
#define CLOCK_LIMIT (1u << 31)

/* Reads the slots; those idle for longer than @limit ns are retired */
static int read_slots(struct counters *c, __u64 now, __u64 limit, size_t *retired)
{
	int err = 0;
	size_t i;

	*retired = 0;
	for (i = 0; i < c->nr_threads; i++) {
		struct thread *t = c->threads[i];
		int changed = t->state == OWNED ? read_slot(c, t) : 0;

		if (changed < 0)
			err = changed;
		else if (t->state == OWNED && thread__takes_new_slot(t, now))
			retire(c, t, now);
		else if (changed)
			t->since = now;
		else if (t->state == OWNED && is_over(c, t, now, limit))
			retire(c, t, now);
		if (t->timing && t->state == OWNED && t->sum - t->timed_sum > CLOCK_LIMIT &&
		    read_clock(c, t, now))
			err = -ENOMEM;
		*retired += t->state == RETIRED;
	}
	return err;
}

/* How many of a reason's exits since the last report have a known detail */
static __u64 known_details(struct thread *t, __u32 index)
{
	const struct behind *b;
	__u64 known = 0;
	size_t n;

	for (b = detailing__of(&t->detailing, index, &n); n; n--, b++)
		known += b->seen - b->reported;
	return known;
}

/* For a retired slot: exits still without a detail become unknown; 0 or -ENOMEM */
static int give_up_details(struct counters *c, struct thread *t)
{
	size_t i;

	for (i = 0; i < t->nr_cells; i++) {
		const struct cell *cell = &t->cells[i];
		__u64 rest;

		if (!is_detailed(c, t->isa, cell->index))
			continue;
		rest = cell->seen - cell->reported - known_details(t, cell->index);
		if (rest && detailing__add_unknown(&t->detailing, cell->index, rest))
			return -ENOMEM;
	}
	return 0;
}

/* Reads slots that were retired a grace period ago for the last time, and frees them */
static int free_slots(struct counters *c, __u64 now)
{
	bool over = !c->shared.quiesce();
	int err = 0;
	size_t i;

	for (i = 0; i < c->nr_threads; i++) {
		struct thread *t = c->threads[i];
		int changed;

		if (t->state != RETIRED || (!over && now - t->since < GRACE))
			continue;
		changed = read_slot(c, t);
		if (changed >= 0 && t->timing &&
		    timing__finish(t->timing, shared__clock(&c->shared, t->slot), t->isa, t->since,
				   has_ended(c, t)))
			changed = -ENOMEM;
		if (changed >= 0 && give_up_details(c, t))
			changed = -ENOMEM;
		if (changed < 0)
			err = changed;
		else
			free_slot(c, t);
	}
	return err;
}

/* Removes the hints of threads that got no slot, so that they ask again */
static void remove_refusals(struct counters *c)
{
	struct hint *h = c->shared.control->hints;
	size_t i;

	for (i = 0; i < NR_SETS * NR_WAYS; i++, h++)
		if (h->slot == SLOT_LOST(LOST_FULL) || h->slot == SLOT_LOST(LOST_MAP))
			__atomic_store_n(&h->key, 0, __ATOMIC_RELAXED);
}

int counters__collect(struct counters *c, __u64 now)
{
	int err = confirm_owners(c), failed;
	__u64 turned_away;
	size_t retired;

	c->now = now;
	failed = find_new(c, now);
	err = failed ? failed : err;
	failed = read_slots(c, now, patience(c->nr_free, c->max), &retired);
	err = failed ? failed : err;
	failed = retired ? free_slots(c, now) : 0;
	turned_away = counters__lost(c, LOST_FULL) + counters__lost(c, LOST_MAP);
	c->refused |= turned_away != c->turned_away;
	c->turned_away = turned_away;
	if (c->nr_free && c->refused) {
		remove_refusals(c);
		c->refused = false;
	}
	return failed ? failed : err;
}

/* The sample of a total among those from @first on, or NULL */
static struct sample *find_sample(struct snapshot *snap, size_t first, const struct total *total)
{
	struct sample *s = &snap->samples[total->sample];

	return total->sample >= first && total->sample < snap->nr_samples &&
			       s->code == total->code && s->detail == total->detail
		       ? s
		       : NULL;
}

/*
 * Adds @count exits of a reason and detail. @first: the samples from there on have the same
 * TID and vCPU as @t.
 */
static int add_sample(struct counters *c, struct snapshot *snap, size_t first,
		      const struct thread *t, __u32 code, __u64 detail, __u64 count,
		      struct times *times)
{
	struct total *total = totals__get(&t->vcpu->totals, c->reports, t->isa, code, detail);
	struct sample *sample, *grown;

	if (!total)
		return -ENOMEM;
	sample = find_sample(snap, first, total);
	if (!sample) {
		grown = array_grow(snap->samples, &snap->room, snap->nr_samples, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		snap->samples = grown;
		total->sample = snap->nr_samples++;
		sample = &grown[total->sample];
		*sample = (struct sample){
			.vm = t->vcpu->vm,
			.tid = t->tid,
			.vcpu = t->vcpu->id,
			.isa = t->isa,
			.code = code,
			.detail = detail,
			.times = times,
		};
	} else if (times) {
		times__add(sample->times, times);
	}
	if (times)
		snap->service += times__service(times);
	total->count += count;
	snap->exits += count;
	sample->count += count;
	sample->total = total->count;
	return 0;
}

__u64 counters__lost(const struct counters *c, enum lost why)
{
	const struct lost_line *line = c->shared.control->lost;
	__u64 sum = 0;
	size_t i;

	for (i = 0; i < NR_LOST_LINES; i++)
		sum += __atomic_load_n(&line[i].count[why], __ATOMIC_RELAXED);
	return sum;
}

/* Counts are read before times: of a reason's first exit, there may be only the time */
static int add_timed_cells(struct thread *t)
{
	for (; t->nr_timed < timing__nr_reasons(t->timing); t->nr_timed++) {
		__u32 index = timing__index(t->timing, t->nr_timed);
		size_t at = 0;

		if (index < NR_COUNTERS && !get_cell(t, &at, index))
			return -ENOMEM;
	}
	return 0;
}

/* Reports all time of a thread. One that came back with its TID and vCPU is the same. */
static int report_time(struct counters *c, struct snapshot *snap, struct thread *t, bool came_back,
		       __u64 now)
{
	struct sample *s = snap->threads, *grown;
	int err = t->state >= FREED ? 0 : read_clock(c, t, now);
	struct times *times = timing__report(t->timing);

	err = err ? err : add_timed_cells(t);
	if (err)
		return err;
	if (came_back) {
		times__add(s[snap->nr_threads - 1].times, times);
		return 0;
	}
	grown = array_grow(s, &snap->threads_room, snap->nr_threads, sizeof(*s));
	if (!grown)
		return -ENOMEM;
	snap->threads = grown;
	grown[snap->nr_threads++] = (struct sample){
		.vm = t->vcpu->vm,
		.tid = t->tid,
		.vcpu = t->vcpu->id,
		.isa = t->isa,
		.times = times,
	};
	return 0;
}

/*
 * How many exits to report with an unknown detail. Exits are reported with their detail once
 * that has come. Only in the last report can there be one whose detail has not come.
 */
static __u64 unknown_details(const struct snapshot *snap, const struct thread *t,
			     const struct cell *cell, __u64 known)
{
	__u64 rest = cell->seen - cell->reported - known;

	return snap->final && rest && t->detailing.pending == cell->index + 1;
}

/* Whether there is anything to report of a detail */
static bool is_told(const struct behind *b)
{
	return b->seen != b->reported ||
	       (b->times && (times__sum(b->times) || times__spans(b->times) || b->times->untimed));
}

/* Reports the exits of a reason by their details */
static int report_details(struct counters *c, struct snapshot *snap, size_t first, struct thread *t,
			  __u32 index, __u32 code, __u64 unknown, const struct times *times)
{
	struct behind *b;
	int err = 0;
	size_t n;

	if (unknown)
		err = detailing__add_unknown(&t->detailing, index, unknown);
	if (!err && times)
		err = detailing__share(&t->detailing, index, times);
	for (b = detailing__of(&t->detailing, index, &n); n && !err; n--, b++) {
		if (is_told(b))
			err = add_sample(c, snap, first, t, code, b->key & DETAIL_MASK,
					 b->seen - b->reported, b->times);
		if (!err)
			b->reported = b->seen;
	}
	return err;
}

/* Reports a reason of a thread, if anything happened since the last report */
static int report_cell(struct counters *c, struct snapshot *snap, size_t first, struct thread *t,
		       struct cell *cell)
{
	bool detailed = is_detailed(c, t->isa, cell->index);
	__u32 code = counter__code(c->shared.control, cell->index);
	__u64 known = detailed ? known_details(t, cell->index) : 0;
	__u64 unknown = detailed ? unknown_details(snap, t, cell, known) : 0;
	__u64 count = detailed ? known + unknown : cell->seen - cell->reported;
	struct times *times = NULL;
	int err;

	if (t->timing) {
		times = timing__reason(t->timing, cell->index, count);
		if (!times)
			return -ENOMEM;
		snap->threads[snap->nr_threads - 1].count += count;
	}
	if (!count && !(times && (times__sum(times) || times->untimed)))
		return 0;
	if (detailed)
		err = report_details(c, snap, first, t, cell->index, code, unknown, times);
	else
		err = add_sample(c, snap, first, t, code,
				 c->shared.layout.details ? DETAIL_NONE : 0, count, times);
	if (!err)
		cell->reported += count;
	return err;
}

static int report_thread(struct counters *c, struct snapshot *snap, size_t first, struct thread *t)
{
	size_t i;
	int err = 0;

	for (i = 0; i < t->nr_cells && !err; i++)
		err = report_cell(c, snap, first, t, &t->cells[i]);
	for (i = 0; i < NR_FLAGS; i++) {
		snap->flags[i] += t->flags_seen[i] - t->flags_reported[i];
		t->flags_reported[i] = t->flags_seen[i];
	}
	if (t->state == FREED && !err)
		t->state = REPORTED;
	return err;
}

static void count_vcpus(struct snapshot *snap)
{
	const struct sample *last = NULL, *s = snap->samples;
	size_t i;

	snap->vms = 0;
	snap->vcpus = 0;
	for (i = 0; i < snap->nr_samples; i++, last = s++) {
		bool new_vm = !last || last->vm != s->vm;

		snap->vms += new_vm;
		snap->vcpus += new_vm || last->vcpu != s->vcpu;
	}
}

int counters__report(struct counters *c, struct snapshot *snap, __u64 now)
{
	size_t i, first = 0;
	int err = 0;

	threads__sort(c);
	c->reports++;
	snap->nr_samples = 0;
	snap->nr_threads = 0;
	snap->service = 0;
	snap->exits = 0;
	snap->hidden = 0;
	memset(snap->flags, 0, sizeof(snap->flags));
	for (i = 0; i < c->nr_threads && !err; i++) {
		struct thread *t = c->threads[i], *before = i ? c->threads[i - 1] : NULL;

		/* A TID that came back within an interval is one line, not two */
		bool came_back = before && before->vcpu == t->vcpu && before->tid == t->tid;

		if (!came_back)
			first = snap->nr_samples;
		err = t->timing ? report_time(c, snap, t, came_back, now) : 0;
		if (!err)
			err = report_thread(c, snap, first, t);
	}
	count_vcpus(snap);
	for (i = 0; i < NR_LOST; i++)
		snapshot__set_lost(snap, i, counters__lost(c, i));
	return err;
}
