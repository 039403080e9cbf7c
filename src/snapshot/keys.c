// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "snapshot/keys.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/util.h"

/* First the keys that say whose rows are, from coarse to fine, then the others */
static const struct {
	const char *name;
	unsigned int keys;
	char press; /* key of the live view that turns it on and off; 0: g goes through these */
} keys[] = {
	{ "vm", KEY_VM, 0 },
	{ "vcpu", KEY_VM | KEY_VCPU, 0 },
	{ "thread", KEY_VM | KEY_THREAD, 0 },
	{ "reason", KEY_REASON, 'r' },
	{ "detail", KEY_REASON | KEY_DETAIL, 'd' },
};

const char *view__key_names(void)
{
	return "vm, vcpu, thread, reason, detail";
}

/* The keys whose name is the first @len bytes of @name; 0: none */
static unsigned int find_key(const char *name, size_t len, unsigned int *seen)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(keys); i++) {
		if (strlen(keys[i].name) != len || strncmp(name, keys[i].name, len) ||
		    *seen & 1u << i)
			continue;
		*seen |= 1u << i;
		return keys[i].keys;
	}
	return 0;
}

int view__parse_keys(const char *list, unsigned int *out)
{
	unsigned int seen = 0, all = 0;

	for (;;) {
		size_t len = strcspn(list, ",");
		unsigned int found = find_key(list, len, &seen);

		if (!found)
			return -EINVAL;
		all |= found;
		if (!list[len])
			break;
		list += len + 1;
	}
	*out = all;
	return 0;
}

unsigned int view__every_key(void)
{
	unsigned int all = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(keys); i++)
		all |= keys[i].keys;
	return all;
}

unsigned int view__next_keys(unsigned int now, unsigned int known)
{
	unsigned int whose = 0, next = 0, step = 0;
	bool found = false;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(keys); i++)
		whose |= keys[i].press ? 0 : keys[i].keys;
	/* All, vm, vcpu, thread: the one after what is there now, or the first */
	for (i = 0; i < ARRAY_SIZE(keys) && !(found && next); i++) {
		found |= step == (now & whose);
		step |= keys[i].press ? 0 : keys[i].keys & known;
		if (found && step != (now & whose))
			next = step;
	}
	next |= now & ~whose;
	return next ? next : view__next_keys(next, known);
}

/* The bit of key @i that the keys before it do not have */
static unsigned int own_key(size_t i)
{
	unsigned int before = 0;
	size_t k;

	for (k = 0; k < i; k++)
		before |= keys[k].keys;
	return keys[i].keys & ~before;
}

/* @now without a key, and without all keys that include it */
static unsigned int without(unsigned int now, unsigned int own)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(keys); i++)
		if (keys[i].keys & own)
			now &= ~own_key(i);
	return now;
}

unsigned int view__toggle_keys(unsigned int now, unsigned int known, char press)
{
	unsigned int next = now;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(keys); i++) {
		if (keys[i].press != press || keys[i].keys & ~known)
			continue;
		next = (now & keys[i].keys) == keys[i].keys ? without(now, own_key(i))
							    : now | keys[i].keys;
	}
	/* At least one key must remain */
	return next ? next : known & KEY_VM ? KEY_VM : now;
}

void view__name_keys(unsigned int now, char *text, size_t size)
{
	size_t i, used = 0;

	text[0] = 0;
	for (i = 0; i < ARRAY_SIZE(keys) && used < size; i++)
		if ((now & keys[i].keys) == keys[i].keys)
			used += snprintf(text + used, size - used, "%s%s", used ? "," : "",
					 keys[i].name);
}

struct view view__within(struct view view, unsigned int known)
{
	if (known)
		view.keys &= known;
	if (known && !view.keys)
		view.keys = known;
	return view;
}
