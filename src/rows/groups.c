// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "rows/groups.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/util.h"
#include "names/details.h"
#include "rows/fields.h"
#include "vm/vm.h"

struct groups {
	unsigned int keys;
	bool counts; /* only counts, no times */
	struct sample *rows; /* row i has times[i], if there are times */
	struct times *times;
	size_t times_room;
	struct times rest_times;
	size_t nr;
	size_t room;
	__u32 *index; /* hash table of 1 + the row's number; 0: free */
	size_t size; /* of it: a power of two, more than twice the rows; or 0 */
	struct sample *sorted;
	size_t sorted_room;
};

struct groups *groups__new(unsigned int keys)
{
	struct groups *g = calloc(1, sizeof(*g));

	if (g)
		g->keys = keys;
	return g;
}

void groups__count_only(struct groups *g)
{
	g->counts = true;
}

static void drop_row(const struct sample *row)
{
	if (row->vm)
		vm__unref(row->vm);
}

static void clear_index(struct groups *g)
{
	if (g->size)
		memset(g->index, 0, g->size * sizeof(*g->index));
}

void groups__clear(struct groups *g)
{
	size_t i;

	for (i = 0; i < g->nr; i++)
		drop_row(&g->rows[i]);
	g->nr = 0;
	clear_index(g);
}

void groups__free(struct groups *g)
{
	if (!g)
		return;
	groups__clear(g);
	free(g->rows);
	free(g->times);
	free(g->index);
	free(g->sorted);
	free(g);
}

static size_t hash(const struct sample *s)
{
	__u64 h = (size_t)s->vm / 16;

	h = (h ^ s->tid) * 0x9e3779b97f4a7c15ull;
	h = (h ^ h >> 32 ^ s->vcpu) * 0x9e3779b97f4a7c15ull;
	h = (h ^ h >> 32 ^ s->code ^ (__u64)s->isa << 32) * 0x9e3779b97f4a7c15ull;
	h = (h ^ h >> 32 ^ s->detail) * 0x9e3779b97f4a7c15ull;
	return h ^ h >> 32;
}

static bool is_same(const struct sample *a, const struct sample *b)
{
	return a->vm == b->vm && a->tid == b->tid && a->vcpu == b->vcpu && a->isa == b->isa &&
	       a->code == b->code && a->detail == b->detail;
}

/* The place of @row in the index, or where it belongs */
static __u32 *find(const struct groups *g, const struct sample *row)
{
	size_t i = hash(row) & (g->size - 1);

	while (g->index[i] && !is_same(&g->rows[g->index[i] - 1], row))
		i = (i + 1) & (g->size - 1);
	return &g->index[i];
}

static void fill_index(struct groups *g)
{
	size_t i;

	clear_index(g);
	for (i = 0; i < g->nr; i++)
		*find(g, &g->rows[i]) = i + 1;
}

static int grow_index(struct groups *g)
{
	size_t size = g->size ? 2 * g->size : 64;
	__u32 *index = calloc(size, sizeof(*index));

	if (!index)
		return -ENOMEM;
	free(g->index);
	g->index = index;
	g->size = size;
	fill_index(g);
	return 0;
}

/* Makes room for the times of one more row */
static struct times *add_times(struct groups *g)
{
	struct times *grown = array_grow(g->times, &g->times_room, g->nr, sizeof(*grown));

	if (!grown)
		return NULL;
	g->times = grown;
	grown[g->nr] = (struct times){ 0 };
	return grown;
}

static struct sample *add_row(struct groups *g, const struct sample *key)
{
	struct sample *grown;

	if (2 * (g->nr + 1) > g->size && grow_index(g))
		return NULL;
	grown = array_grow(g->rows, &g->room, g->nr, sizeof(*grown));
	if (!grown)
		return NULL;
	g->rows = grown;
	if (key->times && !add_times(g))
		return NULL;
	g->rows[g->nr] = *key;
	if (key->vm)
		vm__ref(key->vm);
	*find(g, key) = g->nr + 1;
	return &g->rows[g->nr++];
}

void groups__drop(struct groups *g, __u64 time)
{
	size_t i, left = 0;

	for (i = 0; i < g->nr; i++) {
		const struct vm *vm = g->rows[i].vm;

		if (vm && vm->ended && vm->ended <= time) {
			drop_row(&g->rows[i]);
			continue;
		}
		if (g->rows[i].times)
			g->times[left] = g->times[i];
		g->rows[left++] = g->rows[i];
	}
	if (left == g->nr)
		return;
	g->nr = left;
	fill_index(g);
}

/* A guest can make as many details as it likes; this many rows may be there without exits */
#define MOST_IDLE 16384

static bool is_idle_detail(const struct sample *row)
{
	enum detail_kind kind = detail__kind(row->detail);

	return !row->count && kind != DETAIL_UNKNOWN && kind != DETAIL_SPECIAL;
}

/* Adds the totals of details that were not seen in the last interval to `other` */
static void give_up_idle(struct groups *g)
{
	const size_t before = g->nr;
	size_t i;

	g->nr = 0;
	clear_index(g);
	for (i = 0; i < before; i++) {
		struct sample one = g->rows[i], *row;
		__u32 *at;

		if (is_idle_detail(&one))
			one.detail = DETAIL_OTHER;
		at = find(g, &one);
		if (*at) {
			row = &g->rows[*at - 1];
			row->total += one.total;
			row->count += one.count;
			drop_row(&one);
			continue;
		}
		if (one.times)
			g->times[g->nr] = g->times[i];
		g->rows[g->nr] = one;
		*at = ++g->nr;
	}
}

static void bound_details(struct groups *g)
{
	size_t i, idle = 0;

	if (!(g->keys & KEY_DETAIL) || g->nr <= MOST_IDLE)
		return;
	for (i = 0; i < g->nr; i++)
		idle += is_idle_detail(&g->rows[i]);
	if (idle > MOST_IDLE)
		give_up_idle(g);
}

void groups__next(struct groups *g)
{
	size_t i;

	groups__drop(g, ~0ull);
	bound_details(g);
	for (i = 0; i < g->nr; i++) {
		g->rows[i].count = 0;
		if (g->rows[i].times)
			g->times[i] = (struct times){ 0 };
	}
}

/* Adds an interval's measures to a row */
static void add(struct sample *row, struct times *times, const struct sample *s)
{
	row->count += s->count;
	if (times && s->times)
		times__add(times, s->times);
}

/* A sample with only the keys that tell its row apart */
static struct sample key_of(const struct groups *g, const struct sample *s)
{
	return (struct sample){
		.vm = g->keys & KEY_VM ? s->vm : NULL,
		.tid = g->keys & KEY_THREAD ? s->tid : 0,
		.vcpu = g->keys & KEY_VCPU ? s->vcpu : 0,
		.isa = g->keys & KEY_REASON ? s->isa : 0,
		.code = g->keys & KEY_REASON ? s->code : 0,
		.detail = g->keys & KEY_DETAIL ? s->detail : 0,
		.times = g->counts ? NULL : s->times,
	};
}

/* The row of @key, or NULL */
static struct sample *get_row(const struct groups *g, const struct sample *key)
{
	__u32 at = g->size ? *find(g, key) : 0;

	return at ? &g->rows[at - 1] : NULL;
}

const struct sample *groups__row(const struct groups *g, const struct sample *sample)
{
	const struct sample key = key_of(g, sample);

	return get_row(g, &key);
}

int groups__add(struct groups *g, const struct sample *samples, size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++) {
		const struct sample *s = &samples[i], key = key_of(g, s);
		struct sample *row = get_row(g, &key);

		if (!row)
			row = add_row(g, &key);
		if (!row)
			return -ENOMEM;
		add(row, key.times ? &g->times[row - g->rows] : NULL, s);
		row->total += s->count;
	}
	return 0;
}

int groups__compare_keys(const struct sample *x, const struct sample *y)
{
	int order = vm__compare(x->vm, y->vm);

	if (!order)
		order = THREE_WAY(x->tid, y->tid);
	return order ? order : THREE_WAY(x->vcpu, y->vcpu);
}

static int compare_reasons(const struct sample *x, const struct sample *y)
{
	int order = THREE_WAY(x->isa, y->isa);

	if (!order)
		order = THREE_WAY(x->code, y->code);
	return order ? order : THREE_WAY(x->detail, y->detail);
}

/* Compares by time without guest and idle, if known, then by exits; most first */
static int compare_weights(const struct sample *x, const struct sample *y)
{
	int order = 0;

	if (x->times && y->times)
		order = THREE_WAY(times__service(y->times), times__service(x->times));
	return order ? order : THREE_WAY(y->count, x->count);
}

/* Compares by one measure, highest first; rows without a value come last */
static int compare_measures(const struct measure_kind *by, const struct sample *x,
			    const struct sample *y)
{
	/* The order of rates and shares is the same for any length of time */
	static const struct snapshot any = { .duration = NSEC_PER_SEC, .service = 1000 };
	/* NO_VALUE becomes 0 */
	__u64 a = by->value(x, &any) + 1, b = by->value(y, &any) + 1;

	return THREE_WAY(b, a);
}

static int by_measure(const void *a, const void *b, void *by)
{
	int order = compare_measures(by, a, b);

	if (!order)
		order = compare_weights(a, b);
	if (!order)
		order = groups__compare_keys(a, b);
	return order ? order : compare_reasons(a, b);
}

static int by_key(const void *a, const void *b)
{
	int order = groups__compare_keys(a, b);

	if (!order)
		order = compare_weights(a, b);
	return order ? order : compare_reasons(a, b);
}

static int by_weight(const void *a, const void *b)
{
	int order = compare_weights(a, b);

	if (!order)
		order = groups__compare_keys(a, b);
	return order ? order : compare_reasons(a, b);
}

/* Whether there is anything to report of a row in this interval */
static bool is_told(const struct sample *row)
{
	return row->count || (row->times && (times__sum(row->times) || row->times->untimed));
}

struct sample *groups__all(struct groups *g, size_t *nr)
{
	size_t i;

	for (i = 0; i < g->nr; i++)
		if (g->rows[i].times)
			g->rows[i].times = &g->times[i];
	*nr = g->nr;
	return g->rows;
}

static void sort(struct sample *rows, size_t nr, const struct measure_kind *by,
		 int (*otherwise)(const void *a, const void *b))
{
	if (nr && by)
		qsort_r(rows, nr, sizeof(*rows), by_measure, (void *)by);
	else if (nr)
		qsort(rows, nr, sizeof(*rows), otherwise);
}

int groups__sort(struct groups *g, const struct view *view, struct rows *rows)
{
	struct sample *sorted = g->sorted, *all;
	size_t i, n = 0;

	if (g->nr > g->sorted_room) {
		sorted = reallocarray(sorted, g->room, sizeof(*sorted));
		if (!sorted)
			return -ENOMEM;
		g->sorted = sorted;
		g->sorted_room = g->room;
	}
	all = groups__all(g, &i);
	for (i = 0; i < g->nr; i++)
		if (is_told(&all[i]))
			sorted[n++] = all[i];
	g->rest_times = (struct times){ 0 };
	*rows = (struct rows){ .rows = sorted, .nr = n, .rest.times = &g->rest_times };
	if (view->top && n > view->top) {
		sort(sorted, n, view->by, by_weight);
		rows->nr = view->top;
		rows->cut = n - view->top;
		for (i = view->top; i < n; i++)
			add(&rows->rest, &g->rest_times, &sorted[i]);
	}
	sort(sorted, rows->nr, view->by, view->by_key ? by_key : by_weight);
	return 0;
}
