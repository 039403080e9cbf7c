// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "app/replay.h"

#include "app/options.h"
#include "app/reports.h"
#include "snapshot/keys.h"

unsigned int replay__keys(const struct options *o)
{
	unsigned int keys = o->keys | reports__record_keys(o);

	if (o->selection.pid || o->selection.name)
		keys |= KEY_VM;
	if (o->selection.has_vcpu)
		keys |= KEY_VCPU;
	if (o->selection.nr_tids || o->alltids)
		keys |= KEY_THREAD;
	if (o->wide)
		keys |= KEY_VM | KEY_VCPU | KEY_THREAD;
	if (o->filter || o->compact)
		keys |= KEY_REASON;
	return keys;
}
