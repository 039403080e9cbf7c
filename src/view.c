// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "view.h"

#include <errno.h>
#include <string.h>

#include "options.h"
#include "util.h"

static const struct {
	const char *name;
	unsigned int keys;
} keys[] = {
	{ "vm", KEY_VM },
	{ "vcpu", KEY_VM | KEY_VCPU },
	{ "thread", KEY_VM | KEY_THREAD },
	{ "reason", KEY_REASON },
	{ "detail", KEY_REASON | KEY_DETAIL },
};

const char *view__key_names(void)
{
	return "vm, vcpu, thread, reason, detail";
}

/* The keys that the first @len bytes of @name are the name of; 0: of none */
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

struct view view__within(struct view view, unsigned int known)
{
	if (known)
		view.keys &= known;
	if (known && !view.keys)
		view.keys = known;
	return view;
}

unsigned int view__summary(const struct options *o)
{
	if (!o->time || o->keys || o->wide)
		return 0;
	return o->pid || o->nr_tids ? KEY_VM | KEY_VCPU : KEY_VM;
}

struct view view__of(const struct options *o, bool live)
{
	const unsigned int thread = KEY_THREAD | KEY_REASON;
	struct view view = { .top = o->top };

	if (o->keys) {
		view.keys = o->keys;
		view.plain = o->keys == KEY_REASON && !o->time;
	} else if ((o->time || o->detail) && !o->wide && !o->alltids) {
		view.keys = o->pid || o->nr_tids ? KEY_REASON : KEY_VM | KEY_REASON;
	} else if (o->wide || (live && !o->nr_tids && !o->pid)) {
		view.keys = KEY_VM | KEY_VCPU | thread;
		view.by_key = !live && !o->top;
	} else {
		view.plain = true;
		view.by_key = !o->top;
		view.listed = o->nr_tids && !o->one_tid;
		view.keys = view.listed || (o->alltids && !o->nr_tids) ? thread
			    : o->nr_tids || o->pid		       ? KEY_REASON
								       : KEY_VM | thread;
	}
	if (o->detail) {
		view.keys |= KEY_DETAIL;
		view.plain = false;
	}
	return view;
}
