// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "collect/detail_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/util.h"
#include "names/details.h"

void detailing__free(struct detailing *d)
{
	size_t i;

	for (i = 0; i < d->nr; i++)
		free(d->list[i].times);
	free(d->list);
}

/* The index of a key in the list, or the place where it belongs */
static size_t find(const struct detailing *d, __u64 key)
{
	size_t low = 0, high = d->nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (d->list[middle].key < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct behind *get(struct detailing *d, __u64 key)
{
	size_t at = find(d, key);
	struct behind *grown;

	if (at < d->nr && d->list[at].key == key)
		return &d->list[at];
	grown = array_grow(d->list, &d->room, d->nr, sizeof(*grown));
	if (!grown)
		return NULL;
	d->list = grown;
	memmove(grown + at + 1, grown + at, (d->nr - at) * sizeof(*grown));
	d->nr++;
	grown[at] = (struct behind){ .key = key };
	return &grown[at];
}

static int see(struct detailing *d, __u64 key, const __u64 *count)
{
	struct behind *b = get(d, key);

	if (b)
		b->seen = __atomic_load_n(count, __ATOMIC_ACQUIRE);
	return b ? 0 : -ENOMEM;
}

static int see_entry(struct detailing *d, const struct detail_entry *e)
{
	__u64 key = __atomic_load_n(&e->key, __ATOMIC_ACQUIRE), others;
	struct behind *b;

	if (!key)
		return 0;
	if (see(d, key, &e->count))
		return -ENOMEM;
	b = get(d, key);
	b->ns[PART_USER] = e->user;
	b->ns[PART_WAIT] = e->wait;
	b->ns[PART_POLL] = e->poll;
	b->ns[PART_IDLE] = e->idle;
	others = e->user + e->wait + e->poll + e->idle;
	b->ns[PART_KVM] = e->time > others ? e->time - others : 0;
	return 0;
}

int detailing__read(struct detailing *d, const struct details *table)
{
	__u32 open = __atomic_load_n(&table->open, __ATOMIC_ACQUIRE);
	__u64 pending = __atomic_load_n(&table->pending, __ATOMIC_ACQUIRE), fault = table->fault;
	int err = 0;
	size_t i;

	d->open = open < NR_DETAILS ? table->entries[open].key : 0;
	d->pending = pending >> DETAIL_INDEX_SHIFT;
	d->last = pending && fault ? pending | fault : 0;
	for (i = 0; i < NR_DETAILS && !err; i++)
		err = see_entry(d, &table->entries[i]);
	d->crowded = __atomic_load_n(&table->reasons[0], __ATOMIC_ACQUIRE);
	for (i = 0; i < NR_CROWDED && !err; i++) {
		__u64 reason = __atomic_load_n(&table->reasons[i], __ATOMIC_ACQUIRE);

		if (!reason)
			break;
		err = see(d, reason << DETAIL_INDEX_SHIFT | DETAIL_OTHER, &table->crowded[i]);
	}
	return err;
}

/* Whether a detail is one of those that are given up if there are too many */
static bool may_go(const struct behind *b)
{
	enum detail_kind kind = detail__kind(b->key);

	return kind != DETAIL_UNKNOWN && kind != DETAIL_SPECIAL;
}

/* Adds details with at most @few exits since the last report to `other`: a pass of the list */
static void give_up(struct detailing *d, __u64 few)
{
	size_t i, left = 0, other;

	for (i = 0; i < d->nr; i++) {
		struct behind b = d->list[i];

		if (may_go(&b) && b.seen - b.reported <= few) {
			/* It is in the list already, behind all other details of its reason */
			other = find(d, (b.key & ~DETAIL_MASK) | DETAIL_OTHER);
			d->list[other].reported -= b.seen - b.reported;
			free(b.times);
			d->list[i].times = NULL;
			d->list[i].seen = d->list[i].reported;
		}
	}
	for (i = 0; i < d->nr; i++)
		if (!may_go(&d->list[i]) || d->list[i].seen != d->list[i].reported)
			d->list[left++] = d->list[i];
	d->nr = left;
}

/* A guest with ever new details fills a table after the other between two reports */
static int bound(struct detailing *d)
{
	__u64 few = 0, reason;
	size_t i;

	if (d->nr < MOST_BEHIND)
		return 0;
	for (reason = 1; reason <= NR_COUNTERS; reason++) {
		i = find(d, reason << DETAIL_INDEX_SHIFT);
		if (i < d->nr && d->list[i].key >> DETAIL_INDEX_SHIFT == reason &&
		    !get(d, reason << DETAIL_INDEX_SHIFT | DETAIL_OTHER))
			return -ENOMEM;
	}
	while (d->nr > MOST_BEHIND / 2 && few < 1ull << 62) {
		give_up(d, few);
		few = 2 * few + 1;
	}
	return 0;
}

void detailing__from_zero(struct detailing *d)
{
	size_t i;

	/* Without memory for it the list stays as it is */
	bound(d);

	for (i = 0; i < d->nr; i++) {
		d->list[i].reported -= d->list[i].seen;
		d->list[i].seen = 0;
	}
	d->pending = 0;
	d->last = 0;
	d->open = 0;
	d->crowded = false;
}

struct behind *detailing__of(struct detailing *d, __u32 index, size_t *n)
{
	const __u64 reason = index + 1;
	size_t first = find(d, reason << DETAIL_INDEX_SHIFT);

	*n = find(d, (reason + 1) << DETAIL_INDEX_SHIFT) - first;
	return d->list + first;
}

int detailing__add_unknown(struct detailing *d, __u32 index, __u64 count)
{
	struct behind *b;

	if (count && d->last >> DETAIL_INDEX_SHIFT == index + 1) {
		b = get(d, d->last);
		if (!b)
			return -ENOMEM;
		b->reported--;
		count--;
		d->last = 0;
	}
	b = count ? get(d, (__u64)(index + 1) << DETAIL_INDEX_SHIFT) : NULL;
	if (b)
		b->reported -= count;
	return b || !count ? 0 : -ENOMEM;
}

static int make_times(struct behind *b)
{
	if (!b->times)
		b->times = malloc(sizeof(*b->times));
	if (b->times)
		*b->times = (struct times){ 0 };
	return b->times ? 0 : -ENOMEM;
}

/* By how much a part grew since the last report; 0 if that report read a half-written update */
static __u64 growth(const struct behind *b, size_t part)
{
	return b->ns[part] > b->ns_reported[part] ? b->ns[part] - b->ns_reported[part] : 0;
}

static void take_share(struct behind *b, size_t part, __u64 *left)
{
	__u64 ns = growth(b, part);

	b->times->part[part] = ns < *left ? ns : *left;
	*left -= b->times->part[part];
	b->ns_reported[part] += ns;
}

/*
 * Splits one part of the time since the last report, @left, among @n details. The table has
 * each span that is over as a whole, even if some of it was reported while it was open. So
 * the detail with the most time gets only what the others leave.
 */
static void share_part(struct behind *b, size_t n, size_t part, __u64 *left)
{
	size_t i, most = 0;

	for (i = 1; i < n; i++)
		if (growth(&b[i], part) > growth(&b[most], part))
			most = i;
	for (i = 0; i < n; i++)
		if (i != most)
			take_share(&b[i], part, left);
	take_share(&b[most], part, left);
}

/* The detail that gets the time that the table does not have */
static __u64 rest_of(const struct detailing *d, __u32 index)
{
	const __u64 reason = (__u64)(index + 1) << DETAIL_INDEX_SHIFT;
	size_t other = find(d, reason | DETAIL_OTHER);

	if (d->open >> DETAIL_INDEX_SHIFT == index + 1 && d->pending != index + 1)
		return d->open;
	return other < d->nr && d->list[other].key == (reason | DETAIL_OTHER)
		       ? reason | DETAIL_OTHER
		       : reason;
}

/* Whether a report has anything else of a detail than what is kept for reasons only */
static bool is_told(const struct behind *b)
{
	return b->seen != b->reported || times__sum(b->times);
}

/* The detail that gets what is left: not one of which there is nothing else to tell */
static struct behind *keeper(struct detailing *d, __u32 index, __u64 rest, const struct times *left)
{
	struct behind *kept = &d->list[find(d, rest)], *b;
	size_t n;

	if (is_told(kept) || times__sum(left) || left->untimed)
		return kept;
	for (b = detailing__of(d, index, &n); n; n--, b++)
		if (is_told(b))
			return b;
	return kept;
}

int detailing__share(struct detailing *d, __u32 index, const struct times *times)
{
	const __u64 rest = rest_of(d, index);
	struct times left = *times;
	struct behind *b;
	size_t i, n;

	if (!get(d, rest))
		return -ENOMEM;
	b = detailing__of(d, index, &n);
	for (i = 0; i < n; i++)
		if (make_times(&b[i]))
			return -ENOMEM;
	for (i = 0; i < NR_PARTS; i++)
		share_part(b, n, i, &left.part[i]);
	times__add(keeper(d, index, rest, &left)->times, &left);
	return 0;
}
