// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Of --explain: what was counted decides which advice holds */
#include <errno.h>
#include <fnmatch.h>
#include <string.h>

#include "explain/chapters.h"
#include "lib/util.h"
#include "names/details.h"
#include "names/reasons.h"
#include "snapshot/times.h"

/* Advice holds if what it is about makes up so much of a text's exits; tenths of a per cent */
#define ENOUGH 200
/* Of the VMM's part, as some of it is in all that goes to the VMM */
#define ENOUGH_OF_USER 500

bool advice__is_of_user(const struct advice *a)
{
	return a->of && !strcmp(a->of, "user");
}

/* Whether one of the patterns in @of, separated by |, fits "KIND:NAME" */
bool advice__is_about(const struct advice *a, const char *subject)
{
	const char *p;
	char pattern[64];

	for (p = a->of; p && *p; p += strcspn(p, "|"), p += *p == '|') {
		snprintf(pattern, sizeof(pattern), "%.*s", (int)strcspn(p, "|"), p);
		if (!fnmatch(pattern, subject, 0))
			return true;
	}
	return false;
}

static void add_detail(struct evidence *ev, const struct text *t, const struct sample *s,
		       __u64 weight)
{
	char text[DETAIL_TEXT_MAX], subject[DETAIL_TEXT_MAX + DETAIL_NAME_MAX];
	const char *name = detail__name(s->isa, s->detail), *of = NULL;
	size_t i;

	detail__text(s->isa, s->code, s->detail, text, sizeof(text));
	snprintf(subject, sizeof(subject), "%.*s:%s", (int)strcspn(text, " "), text, name);
	ev->details += weight;
	for (i = 0; t->advice[i].condition; i++) {
		/* The first that fits, and all others that are about the same */
		if (of ? !t->advice[i].of || strcmp(of, t->advice[i].of) != 0
		       : !advice__is_about(&t->advice[i], subject))
			continue;
		of = t->advice[i].of;
		ev->weight[i] += weight;
		if (weight <= ev->top[i])
			continue;
		ev->top[i] = weight;
		snprintf(ev->example[i], sizeof(ev->example[i]), "%s%s%s", text, *name ? " " : "",
			 name);
	}
}

void evidence__add(struct explain *e, const struct sample *s)
{
	__u64 weight = e->x.style.times ? times__caused(s->times) : s->count;
	char buf[REASON_NAME_MAX];
	const struct text *t = text__of(s->isa, reason__name(s->isa, s->code, buf, sizeof(buf)));
	struct evidence *ev = &e->evidence[t - texts];

	ev->all += weight;
	ev->user += s->times ? s->times->part[PART_USER] : 0;
	if (s->detail && s->detail != DETAIL_NONE)
		add_detail(ev, t, s, weight);
}

/* The share of what advice is about; *@judged: whether it is known */
static unsigned int share_of(const struct explain *e, const struct text *t, size_t i, bool *judged)
{
	const struct evidence *ev = &e->evidence[t - texts];
	bool user = advice__is_of_user(&t->advice[i]);

	*judged = t->advice[i].of && ev->all && (user ? e->x.style.times : ev->details);
	return *judged ? (user ? ev->user : ev->weight[i]) * 1000.0 / ev->all + 0.5 : 0;
}

static void tell_cause(const struct explain *e, struct chapter *c, const struct vm *vm, size_t i,
		       unsigned int share)
{
	const struct evidence *ev = &e->evidence[c->text - texts];

	if (*c->cause || !c->nr_reasons)
		return;
	snprintf(c->cause, sizeof(c->cause),
		 "%s (%u.%u %% of %s), most of %.64s (PID %u): %u.%u %% %s", c->reasons[0].name,
		 c->reasons[0].tenths / 10, c->reasons[0].tenths % 10,
		 e->x.style.times ? "the time in KVM and the VMM" : "the exits",
		 vm ? vm->name : "?", vm ? vm->pid : 0, share / 10, share % 10,
		 advice__is_of_user(&c->text->advice[i]) ? "of it in the VMM" : ev->example[i]);
}

int evidence__advise(struct explain *e, struct chapter *c, const struct vm *vm)
{
	const struct advice *a = c->text->advice;
	int holds;
	size_t i;

	/* What is known to hold comes before what the reader must judge */
	for (holds = 1; holds >= 0; holds--)
		for (i = 0; a[i].condition; i++) {
			bool judged, user = advice__is_of_user(&a[i]);
			unsigned int share = share_of(e, c->text, i, &judged);
			struct item *item;

			if (judged != holds || (judged && share < (user ? ENOUGH_OF_USER : ENOUGH)))
				continue;
			item = chapter__add(c, TOPIC_ADVICE, a[i].condition, a[i].advice);
			if (!item)
				return -ENOMEM;
			item->price = a[i].price;
			if (!judged)
				continue;
			snprintf(item->evidence, sizeof(item->evidence), "%u.%u %% here",
				 share / 10, share % 10);
			tell_cause(e, c, vm, i, share);
		}
	return 0;
}
