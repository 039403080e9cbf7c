// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Of --explain: VMs that were slow because they waited for a CPU, and what kept them from it */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "explain/chapters.h"
#include "lib/util.h"
#include "snapshot/times.h"

/* How many vCPU threads may use how many CPUs */
struct crowd {
	size_t mine, all; /* threads of the VM; of all VMs, that may use one of these CPUs */
	size_t cpus; /* 0: not known */
	char list[64];
};

static void count_crowd(struct explain *e, const struct vm *vm, struct crowd *crowd)
{
	const char *root = e->x.style.root;
	struct cpus cpus = { 0 };
	struct sample *threads;
	size_t i, nr;

	*crowd = (struct crowd){ 0 };
	threads = groups__all(e->threads, &nr);
	for (i = 0; i < nr; i++)
		if (threads[i].vm == vm)
			crowd->mine += cpus__add_allowed(&cpus, root, vm->pid, threads[i].tid);
	crowd->cpus = cpus__print(&cpus, crowd->list, sizeof(crowd->list));
	for (i = 0; i < nr; i++) {
		struct cpus other = { 0 };

		crowd->all += cpus__add_allowed(&other, root, threads[i].vm->pid, threads[i].tid) &&
			      cpus__overlap(&cpus, &other);
	}
}

static unsigned int share_of(const struct sample *row)
{
	return times__share(row->times, PART_WAIT);
}

/* Whether a quota explains a good part of the waiting */
static bool is_throttled(const struct cpu_group *g, const struct sample *row)
{
	return g && cpu_group__throttling(g).us * 1000.0 * 10 >= row->times->part[PART_WAIT];
}

static int add_advice(struct chapter *c, bool throttled)
{
	const struct advice *a;

	for (a = c->text->advice; a->condition; a++) {
		struct item *item;

		/* The first is about quotas, the others about sharing */
		if ((a == c->text->advice) != throttled)
			continue;
		item = chapter__add(c, TOPIC_ADVICE, a->condition, a->advice);
		if (!item)
			return -ENOMEM;
		item->price = a->price;
		snprintf(item->evidence, sizeof(item->evidence), "as here");
	}
	return 0;
}

/* What kept the VM from a CPU, in one sentence */
static void tell_cause(struct chapter *c, const struct sample *row, const struct cpu_group *g,
		       const struct crowd *crowd)
{
	const struct throttling t = g ? cpu_group__throttling(g) : (struct throttling){ 0 };
	const char *hardly = t.us ? "a quota did little of that" : "no quota held it up";
	unsigned int share = share_of(row);
	int n = snprintf(c->cause, sizeof(c->cause),
			 "%.64s (PID %u) waited for a CPU %u.%u %% of the time: ", row->vm->name,
			 row->vm->pid, share / 10, share % 10);

	if (is_throttled(g, row))
		snprintf(c->cause + n, sizeof(c->cause) - n,
			 "its CPU quota, %s, held it up for %llu.%llu s, %llu times", g->max,
			 t.us / 1000000, t.us / 100000 % 10, t.times);
	else if (crowd->cpus)
		snprintf(c->cause + n, sizeof(c->cause) - n,
			 "%s; its vCPU threads have %s (%s), which %zu vCPU threads may use",
			 hardly, plural(crowd->cpus, "CPU"), crowd->list, crowd->all);
	else
		snprintf(c->cause + n, sizeof(c->cause) - n, "%s", hardly);
}

static int add_vm(struct explain *e, struct chapter *c, const struct sample *row,
		  const struct crowd *crowd)
{
	char value[SETTING_SIZE];
	unsigned int share = share_of(row);
	int err;

	snprintf(value, sizeof(value), "%u.%u %% of the time of its vCPU threads", share / 10,
		 share % 10);
	err = chapter__add_vm(c, row->vm, "waited", value);
	if (!err && !cpu_limits__worst(&e->limits, row->vm->pid))
		err = chapter__add_vm(c, row->vm, "CPU quota", "none that is told");
	if (!err)
		err = chapter__add_cpu_limit(e, c, row->vm, true);
	if (!err)
		err = chapter__add_cpu_limit(e, c, row->vm, false);
	if (err || !crowd->cpus)
		return err;
	snprintf(value, sizeof(value), "%zu (%s) for %zu vCPU threads; of all VMs %zu may use them",
		 crowd->cpus, crowd->list, crowd->mine, crowd->all);
	return chapter__add_vm(c, row->vm, "CPUs", value);
}

/* The chapter of one VM */
static int add_chapter(struct explain *e, const struct sample *row)
{
	const struct cpu_group *g = cpu_limits__worst(&e->limits, row->vm->pid);
	struct explanation *x = &e->x;
	struct chapter *c;
	struct crowd crowd;
	int err;

	c = array_grow(x->chapters, &x->room, x->nr_chapters, sizeof(*c));
	if (!c)
		return -ENOMEM;
	x->chapters = c;
	c = &x->chapters[x->nr_chapters++];
	*c = (struct chapter){ .text = text__of_waiting(), .waiting = share_of(row) };
	count_crowd(e, row->vm, &crowd);
	tell_cause(c, row, g, &crowd);
	err = chapter__add_text(c);
	if (!err)
		err = add_vm(e, c, row, &crowd);
	return err ? err : add_advice(c, is_throttled(g, row));
}

static int most_waiting(const void *a, const void *b)
{
	const struct sample *x = a, *y = b;

	return share_of(x) != share_of(y) ? THREE_WAY(share_of(y), share_of(x))
					  : vm__compare(x->vm, y->vm);
}

int waiting__explain(struct explain *e)
{
	struct groups *vms = e->no_wait || !e->x.style.times ? NULL : groups__new(KEY_VM);
	struct rows rows = { 0 };
	struct sample *threads;
	size_t i, nr;
	int err;

	if (!vms)
		return e->no_wait || !e->x.style.times ? 0 : -ENOMEM;
	threads = groups__all(e->threads, &nr);
	err = groups__add(vms, threads, nr);
	if (!err)
		err = groups__sort(vms, &(struct view){ .keys = KEY_VM }, &rows);
	if (rows.nr)
		qsort(rows.rows, rows.nr, sizeof(*rows.rows), most_waiting);
	for (i = 0; i < rows.nr && i < MOST_VMS && !err; i++)
		if (share_of(&rows.rows[i]) >= TENTHS_OF_WAIT)
			err = add_chapter(e, &rows.rows[i]);
	groups__free(vms);
	return err;
}
