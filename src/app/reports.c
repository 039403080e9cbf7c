// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "app/reports.h"

#include "app/options.h"

unsigned int reports__summary(const struct options *o)
{
	if (!o->time || o->keys || o->wide)
		return 0;
	return selection__names_any(&o->selection) ? KEY_VM | KEY_VCPU : KEY_VM;
}

unsigned int reports__record_keys(const struct options *o)
{
	return o->keys ? o->keys : o->compact ? KEY_VM : 0;
}

struct view reports__view(const struct options *o, bool live)
{
	const unsigned int thread = KEY_THREAD | KEY_REASON;
	struct view view = { .top = o->top };

	if (o->keys) {
		view.keys = o->keys;
		view.plain = o->keys == KEY_REASON && !o->time;
	} else if ((o->time || o->detail) && !o->wide && !o->alltids) {
		view.keys = selection__names_any(&o->selection) ? KEY_REASON : KEY_VM | KEY_REASON;
	} else if (o->wide || (live && !selection__names_any(&o->selection))) {
		view.keys = KEY_VM | KEY_VCPU | thread;
		view.by_key = !live && !o->top;
	} else {
		view.plain = !o->time;
		view.by_key = !o->top;
		view.listed = o->selection.nr_tids && !o->one_tid;
		view.keys = view.listed || (o->alltids && !o->selection.nr_tids) ? thread
			    : selection__names_any(&o->selection)		 ? KEY_REASON
										 : KEY_VM | thread;
	}
	if (o->detail) {
		view.keys |= KEY_DETAIL;
		view.plain = false;
	}
	return view;
}
