// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "explain/explain.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

/* The most VMs whose settings are shown with one text */
#define MOST_VMS 3

struct explain {
	struct explanation x;
	struct groups *sums; /* since the start, by reason */
	struct groups *tally; /* the same by VM and reason, for VMs that exist or just ended */
	__u64 total; /* exits, or ns in KVM and the VMM */
	struct vmstate *reader; /* NULL: there is none */
	struct state_layout layout;
	struct vm_states states; /* by PID */
	struct vmlist vms; /* without a run */
};

struct explain *explain__new(const struct explain_style *style)
{
	struct explain *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->x.style = *style;
	e->sums = groups__new(KEY_REASON);
	e->tally = groups__new(KEY_VM | KEY_REASON);
	if (e->sums && e->tally)
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
	vmstate__close(e->reader);
	vm_states__free(&e->states);
	vmlist__free(&e->vms);
	free(e);
}

/* ---- KVM's state of VMs ---- */

static bool has_state_of(const struct vm_states *states, __u32 pid)
{
	size_t i;

	for (i = 0; i < states->nr; i++)
		if (states->vms[i].pid == pid)
			return true;
	return false;
}

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
		if (!has_state_of(states, e->states.vms[i].pid))
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

int explain__count(struct explain *e, const struct snapshot *snap)
{
	size_t i;
	int err;

	for (i = 0; e->x.style.times && i < snap->nr_samples; i++)
		e->total += times__caused(snap->samples[i].times);
	e->total += e->x.style.times ? 0 : snap->exits;
	groups__drop(e->tally, snap->end - REMEMBERED);
	err = groups__add(e->sums, snap->samples, snap->nr_samples);
	return err ? err : groups__add(e->tally, snap->samples, snap->nr_samples);
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

/* ---- what is said of them ---- */

static struct item *add_item(struct chapter *c, enum topic topic, const char *name,
			     const char *text)
{
	struct item *grown = array_grow(c->items, &c->items_room, c->nr_items, sizeof(*grown));

	if (!grown)
		return NULL;
	c->items = grown;
	c->items[c->nr_items] =
		(struct item){ .topic = topic, .name = name, .price = "", .text = text };
	return &c->items[c->nr_items++];
}

/* Adds a setting: its name is a word of a text, which lives forever; its value is copied */
static int add_setting(struct chapter *c, const char *root, const char *word)
{
	char value[SETTING_SIZE], name[64];
	struct item *item;

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(word, " "), word);
	if (!settings__read(root, name, value, sizeof(value)))
		return 0;
	item = add_item(c, TOPIC_SETTING, word, NULL);
	if (item)
		snprintf(item->value, sizeof(item->value), "%s", value);
	return item ? 0 : -ENOMEM;
}

static int add_settings(struct explain *e, struct chapter *c)
{
	const char *p = c->text->settings;
	char word[64];
	int err = 0;

	while (!err && next_word(&p, word, sizeof(word)))
		err = add_setting(c, e->x.style.root, p - strlen(word));
	return err;
}

static int add_vm_item(struct chapter *c, const struct vm *vm, const char *label, const char *value)
{
	struct item *item = add_item(c, TOPIC_VM, label, NULL);

	if (!item)
		return -ENOMEM;
	item->pid = vm->pid;
	snprintf(item->vm, sizeof(item->vm), "%s", vm->name);
	snprintf(item->value, sizeof(item->value), "%s", value);
	return 0;
}

static int add_cpu_limit(struct explain *e, struct chapter *c, const struct vm *vm, bool max)
{
	struct cpu_limit limit;
	char value[SETTING_SIZE];

	settings__read_cpu_limit(e->x.style.root, vm->pid, &limit);
	if (!*limit.max)
		return 0;
	if (max)
		snprintf(value, sizeof(value), "%s in %.100s", limit.max, limit.group);
	else
		snprintf(value, sizeof(value), "%llu us, %llu times, since that group was made",
			 limit.throttled_us, limit.throttled);
	return add_vm_item(c, vm, max ? "CPU quota" : "held up by it", value);
}

/* Adds what one word in the settings of a text means for a VM; this may be several items */
static int add_vm_setting(struct explain *e, struct chapter *c, const struct vm *vm,
			  const char *word)
{
	char value[SETTING_SIZE];
	size_t i;
	int err = 0;

	if (!strcmp(word, "vm.cpu_max") || !strcmp(word, "vm.throttled"))
		return add_cpu_limit(e, c, vm, !strcmp(word, "vm.cpu_max"));
	for (i = 0; i < e->states.nr && !err; i++) {
		const char *label;

		if (e->states.vms[i].pid != vm->pid)
			continue;
		label = vm_state__tell(&e->layout, &e->states.vms[i], word, value, sizeof(value));
		if (label)
			err = add_vm_item(c, vm, label, value);
	}
	return err;
}

static bool is_about_vms(const struct text *text)
{
	return text->settings && strstr(text->settings, "vm.");
}

static int add_vm(struct explain *e, struct chapter *c, const struct vm *vm)
{
	const char *p = c->text->settings;
	char word[64];
	int err = 0;

	if (!*e->x.note && !has_state_of(&e->states, vm->pid))
		return add_vm_item(c, vm, "KVM's state",
				   "not read: it came after kvmexit, and has gone");
	while (!err && next_word(&p, word, sizeof(word)))
		err = add_vm_setting(e, c, vm, word);
	return err;
}

static bool has_reason(const struct chapter *c, const struct sample *s)
{
	size_t i;

	for (i = 0; i < c->nr_reasons; i++)
		if (c->reasons[i].isa == s->isa && c->reasons[i].code == s->code)
			return true;
	return false;
}

/* Adds a sample with those parts of its time only by which VMs are chosen */
static int add_caused(struct groups *sums, const struct sample *s)
{
	struct times caused = { 0 };
	struct sample copy = *s;

	if (s->times) {
		caused.part[PART_KVM] = s->times->part[PART_KVM];
		caused.part[PART_USER] = s->times->part[PART_USER];
		copy.times = &caused;
	}
	return groups__add(sums, &copy, 1);
}

/* The VMs that have most of a chapter's exits */
static int add_counted_vms(struct explain *e, struct chapter *c)
{
	const struct view by_vm = { .keys = KEY_VM, .top = MOST_VMS };
	struct groups *sums = groups__new(KEY_VM);
	struct sample *all;
	struct rows rows = { 0 };
	size_t i, nr;
	int err = sums ? 0 : -ENOMEM;

	all = groups__all(e->tally, &nr);
	for (i = 0; i < nr && !err; i++)
		if (has_reason(c, &all[i]))
			err = add_caused(sums, &all[i]);
	if (!err)
		err = groups__sort(sums, &by_vm, &rows);
	for (i = 0; i < rows.nr && !err; i++)
		err = add_vm(e, c, rows.rows[i].vm);
	c->vms_left_out = rows.cut;
	groups__free(sums);
	return err;
}

static int add_listed_vms(struct explain *e, struct chapter *c)
{
	size_t i, n = 0;
	int err = 0;

	for (i = 0; i < e->vms.nr_vms && !err; i++) {
		if (e->x.style.pid && e->vms.vms[i].vm.pid != e->x.style.pid)
			continue;
		if (n++ < MOST_VMS)
			err = add_vm(e, c, &e->vms.vms[i].vm);
	}
	c->vms_left_out = n > MOST_VMS ? n - MOST_VMS : 0;
	return err;
}

static int add_text(struct chapter *c)
{
	const struct text *t = c->text;

	return add_item(c, TOPIC_WHAT, "", t->what) && add_item(c, TOPIC_CAUSES, "", t->causes) &&
			       add_item(c, TOPIC_COST, "", t->cost)
		       ? 0
		       : -ENOMEM;
}

static int add_advice(struct chapter *c)
{
	const struct advice *a;

	for (a = c->text->advice; a->condition; a++) {
		struct item *item = add_item(c, TOPIC_ADVICE, a->condition, a->advice);

		if (!item)
			return -ENOMEM;
		item->price = a->price;
	}
	return 0;
}

static int fill_chapter(struct explain *e, struct chapter *c)
{
	int err = add_text(c);

	if (!err)
		err = add_settings(e, c);
	if (!err && is_about_vms(c->text))
		err = e->x.style.run ? add_counted_vms(e, c) : add_listed_vms(e, c);
	return err ? err : add_advice(c);
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
	size_t i;
	int err = 0;

	forget_chapters(x);
	if (e->reader && x->style.run)
		err = read_states(e);
	/* If this fails, the state from the beginning is better than nothing */
	err = err == -ENOMEM ? err : 0;
	if (!x->style.run && !err)
		err = vmlist__read(&e->vms) == -ENOMEM ? -ENOMEM : 0;
	if (!err)
		err = x->style.run ? add_counted(e) : add_known(e, true);
	if (!err && !x->style.run)
		err = add_known(e, false);
	if (x->style.run && x->nr_chapters)
		qsort(x->chapters, x->nr_chapters, sizeof(*x->chapters), compare_chapters);
	for (i = 0; i < x->nr_chapters && !err; i++)
		err = fill_chapter(e, &x->chapters[i]);
	return err ? NULL : x;
}
