// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "detailing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

void detailing__free(struct detailing *d)
{
	free(d->list);
}

/* Where a key is, or belongs */
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

int detailing__read(struct detailing *d, const struct details *table)
{
	int err = 0;
	size_t i;

	d->pending = __atomic_load_n(&table->pending, __ATOMIC_ACQUIRE) >> DETAIL_INDEX_SHIFT;
	for (i = 0; i < NR_DETAILS && !err; i++) {
		const struct detail_entry *e = &table->entries[i];
		__u64 key = __atomic_load_n(&e->key, __ATOMIC_ACQUIRE);

		if (key)
			err = see(d, key, &e->count);
	}
	for (i = 0; i < NR_CROWDED && !err; i++) {
		__u64 reason = __atomic_load_n(&table->reasons[i], __ATOMIC_ACQUIRE);

		if (!reason)
			break;
		err = see(d, reason << DETAIL_INDEX_SHIFT | DETAIL_OTHER, &table->crowded[i]);
	}
	return err;
}

void detailing__from_zero(struct detailing *d)
{
	size_t i;

	for (i = 0; i < d->nr; i++) {
		d->list[i].reported -= d->list[i].seen;
		d->list[i].seen = 0;
	}
	d->pending = 0;
}

struct behind *detailing__of(struct detailing *d, __u32 index, size_t *n)
{
	const __u64 reason = index + 1;
	size_t first = find(d, reason << DETAIL_INDEX_SHIFT);

	*n = find(d, (reason + 1) << DETAIL_INDEX_SHIFT) - first;
	return d->list + first;
}
