// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Explanations as text and as records */
#include <string.h>

#include "explain/explain.h"
#include "kvmexit.h"
#include "lib/ndjson.h"
#include "lib/util.h"
#include "names/reasons.h"
#include "snapshot/run.h"

#define COLUMNS 80

/* A paragraph, broken into lines: the first indented by @first columns, the others by @rest */
static void print_wrapped(FILE *out, const char *text, int first, int rest)
{
	int at = fprintf(out, "%*s", first, "");
	bool begun = false;

	for (text += strspn(text, " "); *text; text += strspn(text, " ")) {
		int len = strcspn(text, " ");

		if (begun && at + 1 + len > COLUMNS) {
			at = fprintf(out, "\n%*s", rest, "") - 1;
			begun = false;
		}
		at += fprintf(out, "%s%.*s", begun ? " " : "", len, text);
		begun = true;
		text += len;
	}
	fputc('\n', out);
}

static void print_advice(FILE *out, const char *condition, const char *evidence, const char *advice,
			 const char *price, int indent)
{
	char text[768];

	snprintf(text, sizeof(text), "If %s%s%s%s: %s. Price: %s.", condition,
		 *evidence ? " (" : "", evidence, *evidence ? ")" : "", advice, price);
	print_wrapped(out, text, indent, indent + 2);
}

static void print_labelled(FILE *out, const char *label, const char *value, int indent)
{
	char text[768];

	snprintf(text, sizeof(text), "%s%s", label, value);
	print_wrapped(out, text, indent, indent + 2);
}

/* The most causes in short: with the remedies some 16 lines */
#define MOST_IN_SHORT 5

static void print_remedy(FILE *out, const char *advice)
{
	char text[768];

	snprintf(text, sizeof(text), "Remedy: %s.", advice);
	print_wrapped(out, text, 2, 4);
}

static const char *const labels[NR_TOPICS] = {
	[TOPIC_CAUSES] = "Usual causes: ",
	[TOPIC_COST] = "Cost: ",
};

static const char *all_of(const struct explanation *x)
{
	return x->style.times ? "the time in KVM and the VMM" : "the exits";
}

static void print_reason(FILE *out, const struct explanation *x, const struct explained *r)
{
	char text[512];

	if (x->style.run)
		snprintf(text, sizeof(text), "%s (%u.%u %% of %s): %s", r->name, r->tenths / 10,
			 r->tenths % 10, all_of(x), r->meaning);
	else
		snprintf(text, sizeof(text),
			 r->isa == ISA_VMX ? "%s (%s %u): %s" : "%s (%s %#x): %s", r->name,
			 isa__name(r->isa), r->code, r->meaning);
	print_wrapped(out, text, 0, 2);
}

/* A line in front of the first setting of this host, and of each VM */
static void print_owner(FILE *out, const struct item *item, const struct item *before)
{
	if (item->topic == TOPIC_SETTING && before->topic != TOPIC_SETTING)
		fputs("  On this host:\n", out);
	if (item->topic == TOPIC_VM && (before->topic != TOPIC_VM || before->pid != item->pid))
		fprintf(out, "  VM %s (PID %u):\n", item->vm, item->pid);
}

static void print_item(FILE *out, const struct item *item)
{
	const char *value = item->text ? item->text : item->value;
	char label[96];

	switch (item->topic) {
	case TOPIC_SETTING:
		snprintf(label, sizeof(label), "%.*s = ", (int)strcspn(item->name, " "),
			 item->name);
		print_labelled(out, label, value, 4);
		break;
	case TOPIC_VM:
		snprintf(label, sizeof(label), "%s: ", item->name);
		print_labelled(out, label, value, 4);
		break;
	case TOPIC_ADVICE:
		print_advice(out, item->name, item->evidence, value, item->price, 2);
		break;
	case TOPIC_WHAT:
		print_wrapped(out, value, 2, 2);
		break;
	default:
		print_labelled(out, labels[item->topic], value, 2);
	}
}

static void print_chapter(FILE *out, const struct explanation *x, const struct chapter *c)
{
	size_t i;

	if (c->waiting)
		print_labelled(out, c->cause, ".", 0);
	for (i = 0; i < c->nr_reasons; i++)
		print_reason(out, x, &c->reasons[i]);
	for (i = 0; i < c->nr_items; i++) {
		if (i)
			print_owner(out, &c->items[i], &c->items[i - 1]);
		print_item(out, &c->items[i]);
		if (c->vms_left_out && c->items[i].topic == TOPIC_VM &&
		    (i + 1 == c->nr_items || c->items[i + 1].topic != TOPIC_VM))
			fprintf(out, "  (%s)\n", plural(c->vms_left_out, "more VM"));
	}
}

void explanation__print_short(const struct explanation *x, FILE *out)
{
	size_t i, k, n = 0;

	for (i = 0; i < x->nr_chapters && n < MOST_IN_SHORT; i++) {
		const struct chapter *c = &x->chapters[i];

		if (!*c->cause)
			continue;
		print_labelled(out, c->cause, ".", 0);
		for (k = 0; k < c->nr_items; k++)
			if (*c->items[k].evidence)
				break;
		if (k < c->nr_items)
			print_remedy(out, c->items[k].text);
		n++;
	}
	if (n)
		fputc('\n', out);
}

void explanation__print(const struct explanation *x, FILE *out)
{
	size_t i;

	for (i = 0; i < x->nr_chapters; i++) {
		if (i || x->style.run)
			fputc('\n', out);
		print_chapter(out, x, &x->chapters[i]);
	}
	if (x->style.run && !x->nr_chapters)
		fprintf(out, "\nNothing to explain: no reason%s makes up %d %% of %s.\n",
			x->style.reasons ? " of those named" : "", TENTHS_THAT_MATTER / 10,
			all_of(x));
	if (*x->note) {
		fputc('\n', out);
		print_wrapped(out, x->note, 0, 2);
	}
}

void text__print(const struct text *t, FILE *out, int indent)
{
	const struct advice *a;

	print_wrapped(out, t->what, indent, indent);
	print_labelled(out, labels[TOPIC_CAUSES], t->causes, indent);
	print_labelled(out, labels[TOPIC_COST], t->cost, indent);
	for (a = t->advice; a->condition; a++)
		print_advice(out, a->condition, "", a->advice, a->price, indent);
}

/* ---- records ---- */

static const char *const topics[NR_TOPICS] = {
	[TOPIC_WHAT] = "what",	     [TOPIC_CAUSES] = "causes", [TOPIC_COST] = "cost",
	[TOPIC_SETTING] = "setting", [TOPIC_VM] = "vm",		[TOPIC_ADVICE] = "advice",
	[TOPIC_NOTE] = "note",
};

static void set_head(struct record *r, const struct snapshot *snap)
{
	record__integer(r, "v", 1);
	record__string(r, "type", "explain");
	if (!snap)
		return;
	record__time(r, "ts", snap->end);
	record__integer(r, "seq", snap->seq);
}

static void set_tail(struct record *r, const struct snapshot *snap)
{
	if (!snap)
		return;
	record__string(r, "node", snap->run->node);
	record__string(r, "run", snap->run->id);
}

static int print_record(FILE *out, struct record *r, const struct explanation *x,
			const struct snapshot *snap, const struct explained *of,
			const struct item *item)
{
	char name[96];

	snprintf(name, sizeof(name), "%.*s",
		 (int)(item->topic == TOPIC_SETTING ? strcspn(item->name, " ")
						    : strlen(item->name)),
		 item->name);
	set_head(r, snap);
	record__string(r, "isa", isa__name(of->isa));
	record__string(r, "reason", of->name);
	record__integer(r, "code", of->code);
	if (snap) {
		record__string(r, "of",
			       !*of->name && item->topic != TOPIC_NOTE ? "time of the VM"
			       : x->style.times			       ? "time in KVM and VMM"
								       : "exits");
		record__integer(r, "share", of->tenths);
	}
	record__integer(r, "pid", item->pid);
	record__string(r, "vm", item->vm);
	record__string(r, "topic", topics[item->topic]);
	record__string(r, "name", name);
	record__string(r, "value", item->text ? item->text : item->value);
	record__string(r, "price", item->price);
	set_tail(r, snap);
	return record__print(out, r);
}

int explanation__print_json(const struct explanation *x, FILE *out, const struct snapshot *snap)
{
	struct record r = { 0 };
	const struct explained none = { .isa = x->style.isa };
	const struct item note = { .topic = TOPIC_NOTE, .name = "", .price = "", .text = x->note };
	size_t i, k, n;
	int err = 0;

	for (i = 0; i < x->nr_chapters && !err; i++) {
		const struct chapter *c = &x->chapters[i];

		for (n = 0; c->waiting && n < c->nr_items && !err; n++)
			err = print_record(out, &r, x, snap,
					   &(struct explained){ .isa = x->style.isa,
								.tenths = c->waiting },
					   &c->items[n]);
		for (k = 0; k < c->nr_reasons && !err; k++)
			for (n = 0; n < c->nr_items && !err; n++)
				err = print_record(out, &r, x, snap, &c->reasons[k], &c->items[n]);
	}
	if (!err && *x->note)
		err = print_record(out, &r, x, snap, &none, &note);
	record__free(&r);
	return err;
}
