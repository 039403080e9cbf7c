// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "snapshot/snapshot.h"

#include "lib/util.h"
#include "vm/vm.h"

int sample__compare_threads(const struct sample *x, const struct sample *y)
{
	int order = vm__compare(x->vm, y->vm);

	if (!order)
		order = THREE_WAY(x->vcpu, y->vcpu);
	return order ? order : THREE_WAY(x->tid, y->tid);
}
