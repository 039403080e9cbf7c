// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "explain/chapters.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/utf8.h"
#include "lib/util.h"

struct item *chapter__add(struct chapter *c, enum topic topic, const char *name, const char *text)
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
	item = chapter__add(c, TOPIC_SETTING, word, NULL);
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

int chapter__add_vm(struct chapter *c, const struct vm *vm, const char *label, const char *value)
{
	struct item *item = chapter__add(c, TOPIC_VM, label, NULL);

	if (!item)
		return -ENOMEM;
	item->pid = vm->pid;
	snprintf(item->vm, sizeof(item->vm), "%s", vm->name);
	snprintf(item->value, sizeof(item->value), "%s", value);
	return 0;
}

/* What its CPU quota did */
static void tell_throttling(const struct cpu_group *g, char *out, size_t size)
{
	struct throttling t = cpu_group__throttling(g);

	if (t.us || t.times)
		snprintf(out, size, "for %llu.%03llu s, %llu times, %s", t.us / 1000000,
			 t.us / 1000 % 1000, t.times,
			 g->late ? "since that group was made" : "during this run");
	else
		snprintf(out, size, "%s", g->late ? "never" : "not during this run");
}

int chapter__add_cpu_limit(struct explain *e, struct chapter *c, const struct vm *vm, bool max)
{
	const struct cpu_group *g = cpu_limits__worst(&e->limits, vm->pid);
	char value[SETTING_SIZE], path[256];

	if (!g)
		return 0;
	utf8__clean(path, sizeof(path), g->path, strlen(g->path), 200);
	if (max)
		snprintf(value, sizeof(value), "%s in %.240s", g->max, path);
	else
		tell_throttling(g, value, sizeof(value));
	return chapter__add_vm(c, vm, max ? "CPU quota" : "held up by it", value);
}

/* Adds what one word in the settings of a text means for a VM; this may be several items */
static int add_vm_setting(struct explain *e, struct chapter *c, const struct vm *vm,
			  const char *word)
{
	char value[SETTING_SIZE];
	size_t i;
	int err = 0;

	if (!strcmp(word, "vm.cpu_max") || !strcmp(word, "vm.throttled"))
		return chapter__add_cpu_limit(e, c, vm, !strcmp(word, "vm.cpu_max"));
	for (i = 0; i < e->states.nr && !err; i++) {
		const char *label;

		if (e->states.vms[i].pid != vm->pid)
			continue;
		label = vm_state__tell(&e->layout, &e->states.vms[i], word, value, sizeof(value));
		if (label)
			err = chapter__add_vm(c, vm, label, value);
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

	if (!*e->x.note && !vm_states__have(&e->states, vm->pid))
		return chapter__add_vm(c, vm, "KVM's state",
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
static int add_counted_vms(struct explain *e, struct chapter *c, const struct vm **most)
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
	for (i = 0; i < rows.nr && !err && is_about_vms(c->text); i++)
		err = add_vm(e, c, rows.rows[i].vm);
	c->vms_left_out = is_about_vms(c->text) ? rows.cut : 0;
	if (rows.nr)
		*most = rows.rows[0].vm;
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

int chapter__add_text(struct chapter *c)
{
	const struct text *t = c->text;

	return chapter__add(c, TOPIC_WHAT, "", t->what) &&
			       chapter__add(c, TOPIC_CAUSES, "", t->causes) &&
			       chapter__add(c, TOPIC_COST, "", t->cost)
		       ? 0
		       : -ENOMEM;
}

int chapter__fill(struct explain *e, struct chapter *c)
{
	const struct vm *most = NULL;
	int err = chapter__add_text(c);

	if (!err)
		err = add_settings(e, c);
	if (!err && e->x.style.run)
		err = add_counted_vms(e, c, &most);
	else if (!err && is_about_vms(c->text))
		err = add_listed_vms(e, c);
	return err ? err : evidence__advise(e, c, most);
}
