// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "explain/explain.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "explain/chapters.h"
#include "kvmexit.h"
#include "lib/privileges.h"
#include "lib/util.h"
#include "names/reason_filter.h"
#include "names/reasons.h"
#include "rows/groups.h"
#include "snapshot/times.h"
#include "vm/vmlist.h"

/* How long VMs that have ended are still explained, ns */
#define REMEMBERED (600 * NSEC_PER_SEC)

struct explain *explain__new(const struct explain_style *style)
{
	struct explain *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->x.style = *style;
	e->sums = groups__new(KEY_REASON);
	e->tally = groups__new(KEY_VM | KEY_REASON);
	e->threads = groups__new(KEY_VM | KEY_THREAD);
	e->evidence = calloc(texts_count, sizeof(*e->evidence));
	e->limits.root = style->root;
	if (e->evidence && e->sums && e->tally && e->threads)
		return e;
	explain__free(e);
	return NULL;
}

static void forget_chapters(struct explanation *x)
{
	size_t i;

	for (i = 0; i < x->nr_chapters; i++) {
		free(x->chapters[i].reasons);
		free(x->chapters[i].items);
	}
	free(x->chapters);
	x->chapters = NULL;
	x->nr_chapters = x->room = 0;
}

void explain__free(struct explain *e)
{
	if (!e)
		return;
	forget_chapters(&e->x);
	groups__free(e->sums);
	groups__free(e->tally);
	groups__free(e->threads);
	free(e->evidence);
	cpu_limits__free(&e->limits);
	vmstate__close(e->reader);
	vm_states__free(&e->states);
	vmlist__free(&e->vms);
	free(e);
}

/* ---- KVM's state of VMs ---- */

static int add_state(struct vm_states *states, const struct vm_state *state)
{
	struct vm_state *grown = array_grow(states->vms, &states->room, states->nr, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	states->vms = grown;
	states->vms[states->nr++] = *state;
	return 0;
}

void explain__cannot_learn(struct explain *e, const char *why)
{
	snprintf(e->x.note, sizeof(e->x.note), "KVM's state of the VMs was not read: %s", why);
}

int explain__learn(struct explain *e, const struct state_layout *layout,
		   const struct vm_states *states)
{
	struct vm_states both = { 0 };
	size_t i;
	int err = 0;

	e->layout = *layout;
	/* Keeps the old state of VMs that have ended meanwhile */
	for (i = 0; i < e->states.nr && !err; i++)
		if (!vm_states__have(states, e->states.vms[i].pid))
			err = add_state(&both, &e->states.vms[i]);
	for (i = 0; i < states->nr && !err; i++)
		err = add_state(&both, &states->vms[i]);
	vm_states__free(&e->states);
	e->states = both;
	return err;
}

/* Why the state was not read: what failed, and the privilege that would help */
static const char *why_unread(const char *what, int err, char *text, size_t size)
{
	const char *missing = privileges__missing_to_probe();

	if ((err == -EPERM || err == -EACCES) && missing)
		snprintf(text, size, "%s: %s; missing %s (root has all)", what, strerror(-err),
			 missing);
	else if (privileges__locked_down())
		snprintf(text, size, "%s: %s: kernel lockdown (confidentiality) forbids it", what,
			 strerror(-err));
	else
		snprintf(text, size, "%s: %s", what, strerror(-err));
	return text;
}

static int read_states(struct explain *e)
{
	struct vm_states states;
	int err = vmstate__read(e->reader, &states);

	if (!err)
		err = explain__learn(e, vmstate__layout(e->reader), &states);
	vm_states__free(&states);
	return err;
}

void explain__open(struct explain *e)
{
	const char *what = "";
	char text[256];
	int err = vmstate__open(&e->reader, &what);

	if (!err) {
		what = "reading open files";
		err = read_states(e);
	}
	if (err)
		explain__cannot_learn(e, why_unread(what, err, text, sizeof(text)));
}

int explain__begin(struct explain *e)
{
	size_t i;
	int err = 0;

	for (i = 0; i < e->states.nr && !err; i++)
		err = cpu_limits__meet(&e->limits, e->states.vms[i].pid, false);
	return err;
}

size_t explain__fds(const struct explain *e, int *fds)
{
	if (!e || !e->reader)
		return 0;
	memcpy(fds, vmstate__fds(e->reader), STATE_READS * sizeof(*fds));
	return STATE_READS;
}

/* ---- which reasons ---- */

static __u64 weight_of(const struct explain_style *style, const struct sample *s)
{
	return style->times ? times__caused(s->times) : s->count;
}

/* Of VMs that came during the run, and anew of all, as their groups go when they end */
static int look_at_limits(struct explain *e, const struct snapshot *snap)
{
	size_t i;
	int err = 0;

	for (i = 0; i < snap->nr_samples && !err; i++)
		if ((!i || snap->samples[i].vm != snap->samples[i - 1].vm) &&
		    !cpu_limits__knows(&e->limits, snap->samples[i].vm->pid))
			err = cpu_limits__meet(&e->limits, snap->samples[i].vm->pid, true);
	cpu_limits__read(&e->limits);
	return err;
}

int explain__count(struct explain *e, const struct snapshot *snap)
{
	size_t i;
	int err;

	for (i = 0; e->x.style.times && i < snap->nr_samples; i++)
		e->total += times__caused(snap->samples[i].times);
	for (i = 0; i < snap->nr_samples; i++)
		evidence__add(e, &snap->samples[i]);
	e->total += e->x.style.times ? 0 : snap->exits;
	groups__drop(e->tally, snap->end - REMEMBERED);
	groups__drop(e->threads, snap->end - REMEMBERED);
	e->no_wait |= snap->untold & 1u << PART_WAIT;
	err = groups__add(e->sums, snap->samples, snap->nr_samples);
	if (!err)
		err = groups__add(e->tally, snap->samples, snap->nr_samples);
	if (!err)
		err = groups__add(e->threads, snap->threads, snap->nr_threads);
	return err ? err : look_at_limits(e, snap);
}

/* The chapter of @text, which is made if need be; NULL: no memory */
static struct chapter *chapter_of(struct explanation *x, const struct text *text)
{
	struct chapter *grown;
	size_t i;

	for (i = 0; i < x->nr_chapters; i++)
		if (x->chapters[i].text == text)
			return &x->chapters[i];
	grown = array_grow(x->chapters, &x->room, x->nr_chapters, sizeof(*grown));
	if (!grown)
		return NULL;
	x->chapters = grown;
	x->chapters[x->nr_chapters] = (struct chapter){ .text = text };
	return &x->chapters[x->nr_chapters++];
}

static int add_reason(struct explanation *x, __u32 isa, __u32 code, __u64 weight, __u64 total)
{
	const struct reason *known = reason__find(isa, code);
	char buf[REASON_NAME_MAX];
	const char *name = reason__name(isa, code, buf, sizeof(buf));
	struct chapter *c = chapter_of(x, text__of(isa, name));
	struct explained *grown =
		c ? array_grow(c->reasons, &c->reasons_room, c->nr_reasons, sizeof(*grown)) : NULL;

	if (!grown)
		return -ENOMEM;
	c->reasons = grown;
	c->weight += weight;
	grown = &c->reasons[c->nr_reasons++];
	*grown = (struct explained){
		.isa = isa,
		.code = code,
		.meaning = known ? known->meaning : "",
		.weight = weight,
		.tenths = total ? weight * 1000.0 / total + 0.5 : 0,
	};
	snprintf(grown->name, sizeof(grown->name), "%s", name);
	return 0;
}

static bool is_wanted(const struct explain_style *style, __u32 isa, __u32 code)
{
	return !style->reasons || filter__keeps(style->reasons, isa, code);
}

/* Without a run: adds all reasons of this host's CPU (@own), or all others */
static int add_known(struct explain *e, bool own)
{
	size_t i;
	int err = 0;

	for (i = 0; i < reasons_count && !err; i++)
		if ((reasons[i].isa == e->x.style.isa) == own &&
		    is_wanted(&e->x.style, reasons[i].isa, reasons[i].code))
			err = add_reason(&e->x, reasons[i].isa, reasons[i].code, 0, 0);
	return err;
}

/* Adds the counted reasons that matter */
static int add_counted(struct explain *e)
{
	const struct view view = { .keys = KEY_REASON };
	struct rows rows;
	size_t i;
	int err = groups__sort(e->sums, &view, &rows);

	for (i = 0; !err && i < rows.nr; i++) {
		const struct sample *s = &rows.rows[i];
		__u64 weight = weight_of(&e->x.style, s);

		if (is_wanted(&e->x.style, s->isa, s->code) && weight &&
		    weight * 1000.0 >= (double)e->total * TENTHS_THAT_MATTER)
			err = add_reason(&e->x, s->isa, s->code, weight, e->total);
	}
	return err;
}

static int compare_chapters(const void *a, const void *b)
{
	const struct chapter *x = a, *y = b;

	return x->weight != y->weight ? THREE_WAY(y->weight, x->weight)
				      : THREE_WAY(x->text, y->text);
}

const struct explanation *explain__finish(struct explain *e)
{
	struct explanation *x = &e->x;
	size_t i, waiting = 0;
	int err = 0;

	forget_chapters(x);
	if (e->reader && x->style.run)
		err = read_states(e);
	/* If this fails, the state from the beginning is better than nothing */
	err = err == -ENOMEM ? err : 0;
	if (!x->style.run && !err)
		err = vmlist__read(&e->vms) == -ENOMEM ? -ENOMEM : 0;
	for (i = 0; i < e->vms.nr_vms && !err; i++)
		err = cpu_limits__meet(&e->limits, e->vms.vms[i].vm.pid, true);
	if (!err)
		err = waiting__explain(e);
	waiting = x->nr_chapters;
	if (!err)
		err = x->style.run ? add_counted(e) : add_known(e, true);
	if (!err && !x->style.run)
		err = add_known(e, false);
	if (x->style.run && x->nr_chapters > waiting)
		qsort(x->chapters + waiting, x->nr_chapters - waiting, sizeof(*x->chapters),
		      compare_chapters);
	for (i = waiting; i < x->nr_chapters && !err; i++)
		err = chapter__fill(e, &x->chapters[i]);
	return err ? NULL : x;
}
