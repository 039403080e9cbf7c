/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* For the files of this folder: what an explanation is made from, and how its chapters are filled
 */
#ifndef CHAPTERS_H
#define CHAPTERS_H

#include "explain/cpu_limits.h"
#include "explain/explain.h"
#include "rows/groups.h"
#include "vm/vmlist.h"

/* The most VMs whose settings are shown with one text */
#define MOST_VMS 3

struct explain {
	struct explanation x;
	struct groups *sums; /* since the start, by reason */
	struct groups *tally; /* the same by VM and reason, for VMs that exist or just ended */
	struct groups *threads; /* all time of vCPU threads, likewise by VM and thread */
	__u64 total; /* exits, or ns in KVM and the VMM */
	bool no_wait; /* this host does not tell how long threads waited */
	struct vmstate *reader; /* NULL: there is none */
	struct state_layout layout;
	struct vm_states states; /* by PID */
	struct cpu_limits limits;
	struct vmlist vms; /* without a run */
};

/* Adds something to say; NULL: no memory. @name and @text must live as long. */
struct item *chapter__add(struct chapter *c, enum topic topic, const char *name, const char *text);

/* These return 0 or -ENOMEM */
int chapter__add_vm(struct chapter *c, const struct vm *vm, const char *label, const char *value);
int chapter__add_text(struct chapter *c);

/* Adds the quota of a VM, if it has one: how much it may use (@max), or what that did */
int chapter__add_cpu_limit(struct explain *e, struct chapter *c, const struct vm *vm, bool max);

/* All that is said of a chapter's reasons */
int chapter__fill(struct explain *e, struct chapter *c);

/* The chapter on the VMs that wait for a CPU, if there are any, in the first place */
int waiting__explain(struct explain *e);

#endif
