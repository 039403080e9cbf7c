// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "replay.h"

#include <string.h>

#include "view.h"
#include "vm.h"

unsigned int replay__keys(const struct options *o)
{
	unsigned int keys = o->keys;

	if (o->pid || o->name)
		keys |= KEY_VM;
	if (o->has_vcpu)
		keys |= KEY_VCPU;
	if (o->nr_tids || o->alltids)
		keys |= KEY_THREAD;
	if (o->wide)
		keys |= KEY_VM | KEY_VCPU | KEY_THREAD;
	if (o->filter || o->compact)
		keys |= KEY_REASON;
	return keys;
}

static bool is_wanted(const struct options *o, const struct sample *s)
{
	size_t i;

	if (o->pid && s->vm->pid != o->pid)
		return false;
	if (o->name && strcmp(s->vm->name, o->name))
		return false;
	if (o->has_vcpu && s->vcpu != o->vcpu)
		return false;
	for (i = 0; i < o->nr_tids; i++)
		if (o->tids[i].tid == s->tid)
			return true;
	return !o->nr_tids;
}

void replay__select(const struct options *o, struct snapshot *snap)
{
	const struct sample *last = NULL;
	size_t i, left = 0;

	if (!options__select(o))
		return;
	snap->vms = 0;
	snap->vcpus = 0;
	for (i = 0; i < snap->nr_samples; i++) {
		const struct sample s = snap->samples[i];

		if (!is_wanted(o, &s)) {
			snap->exits -= s.count;
			continue;
		}
		snap->vms += !last || last->vm != s.vm;
		snap->vcpus += !last || last->vm != s.vm || last->vcpu != s.vcpu;
		snap->samples[left] = s;
		last = &snap->samples[left++];
	}
	snap->nr_samples = left;
}
