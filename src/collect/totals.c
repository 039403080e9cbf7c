// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "collect/totals.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kvmexit.h"
#include "lib/util.h"
#include "names/details.h"

void totals__free(struct totals *t)
{
	free(t->list);
	free(t->index);
}

static size_t hash(__u32 isa, __u32 code, __u64 detail)
{
	__u64 h = (code ^ (__u64)isa << 32) * 0x9e3779b97f4a7c15ull;

	h = (h ^ h >> 32 ^ detail) * 0x9e3779b97f4a7c15ull;
	return h ^ h >> 32;
}

/* The place in the index of a total, or where it belongs */
static __u32 *find(const struct totals *t, __u32 isa, __u32 code, __u64 detail)
{
	size_t i = hash(isa, code, detail) & (t->size - 1);

	for (; t->index[i]; i = (i + 1) & (t->size - 1)) {
		const struct total *found = &t->list[t->index[i] - 1];

		if (found->detail == detail && found->code == code && found->isa == isa)
			break;
	}
	return &t->index[i];
}

static int grow_index(struct totals *t)
{
	size_t size = t->size ? 2 * t->size : 32, i;
	__u32 *index = calloc(size, sizeof(*index));

	if (!index)
		return -ENOMEM;
	free(t->index);
	t->index = index;
	t->size = size;
	for (i = 0; i < t->nr; i++)
		*find(t, t->list[i].isa, t->list[i].code, t->list[i].detail) = i + 1;
	return 0;
}

static struct total *get(struct totals *t, __u32 isa, __u32 code, __u64 detail)
{
	struct total *grown;
	__u32 *at;

	if (2 * (t->nr + 1) > t->size && grow_index(t))
		return NULL;
	at = find(t, isa, code, detail);
	if (*at)
		return &t->list[*at - 1];
	grown = array_grow(t->list, &t->room, t->nr, sizeof(*grown));
	if (!grown)
		return NULL;
	t->list = grown;
	grown[t->nr] = (struct total){ .isa = isa, .code = code, .detail = detail };
	*at = ++t->nr;
	return &grown[t->nr - 1];
}

static int last_first(const void *a, const void *b)
{
	const struct total *x = a, *y = b;
	int order = THREE_WAY(y->report, x->report);

	return order ? order : THREE_WAY(y->count, x->count);
}

/* Gives up the older half of all details. The list does not grow: it has room for all. */
static int give_up(struct totals *t)
{
	const size_t before = t->nr, keep = MOST_TOTALS / 2;
	size_t i;

	qsort(t->list, t->nr, sizeof(*t->list), last_first);
	t->nr = 0;
	memset(t->index, 0, t->size * sizeof(*t->index));
	for (i = 0; i < before; i++) {
		struct total one = t->list[i], *total;
		enum detail_kind kind = detail__kind(one.detail);

		if (i >= keep && kind != DETAIL_UNKNOWN && kind != DETAIL_SPECIAL)
			one.detail = DETAIL_OTHER;
		total = get(t, one.isa, one.code, one.detail);
		if (!total)
			return -ENOMEM;
		total->count += one.count;
		if (total->report < one.report)
			total->report = one.report;
	}
	return 0;
}

struct total *totals__get(struct totals *t, __u64 report, __u32 isa, __u32 code, __u64 detail)
{
	struct total *total;

	if (t->report != report && t->nr >= MOST_TOTALS && give_up(t))
		return NULL;
	t->report = report;
	total = get(t, isa, code, detail);
	if (total)
		total->report = report;
	return total;
}
