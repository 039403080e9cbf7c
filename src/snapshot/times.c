// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "snapshot/times.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "lib/util.h"
#include "names/reason_codes.h"

/* As in counters.c: gcc -fanalyzer cannot follow reallocarray() */
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

/* One reason of a thread; the index NR_COUNTERS stands for all reasons without a row */
struct reason {
	__u32 index;
	bool has_row; /* or will get one */
	__u32 buckets[NR_BUCKETS]; /* when last read */
	__u64 seen[NR_PARTS]; /* ns, with the span that is open */
	__u64 reported[NR_PARTS];
	__u64 untimed; /* when last read */
	__u64 untimed_reported;
	struct times times; /* since the last report; the parts are made by it */
};

struct timing {
	struct reason **reasons;
	size_t nr_reasons;
	size_t room;
	bool begun;
	bool told; /* nothing was read since the last report */
	/* When last read */
	bool open;
	__u64 end; /* the parts are complete up to this time */
	__u64 guest;
	__u64 unseen;
	/* When last reported */
	__u64 end_reported;
	__u64 guest_reported;
	__u64 unseen_reported;
	struct times times;
};

__u64 times__sum(const struct times *t)
{
	__u64 sum = 0;
	size_t i;

	for (i = 0; i < NR_PARTS; i++)
		sum += t->part[i];
	return sum;
}

__u64 times__service(const struct times *t)
{
	return times__sum(t) - t->part[PART_GUEST] - t->part[PART_IDLE];
}

__u64 times__caused(const struct times *t)
{
	return t->part[PART_KVM] + t->part[PART_USER];
}

/* Rounded together with the parts before it */
__u64 times__share(const struct times *t, enum part part)
{
	double all = times__sum(t);
	__u64 before = 0;
	enum part i;

	if (!all)
		return 0;
	for (i = 0; i < part; i++)
		before += t->part[i];
	return (__u64)((before + t->part[part]) * 1000.0 / all + 0.5) -
	       (__u64)(before * 1000.0 / all + 0.5);
}

__u64 times__spans(const struct times *t)
{
	__u64 sum = 0;
	size_t i;

	for (i = 0; i < NR_BUCKETS; i++)
		sum += t->buckets[i];
	return sum;
}

void times__add(struct times *to, const struct times *from)
{
	size_t i;

	for (i = 0; i < NR_PARTS; i++)
		to->part[i] += from->part[i];
	for (i = 0; i < NR_BUCKETS; i++)
		to->buckets[i] += from->buckets[i];
	to->untimed += from->untimed;
	to->wall += from->wall;
	to->unseen += from->unseen;
	to->crowded += from->crowded;
	if (from->max > to->max)
		to->max = from->max;
}

/*
 * The value that stands for all times of a bucket. Its relative distance from the lower and
 * from the upper end is the same: for [256, 384) it is 307, at most 20 % off.
 */
static __u64 bucket_value(size_t bucket)
{
	__u64 octave;

	if (!bucket)
		return 192;
	octave = 256ull << (bucket - 1) / 2;
	return bucket % 2 ? octave * 6 / 5 : octave * 12 / 7;
}

__u64 times__quantile(const struct times *t, unsigned int percent)
{
	__u64 all = times__spans(t), below = 0, value;
	size_t i;

	if (!all)
		return 0;
	for (i = 0; i < NR_BUCKETS - 1; i++) {
		below += t->buckets[i];
		if (below * 100 >= all * percent)
			break;
	}
	value = bucket_value(i);
	/* The last bucket has no upper end */
	return i == NR_BUCKETS - 1 || value > t->max ? t->max : value;
}

struct timing *timing__new(void)
{
	return calloc(1, sizeof(struct timing));
}

void timing__free(struct timing *t)
{
	size_t i;

	if (!t)
		return;
	for (i = 0; i < t->nr_reasons; i++)
		free(t->reasons[i]);
	free(t->reasons);
	free(t);
}

static struct reason *find_reason(struct timing *t, __u32 index)
{
	size_t i;

	for (i = 0; i < t->nr_reasons; i++)
		if (t->reasons[i]->index == index)
			return t->reasons[i];
	return NULL;
}

static struct reason *get_reason(struct timing *t, __u32 index)
{
	struct reason *r = find_reason(t, index), **grown;

	if (r)
		return r;
	grown = array_grow(t->reasons, &t->room, t->nr_reasons, sizeof(*grown));
	if (!grown)
		return NULL;
	t->reasons = grown;
	r = calloc(1, sizeof(*r));
	if (!r)
		return NULL;
	r->index = index;
	t->reasons[t->nr_reasons++] = r;
	return r;
}

static __u64 stamp(const __u64 *at)
{
	return __atomic_load_n(at, __ATOMIC_ACQUIRE);
}

/*
 * Whether a copy has each event as a whole or not at all: then guest and spans add up to all
 * the time until the last entry. This check is needed because Arm, unlike x86, does not
 * promise the order of stores.
 */
static bool is_whole(const struct clock *copy)
{
	const struct spans *row;
	__u64 ns = copy->guest;

	for (row = copy->rows; row <= copy->rows + copy->nr_rows; row++) {
		if (row->user + row->wait + row->poll + row->idle > row->time)
			return false;
		ns += row->time;
	}
	return ns == copy->entry - copy->first;
}

/* Copies the used part of a clock. False: the thread changed it meanwhile. */
static bool try_copy(struct clock *copy, const struct clock *clock)
{
	__u64 out = stamp(&clock->exit), in = stamp(&clock->entry);

	memcpy(copy, clock, offsetof(struct clock, rows));
	if (copy->nr_rows >= NR_ROWS)
		return false;
	memcpy(copy->rows, clock->rows, (copy->nr_rows + 1) * sizeof(copy->rows[0]));
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return out == stamp(&clock->exit) && in == stamp(&clock->entry) && !(out && in > out) &&
	       is_whole(copy);
}

/*
 * Copies a clock. An event takes a fraction of a microsecond. It can stop in the middle only if
 * the host itself loses its CPU; then this thread gives up its own for a moment. False: this
 * did not help, and the clock is read next time.
 */
static bool copy_clock(struct clock *copy, const struct clock *clock)
{
	int tries;

	for (tries = 0; tries < 120; tries++) {
		if (try_copy(copy, clock))
			return true;
		if (tries >= 100)
			poll(NULL, 0, 1);
	}
	return false;
}

/* Reads the spans of a reason's row that are over */
static void read_row(struct reason *r, const struct spans *row, struct spans *shared)
{
	__u64 max = row->max ? __atomic_exchange_n(&shared->max, 0, __ATOMIC_RELAXED) : 0;
	size_t i;

	r->seen[PART_USER] = row->user;
	r->seen[PART_WAIT] = row->wait;
	r->seen[PART_POLL] = row->poll;
	r->seen[PART_IDLE] = row->idle;
	r->seen[PART_KVM] = row->time - row->user - row->wait - row->poll - row->idle;
	for (i = 0; i < NR_BUCKETS; i++) {
		r->times.buckets[i] += row->buckets[i] - r->buckets[i];
		r->buckets[i] = row->buckets[i];
	}
	r->untimed = row->untimed;
	r->has_row = true;
	if (max > r->times.max)
		r->times.max = max;
}

static int read_rows(struct timing *t, const struct clock *copy, struct clock *clock)
{
	struct reason *r = get_reason(t, NR_COUNTERS);
	__u32 i;

	if (!r)
		return -ENOMEM;
	for (i = 0; i < t->nr_reasons; i++)
		memset(t->reasons[i]->seen, 0, sizeof(t->reasons[i]->seen));
	read_row(r, &copy->rows[0], &clock->rows[0]);
	for (i = 0; i < NR_COUNTERS; i++) {
		__u8 row = copy->row_of[i];

		if (!row || row > copy->nr_rows)
			continue;
		r = get_reason(t, i);
		if (!r)
			return -ENOMEM;
		read_row(r, &copy->rows[row], &clock->rows[row]);
	}
	return 0;
}

/* Whether KVM may halt the vCPU: then the time of an open span in KVM is most likely idle */
static bool is_halt(__u32 isa, __u32 index)
{
	static const struct {
		__u32 isa;
		__u32 index;
	} halts[] = {
#define HALT(isa, reason) { ISA_##isa, COUNTER_OF(REASON_##isa##_##reason) },
#include "reasons.def"
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(halts); i++)
		if (halts[i].isa == isa && halts[i].index == index)
			return true;
	return false;
}

static struct reason *open_reason(struct timing *t, const struct clock *clock)
{
	__u32 index = clock->index;

	if (index >= NR_COUNTERS || (!clock->row_of[index] && clock->nr_rows == NR_ROWS - 1))
		index = NR_COUNTERS;
	return get_reason(t, index);
}

static __u64 later(__u64 a, __u64 b)
{
	return a > b ? a : b;
}

/* Adds the open span, until @end, to the spans that are over */
static int add_open(struct timing *t, const struct clock *clock, __u32 isa, __u64 end)
{
	struct reason *r = open_reason(t, clock);
	__u64 all = end - clock->exit, in_user = clock->in_user;
	bool halts;

	if (!r)
		return -ENOMEM;
	r->has_row = true;
	if (clock->user && end > clock->user)
		in_user += end - later(clock->user, clock->exit);
	/* What was read may be half written */
	if (in_user > all)
		in_user = all;
	r->seen[PART_USER] += in_user;
	/* KVM may have told of a halt in this span already: then it is halted, whatever the reason
	 */
	halts = is_halt(isa, clock->index) || clock->halted;
	r->seen[halts ? PART_IDLE : PART_KVM] += all - in_user;
	return 0;
}

/* Starts a new interval: forgets what was reported */
static void begin(struct timing *t)
{
	size_t i;

	for (i = 0; i < t->nr_reasons && t->told; i++)
		memset(&t->reasons[i]->times, 0, sizeof(t->reasons[i]->times));
	t->told = false;
}

int timing__read(struct timing *t, struct clock *clock, __u32 isa, __u64 now, bool gone)
{
	static struct clock copy;
	int err;

	begin(t);
	if (!copy_clock(&copy, clock) || !copy.first)
		return 0;
	if (!t->begun)
		t->end = t->end_reported = copy.first;
	t->begun = true;
	/* A thread that has ended did so, as far as we know, right after its last event */
	if (!gone)
		t->end = later(t->end, now);
	t->end = later(t->end, later(copy.entry, later(copy.exit, copy.user)));
	err = read_rows(t, &copy, clock);
	if (!err && copy.exit)
		err = add_open(t, &copy, isa, t->end);
	t->guest = copy.guest + (copy.exit ? copy.exit : t->end) - copy.entry;
	t->open = copy.exit;
	t->unseen = copy.unseen;
	return err;
}

int timing__finish(struct timing *t, struct clock *clock, __u32 isa, __u64 now, bool gone)
{
	int err = timing__read(t, clock, isa, now, gone);
	struct reason *r = !err && t->open ? open_reason(t, clock) : NULL;

	if (r)
		r->untimed++;
	return err;
}

/* Takes as much of @debt as possible from the parts; returns what is left of the debt */
static __u64 pay(__u64 *part, __u64 debt)
{
	__u64 taken;
	size_t i;

	for (i = 0; i < NR_PARTS; i++) {
		taken = debt < part[i] ? debt : part[i];
		part[i] -= taken;
		debt -= taken;
	}
	return debt;
}

/* A part since the last report; 0 if too much was reported before: *@debt gets the excess */
static __u64 since(__u64 seen, __u64 reported, __u64 *debt)
{
	if (seen >= reported)
		return seen - reported;
	*debt += reported - seen;
	return 0;
}

/*
 * Makes the parts of a reason. If a guess about an open span gave one part too much, the
 * other parts pay for it. Returns the debt that is left.
 */
static __u64 settle(struct reason *r)
{
	__u64 debt = 0;
	size_t i;

	for (i = 0; i < NR_PARTS; i++)
		r->times.part[i] = since(r->seen[i], r->reported[i], &debt);
	r->times.untimed = r->untimed - r->untimed_reported;
	r->untimed_reported = r->untimed;
	return pay(r->times.part, debt);
}

/* Makes what is reported of a reason, and adds it to its thread's time */
static void tell(struct reason *r, struct times *all)
{
	size_t i;

	for (i = 0; i < NR_PARTS; i++) {
		r->reported[i] += r->times.part[i];
		all->part[i] += r->times.part[i];
	}
	all->untimed += r->times.untimed;
	if (r->index == NR_COUNTERS)
		all->crowded = times__spans(&r->times) + r->times.untimed;
}

/*
 * An event may take its time stamp before a report but store it after the report. Then that
 * report had too much time for what the event ended; what came after it pays for that in the
 * next report. All parts together are what the clock says.
 */
struct times *timing__report(struct timing *t)
{
	struct times *all = &t->times;
	__u64 debt = 0;
	size_t i;

	*all = (struct times){
		.wall = t->end - t->end_reported,
		.unseen = t->unseen - t->unseen_reported,
	};
	begin(t);
	t->told = true;
	for (i = 0; i < t->nr_reasons; i++)
		debt += settle(t->reasons[i]);
	all->part[PART_GUEST] = since(t->guest, t->guest_reported, &debt);
	debt = pay(all->part, debt);
	t->guest_reported += all->part[PART_GUEST];
	for (i = 0; i < t->nr_reasons; i++) {
		debt = pay(t->reasons[i]->times.part, debt);
		tell(t->reasons[i], all);
	}
	t->end_reported = t->end;
	t->unseen_reported = t->unseen;
	return all;
}

size_t timing__nr_reasons(const struct timing *t)
{
	return t->nr_reasons;
}

__u32 timing__index(const struct timing *t, size_t i)
{
	return t->reasons[i]->index;
}

struct times *timing__reason(struct timing *t, __u32 index, __u64 count)
{
	struct reason *r = get_reason(t, index);

	if (!r)
		return NULL;
	/* Without its own row, its spans cannot be told from those of other reasons */
	if (!r->has_row)
		r->times.untimed = count;
	return &r->times;
}
