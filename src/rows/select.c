// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "rows/select.h"

#include <string.h>

#include "names/details.h"
#include "names/reason_filter.h"
#include "vm/vm.h"

static bool is_wanted(const struct selection *sel, const struct sample *s)
{
	size_t i;

	if (sel->pid && s->vm->pid != sel->pid)
		return false;
	if (sel->name && !vm__is_called(s->vm, sel->name))
		return false;
	if (sel->has_vcpu && s->vcpu != sel->vcpu)
		return false;
	for (i = 0; i < sel->nr_tids; i++)
		if (sel->tids[i].tid == s->tid)
			return true;
	return !sel->nr_tids;
}

void select__selection(const struct selection *sel, struct snapshot *snap)
{
	const struct sample *last = NULL;
	size_t i, left = 0;

	if (!selection__names_any(sel))
		return;
	snap->vms = 0;
	snap->vcpus = 0;
	for (i = 0; i < snap->nr_samples; i++) {
		const struct sample s = snap->samples[i];

		if (!is_wanted(sel, &s)) {
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

void select__reasons(struct filter *f, struct snapshot *snap)
{
	size_t i, left = 0;

	for (i = 0; i < snap->nr_samples; i++) {
		const struct sample *s = &snap->samples[i];

		if (filter__keeps(f, s->isa, s->code)) {
			snap->samples[left++] = *s;
			continue;
		}
		snap->hidden += s->count;
		if (s->times)
			snap->service -= times__service(s->times);
	}
	snap->nr_samples = left;
}

void select__details(struct filter *f, struct snapshot *snap)
{
	size_t i;

	for (i = 0; i < snap->nr_samples; i++) {
		struct sample *s = &snap->samples[i];

		if (!s->detail &&
		    !(detail__can_have(s->isa, s->code) && filter__keeps(f, s->isa, s->code)))
			s->detail = DETAIL_NONE;
	}
}
